import Foundation

/// Runs a program of the system until it ends.
enum ExternalTool {
  /// What a program printed, and how it ended.
  struct Answer {
    var status: Int32
    var output: String
    var errors: String

    /// Its errors in one line.
    var reason: String {
      let text = errors.isEmpty ? output : errors
      return text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: "; ")
    }
  }

  /// Runs a program.
  ///
  /// - Parameters:
  ///   - words: Its name, which is searched in `PATH`, and its arguments.
  ///   - input: Its standard input.
  ///   - more: Environment variables in addition to those of this process.
  /// - Returns: Its answer; nil if there is no such program.
  static func run(_ words: [String], input: String? = nil, adding more: [String: String] = [:]) -> Answer? {
    guard let path = path(of: words[0]) else { return nil }
    // Files, since a pipe becomes full if no process reads it.
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sdbatch-\(UUID().uuidString)")
    guard (try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)) != nil else {
      return nil
    }
    defer { try? FileManager.default.removeItem(at: folder) }
    func file(_ name: String, _ text: String = "") -> URL {
      let url = folder.appendingPathComponent(name)
      try? Data(text.utf8).write(to: url)
      return url
    }
    let (output, errors) = (file("output"), file("errors"))
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = Array(words.dropFirst())
    process.environment = ProcessInfo.processInfo.environment.merging(more) { $1 }
    process.standardInput = try? FileHandle(forReadingFrom: file("input", input ?? ""))
    process.standardOutput = try? FileHandle(forWritingTo: output)
    process.standardError = try? FileHandle(forWritingTo: errors)
    guard (try? process.run()) != nil else { return nil }
    process.waitUntilExit()
    func text(_ url: URL) -> String { String(decoding: (try? Data(contentsOf: url)) ?? Data(), as: UTF8.self) }
    return Answer(status: process.terminationStatus, output: text(output), errors: text(errors))
  }

  /// The path of a program in `PATH`; nil if it is not there.
  static func path(of name: String) -> String? {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
    return folders.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
  }
}
