import Foundation
import JSON
import Settings
import Testing
import TestSupport

/// A folder in which to start the program; it is removed when the test ends. The program sees only the test's home, cache and
/// models.
final class Workspace {
  private let folder: TemporaryFolder
  private var childCount = 0

  var path: String { folder.path }

  /// Four small images of the random model, whose vocabulary is next to it.
  static let recipe = """
    model: model.safetensors
    prompt: a small boat
    width: 64
    height: 64
    steps: 4
    sampler_name: Euler a
    grid:
      seed: 1, 2, ..., 4
    output: run

    """

  init(recipe: String? = Workspace.recipe) throws {
    folder = try TemporaryFolder()
    if let recipe { try write(recipe, to: "recipe.yaml") }
    // Runs of the same images are compared with each other, so none may take them from another folder.
    try makeFolder("cache/sdbatch/images.tsv")
  }

  /// Lets runs take images from other run folders of this test, as they do by default.
  func allowReuse() throws { try remove("cache/sdbatch/images.tsv") }

  // MARK: Files

  func write(_ text: String, to name: String) throws { try write(Data(text.utf8), to: name) }

  func write(_ data: Data, to name: String) throws { try data.write(to: URL(fileURLWithPath: path + "/" + name)) }

  /// Writes a script that can be executed at once.
  ///
  /// A child writes it. A descriptor of this process would be inherited by every child that another test starts at the same
  /// moment, and as long as any process has the file open for writing, executing it fails with "Text file busy".
  func writeProgram(_ text: String, to name: String) throws {
    try write(text, to: name + ".text")
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/bin/sh")
    shell.arguments = ["-c", #"cat "$0.text" >"$0" && chmod 755 "$0""#, path + "/" + name]
    try shell.run()
    shell.waitUntilExit()
    guard shell.terminationStatus == 0 else { throw CocoaError(.fileWriteUnknown) }
  }

  func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: path + "/" + name) }

  func data(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)) }

  func text(_ name: String) throws -> String { String(decoding: try data(name), as: UTF8.self) }

  func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path + "/" + name) }

  func makeFolder(_ name: String) throws {
    try FileManager.default.createDirectory(atPath: path + "/" + name, withIntermediateDirectories: true)
  }

  /// The images of a run by name; also other files, so that no leftover is missed.
  func images(_ run: String = "run") throws -> [String: Data] {
    var images: [String: Data] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: "\(path)/\(run)/images") {
      images[name] = try data("\(run)/images/\(name)")
    }
    return images
  }

  /// When each file of a run was last written, in nanoseconds.
  func times(_ run: String = "run") throws -> [String: Int] {
    var times: [String: Int] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: "\(path)/\(run)") {
      var status = stat()
      guard lstat("\(path)/\(run)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
      times[name] = Int(status.st_mtim.tv_sec) * 1_000_000_000 + Int(status.st_mtim.tv_nsec)
    }
    return times
  }

  // MARK: The program

  /// Starts the program.
  func start(_ arguments: String..., environment: [String: String] = [:]) throws -> Child {
    try start([Child.program] + arguments, environment: environment)
  }

  /// Runs a line in the shell, where `"$0"` is the program.
  func startShell(_ line: String, environment: [String: String] = [:]) throws -> Child {
    try start(["/bin/sh", "-c", line, Child.program], environment: environment)
  }

  func start(_ arguments: [String], environment: [String: String], terminal: String? = nil) throws -> Child {
    childCount += 1
    let usual = [
      "PATH": "/usr/bin:/bin", "HOME": path + "/home", "XDG_DATA_HOME": path + "/data",
      "XDG_CACHE_HOME": path + "/cache", "SDBATCH_MODELS": RandomModels.folder, "TZ": "UTC",
    ]
    return try Child(
      arguments, environment: usual.merging(environment) { $1 }, in: path,
      streams: Child.Streams(output: terminal ?? "\(path)/output-\(childCount)", errors: "\(path)/errors-\(childCount)")
    )
  }

  /// Runs the program until it ends, which must be with this code.
  @discardableResult
  func run(
    _ arguments: String..., environment: [String: String] = [:], exits code: Int32 = 0,
    at location: SourceLocation = #_sourceLocation
  ) async throws -> Child {
    let child = try start([Child.program] + arguments, environment: environment)
    let end = try await child.wait()
    #expect(end == .exited(code), "\(child.output)\(child.errors)", sourceLocation: location)
    return child
  }

  // MARK: The files of a run

  func manifest(_ run: String = "run") throws -> JSONValue { try JSONValue(parsing: text("\(run)/manifest.json")) }

  func manifestJobs(_ run: String = "run") throws -> [JSONValue] { try manifest(run)["jobs"]?.elements ?? [] }

  /// The complete lines of the journal; the last line may be incomplete.
  func journal(_ run: String = "run") -> [JSONValue] {
    let lines = ((try? text("\(run)/journal.jsonl")) ?? "").split(separator: "\n", omittingEmptySubsequences: false)
    return lines.dropLast().compactMap { try? JSONValue(parsing: String($0)) }
  }
}

extension JSONValue {
  /// The names of an object's members in the order of the file.
  var names: [String] {
    if case .object(let members) = self { members.map(\.name) } else { [] }
  }
}
