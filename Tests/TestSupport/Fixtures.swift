import Foundation

/// The data files under `Tests/Fixtures`, found from where this file was compiled.
public enum Fixtures {
  /// The path of a file or folder under `Tests/Fixtures`.
  public static func path(_ name: String, thisFile: String = #filePath) -> String {
    URL(fileURLWithPath: thisFile).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Fixtures").appendingPathComponent(name).path
  }

  /// The bytes of a file under `Tests/Fixtures`.
  public static func data(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path(name))) }
}
