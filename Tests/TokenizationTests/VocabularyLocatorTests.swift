import Foundation
import Testing
import TestSupport
import Tokenization

struct VocabularyLocatorTests {
  /// A temporary folder with `models/` and `data/`, like a user's home.
  private func withHome(_ body: (URL, VocabularyLocator) throws -> Void) throws {
    try withTemporaryFolder { home in
      try body(home, VocabularyLocator(environment: ["XDG_DATA_HOME": home.path + "/data", "HOME": "/nowhere"]))
    }
  }

  private func put(_ source: String, as name: String, in folder: URL) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Fixtures.data("Tokenization/" + source).write(to: folder.appendingPathComponent(name))
  }

  @Test func `a model folder's own tokenizer is preferred to all others`() throws {
    try withHome { home, locator in
      try put("small/merges.txt", as: "merges.txt", in: home.appendingPathComponent("models/fish/tokenizer"))
      try put("small/merges.txt", as: "merges.txt", in: home.appendingPathComponent("models"))
      try put("small/merges.txt", as: "merges.txt", in: home.appendingPathComponent("data/sdbatch/clip"))
      let vocabulary = try locator.find(for: home.path + "/models/fish")
      #expect(vocabulary.path == home.path + "/models/fish/tokenizer/merges.txt")
    }
  }

  @Test func `a vocabulary next to the model file is preferred to the user's`() throws {
    try withHome { home, locator in
      try put("small/merges.txt", as: "bpe_simple_vocab_16e6.txt", in: home.appendingPathComponent("models"))
      try put("small/merges.txt", as: "merges.txt", in: home.appendingPathComponent("data/sdbatch/clip"))
      let vocabulary = try locator.find(for: home.path + "/models/fish.safetensors")
      #expect(vocabulary.path == home.path + "/models/bpe_simple_vocab_16e6.txt")
    }
  }

  @Test func `vocab_json next to merges_txt has the ids`() throws {
    try withHome { home, locator in
      let folder = home.appendingPathComponent("models/fish/tokenizer")
      try put("shuffled/merges.txt", as: "merges.txt", in: folder)
      try put("shuffled/vocab.json", as: "vocab.json", in: folder)
      let vocabulary = try locator.find(for: home.path + "/models/fish/")
      let expected = try Vocabulary(contentsOf: Fixtures.path("Tokenization/shuffled/merges.txt"))
      #expect(vocabulary.canonicalBytes == expected.canonicalBytes)
    }
  }

  @Test func `the user's data folder is searched last`() throws {
    try withHome { home, locator in
      try put("small/merges.txt", as: "merges.txt", in: home.appendingPathComponent("data/sdbatch/clip"))
      let vocabulary = try locator.find(for: home.path + "/models/fish.safetensors")
      #expect(vocabulary.path == home.path + "/data/sdbatch/clip/merges.txt")
    }
  }

  @Test(arguments: [nil, "", "relative/data"])
  func `without a usable XDG_DATA_HOME the default in the home folder is used`(data: String?) throws {
    try withTemporaryFolder { home in
      try put("small/merges.txt", as: "merges.txt", in: home.appendingPathComponent(".local/share/sdbatch/clip"))
      var environment = ["HOME": home.path]
      environment["XDG_DATA_HOME"] = data
      let vocabulary = try VocabularyLocator(environment: environment).find(for: home.path + "/fish.safetensors")
      #expect(vocabulary.path == home.path + "/.local/share/sdbatch/clip/merges.txt")
    }
  }

  @Test func `the error for a missing vocabulary names the searched folders and the file to get`() throws {
    try withHome { home, locator in
      let model = home.appendingPathComponent("models/fish")
      try FileManager.default.createDirectory(at: model, withIntermediateDirectories: true)
      let error = #expect(throws: TokenizationError.self) { try locator.find(for: model.path) }
      let folders = ["models/fish/tokenizer", "models/fish/tokenizer_2", "models", "data/sdbatch/clip"].map {
        home.path + "/" + $0
      }
      #expect(error == .vocabularyNotFound(model: model.path, folders: folders))
      for word in folders + ["bpe_simple_vocab_16e6.txt.gz", "merges.txt"] {
        #expect(error?.description.contains(word) == true, "\(word)")
      }
    }
  }

  @Test func `a damaged vocabulary is an error even if there is another`() throws {
    try withHome { home, locator in
      let folder = home.appendingPathComponent("models")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try Data("broken\n".utf8).write(to: folder.appendingPathComponent("merges.txt"))
      try put("small/merges.txt", as: "merges.txt", in: home.appendingPathComponent("data/sdbatch/clip"))
      #expect(throws: TokenizationError.self) { try locator.find(for: home.path + "/models/fish.safetensors") }
    }
  }
}
