import Foundation
import PackagePlugin

/// Puts the text files in a target's folders `Resources` and `Manual.docc` into its program, as strings of `EmbeddedText`.
///
/// So a copy of the program has them too.
@main struct EmbedText: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
    let files = try ["Resources", "Manual.docc"].flatMap { name in
      let folder = target.directoryURL.appending(path: name)
      guard FileManager.default.fileExists(atPath: folder.path) else { return [URL]() }
      return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    }.sorted { $0.path < $1.path }
    let output = context.pluginWorkDirectoryURL.appending(path: "EmbeddedText.swift")
    return [
      .buildCommand(
        displayName: "Embedding text in \(target.name)", executable: try context.tool(named: "embedtext").url,
        arguments: [output.path] + files.map(\.path), inputFiles: files, outputFiles: [output])
    ]
  }
}
