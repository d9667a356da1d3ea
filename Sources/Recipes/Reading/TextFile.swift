import Foundation
import Text

/// Reads the bytes of a text file.
enum TextFile {
  /// Why a file cannot be read.
  enum Problem: Error {
    /// The system's error message.
    case unreadable(String)
    case tooLarge
  }

  /// Reads a file up to a limit, because it may be an endless device.
  static func read(_ path: String, limit: Int) throws(Problem) -> [UInt8] {
    do {
      return try WholeFile.bytes(of: path, limit: limit)
    } catch {
      switch error {
      case .notRead(let code): throw .unreadable(String(cString: strerror(code)))
      case .tooLong: throw .tooLarge
      }
    }
  }

  /// Reads a UTF-8 file that a recipe names, without its byte order mark.
  ///
  /// - Throws: An error about the whole file.
  static func readText(_ path: String, expected: String) throws(RecipeErrors) -> String {
    let limit = 16 << 20
    let position = SourcePosition(source: path, line: 0, column: 0, rank: SourcePosition.besides)
    let bytes: [UInt8]
    do {
      bytes = try read(path, limit: limit)
    } catch {
      switch error {
      case .unreadable(let reason): throw RecipeErrors("cannot be read (\(reason)), expected \(expected)", at: position)
      case .tooLarge: throw RecipeErrors("found more than \(limit) bytes, expected \(expected)", at: position)
      }
    }
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    guard let text = String(validating: bytes.starts(with: mark) ? bytes[3...] : bytes[...], as: UTF8.self) else {
      throw RecipeErrors("found bytes that are not UTF-8, expected \(expected) in UTF-8", at: position)
    }
    return text
  }
}
