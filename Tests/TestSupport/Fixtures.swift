import Foundation

/// The data files under `Tests/Fixtures`, found from where this file was compiled.
package enum Fixtures {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures")

  /// The path of a file or folder under `Tests/Fixtures`.
  package static func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  /// The bytes of a file under `Tests/Fixtures`.
  package static func data(_ name: String) throws -> Data { try Data(contentsOf: folder.appendingPathComponent(name)) }

  /// The text of a file under `Tests/Fixtures`.
  package static func text(_ name: String) throws -> String {
    try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
  }

  /// The value in a JSON file under `Tests/Fixtures`.
  package static func decode<Value: Decodable>(_ type: Value.Type = Value.self, from name: String) throws -> Value {
    try JSONDecoder().decode(type, from: data(name))
  }
}
