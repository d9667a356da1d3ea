import Foundation

/// The small random models of `Tests/Fixtures/Models`, and the demo model.
///
/// Every test that reads a model finds it here.
package enum RandomModels {
  /// A folder with all random models, including their weights.
  ///
  /// It is made once per process, and removed when the process exits.
  package static let folder: String = {
    do {
      let folder = try written()
      atexit { try? FileManager.default.removeItem(atPath: RandomModels.folder) }
      return folder
    } catch {
      fatalError("The random models cannot be written: \(error)")
    }
  }()

  /// The path of the model that comes with the program.
  package static let demo = URL(fileURLWithPath: Fixtures.path("../../Sources/DemoModel/Resources/demo"))
    .standardizedFileURL.path

  /// The path of a model, such as `sdxl.safetensors` or the folder `sdxl`, or of a file next to it.
  package static func path(_ name: String) -> String { "\(folder)/\(name)" }

  /// The bytes of a file, such as `model.safetensors` or `merges.txt`.
  package static func data(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path(name))) }

  private static func written() throws -> String {
    let manager = FileManager.default
    let source = Fixtures.path("Models")
    let target = manager.temporaryDirectory.standardizedFileURL.path + "/sdbatch-models-\(UUID().uuidString)"
    try manager.copyItem(atPath: source, toPath: target)
    for name in try manager.subpathsOfDirectory(atPath: target) where name.hasSuffix(".weights") {
      let list = "\(target)/\(name)"
      let weights = try RandomWeights(String(contentsOfFile: list, encoding: .utf8))
      try weights.write(to: list.dropLast("weights".count) + "safetensors")
      try manager.removeItem(atPath: list)
    }
    return target
  }
}
