import Diffusion
import Foundation
import Settings

/// Keeps the engine from one run of a process to the next, including the models that it has loaded.
final class EngineShelf {
  private var engine: Engine?
  private var threads: Int?
  /// The model files that the engine has used, with their size and time.
  private var files: [String: String] = [:]

  /// The engine for a number of threads. It is a new one if that number or a file that the last engine used has changed.
  ///
  /// - Parameter threads: The number of threads; nil for as many as this process may use.
  /// - Returns: The engine.
  /// - Throws: What `Engine.forCommand` throws.
  func engine(threads: Int?) throws -> Engine {
    if let engine, threads == self.threads, files.allSatisfy({ Self.mark($0.key) == $0.value }) { return engine }
    clear()
    let engine = try Engine.forCommand(threads: threads)
    (self.engine, self.threads) = (engine, threads)
    return engine
  }

  /// Notes which files a job uses.
  func note(_ ingredients: JobIngredients) {
    let loras = (ingredients.loras ?? []) + (ingredients.hiresLoRAs ?? [])
    let paths: [String?] = ingredients.models.map { $0.path } + loras.map { Optional($0.path) }
    for path in paths {
      if let path, files[path] == nil { files[path] = Self.mark(path) }
    }
  }

  /// Releases the engine and the memory of its models.
  func clear() {
    engine = nil
    files = [:]
  }

  /// Sizes and times of a file, or of all files of a folder.
  private static func mark(_ path: String) -> String {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return "-" }
    guard isFolder.boolValue else { return fileMark(path) }
    let names = (try? FileManager.default.subpathsOfDirectory(atPath: path)) ?? []
    return names.sorted().map { fileMark("\(path)/\($0)") }.joined(separator: ";")
  }

  private static func fileMark(_ path: String) -> String {
    var status = stat()
    guard stat(path, &status) == 0 else { return "-" }
    return "\(status.st_ino) \(status.st_size) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
  }
}
