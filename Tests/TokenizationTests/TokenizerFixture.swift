import CZlib
import Foundation
import TestSupport

/// The vocabularies, texts and ids that `make_tokenizers.py` wrote.
enum TokenizerFixture {
  private static let folder: String =
    ProcessInfo.processInfo.environment["SDBATCH_TEST_TOKENIZERS"] ?? Fixtures.path("Tokenizers")

  /// The path of a file.
  static func path(_ name: String) -> String { "\(folder)/\(name)" }

  /// Whether the folder has a file.
  static func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

  /// The texts.
  static func texts() throws -> [String] { try decode("strings.json.gz") }

  /// The ids of each text.
  static func ids(_ name: String) throws -> [[Int32]] { try decode(name) }

  private static func decode<Value: Decodable>(_ name: String) throws -> Value {
    try JSONDecoder().decode(Value.self, from: Data(unzipped(name)))
  }

  /// The bytes of a gzipped file.
  static func unzipped(_ name: String) throws -> [UInt8] {
    guard let file = gzopen(path(name), "rb") else { throw CocoaError(.fileReadNoSuchFile) }
    defer { gzclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while case let count = gzread(file, &buffer, UInt32(buffer.count)), count > 0 { bytes += buffer[..<Int(count)] }
    return bytes
  }

  /// The first differences between ids, as `index text: found, expected`.
  static func differences(_ expected: [[Int32]], _ texts: [String], _ encode: (String) -> [Int32]) -> [String] {
    var differences: [String] = []
    for (index, text) in texts.enumerated() {
      let found = encode(text)
      if found != expected[index] {
        let scalars = text.unicodeScalars.map { String($0.value, radix: 16) }.joined(separator: " ")
        differences.append("\(index) [\(scalars)]: \(found), expected \(expected[index])")
      }
    }
    return differences.isEmpty ? [] : ["\(differences.count) of \(texts.count) differ"] + differences.prefix(8)
  }
}
