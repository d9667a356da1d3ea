import Foundation

/// The files of `Tests/Fixtures/Prompts`, made by its `make_prompt_fixtures.py`.
enum Fixtures {
  static func decode<Value: Decodable>(_ type: Value.Type, from name: String) throws -> Value {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return try JSONDecoder().decode(
      type, from: Data(contentsOf: tests.appendingPathComponent("Fixtures/Prompts/\(name)")))
  }
}
