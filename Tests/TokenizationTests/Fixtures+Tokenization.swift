import Foundation
import Testing
import TestSupport
import Tokenization

extension Fixtures {
  static func small() throws -> CLIPTokenizer { try tokenizer(path("Tokenization/small/merges.txt")) }
  static func shuffled() throws -> CLIPTokenizer { try tokenizer(path("Tokenization/shuffled/merges.txt")) }
  static func tokenizer(_ path: String) throws -> CLIPTokenizer { CLIPTokenizer(try Vocabulary(contentsOf: path)) }

  /// CLIP's own vocabulary, which is not in the repository: `Tests/FixtureScripts/fetch_clip_vocabulary.sh` downloads it.
  static let clipPath: String? = {
    let environment = ProcessInfo.processInfo.environment
    if let path = environment["SDBATCH_TEST_CLIP"] { return path }
    let data = environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
    let path = (data ?? (environment["HOME"] ?? "") + "/.local/share") + "/sdbatch/clip/bpe_simple_vocab_16e6.txt.gz"
    return FileManager.default.fileExists(atPath: path) ? path : nil
  }()
  static let clipReason: Comment =
    "needs CLIP's vocabulary: run Tests/FixtureScripts/fetch_clip_vocabulary.sh or name the file in SDBATCH_TEST_CLIP"
}

/// Runs `body` with an empty folder that is removed afterwards.
func withTemporaryFolder(_ body: (URL) throws -> Void) throws {
  let folder = try TemporaryFolder()
  try withExtendedLifetime(folder) { try body(URL(fileURLWithPath: $0.path)) }
}
