import Foundation
import Settings

/// Finds the files of upscaling networks: in the folders that are searched for models, and in `upscalers/` in each of
/// them.
extension ModelLocator {
  private static let subfolder = "upscalers"

  /// The webui's names of networks, and the files that it loads for them.
  private static let webuiNames = [
    "r-esrgan 4x+": "RealESRGAN_x4plus", "r-esrgan 4x+ anime6b": "RealESRGAN_x4plus_anime_6B",
    "r-esrgan 2x+": "RealESRGAN_x2plus", "r-esrgan general 4xv3": "realesr-general-x4v3",
    "r-esrgan general wdn 4xv3": "realesr-general-wdn-x4v3", "r-esrgan animevideo": "realesr-animevideov3",
    "esrgan_4x": "ESRGAN",
  ]

  /// The absolute path of the network with this name; nil if there is none.
  ///
  /// - Parameter name: A path, a file's name with or without its extension, or the webui's name of a network that comes with
  ///   it.
  /// - Returns: The path of the first match.
  public func upscaler(_ name: String) -> String? {
    let names = [name] + (Self.webuiNames[name.lowercased()].map { [$0] } ?? [])
    for name in names {
      for candidate in [Self.subfolder + "/" + name, name] {
        if let path = exactPath(of: candidate), Self.isFile(path) { return path }
      }
    }
    // Like names of filters, these ignore letter case. For a Windows path, only the file's name is used.
    let wanted = names.map { $0.contains("\\") ? (ModelTitle($0).name as NSString).lastPathComponent : $0 }
    let titles = upscalerPaths().map { (path: $0, title: UpscalerReference(name: $0, path: $0).title) }
    let stems = wanted.map { UpscalerReference(name: $0, path: $0).title }
    if let exact = titles.first(where: { stems.contains($0.title) }) { return exact.path }
    let lowercased = stems.map { $0.lowercased() }
    let found = titles.filter { lowercased.contains($0.title.lowercased()) }
    return Set(found.map(\.title)).count == 1 ? found[0].path : nil
  }

  /// The names of all networks in the `upscalers/` folders.
  public func upscalerNames() -> [String] {
    var seen: Set<String> = []
    return upscalerPaths().map { UpscalerReference(name: $0, path: $0).title }.filter { seen.insert($0).inserted }
  }

  /// The folders that were searched for a network with this name, for a message.
  public func upscalerFoldersLookedIn(for name: String) -> String {
    name.hasPrefix("/") ? name : SettingKind.list(folders.map { $0 + "/" + Self.subfolder })
  }

  private func upscalerPaths() -> [String] {
    folders.flatMap { parent in
      let folder = parent + "/" + Self.subfolder
      let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      return files.filter(Self.isCheckpoint).sorted().prefix(1000).map { folder + "/" + $0 }
    }
  }
}
