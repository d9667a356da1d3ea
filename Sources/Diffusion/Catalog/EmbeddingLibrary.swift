import Prompts
import Settings
import Tokenization
import TensorFiles
import Weights

/// The textual inversions that the prompts for one model may name.
///
/// A file is opened when its name occurs in a prompt, and read when an image needs it.
final class EmbeddingLibrary {
  private let names: EmbeddingNames
  private let entries: [Entry]
  private let tokenizer: CLIPTokenizer
  /// How the text encoders' tokenizers clean text; each way once.
  private let cleanings: [TextCleaning]
  /// The widths of the model's text encoders.
  private let widths: [Int]
  private let digests: DigestCache
  private var opened: [Int: Opened] = [:]
  private var read: [Int: [[Float]]] = [:]
  private var known: [Prompts: [EmbeddingIdentity]] = [:]
  /// Information for users about names that are not embeddings for this model.
  private var notes: [String] = []

  /// The settings that the embeddings of a job depend on.
  private struct Prompts: Hashable {
    let texts: [[UInt8]]
    let calls: Int
    let callsBefore: Int?
    let timelines: PromptTimelines
    let emphasis: EmphasisChoice
  }

  /// A limit is needed: jobs of a grid share prompts, but wildcards can make any number of them.
  private static let knownLimit = 10_000

  /// An embedding that prompts may name.
  private enum Entry {
    case file(name: String, path: String)
    case bundled(Bundled)

    var name: String {
      switch self {
      case .file(let name, _): name
      case .bundled(let bundled): bundled.identity.name
      }
    }
  }

  /// An embedding inside a LoRA.
  struct Bundled {
    let file: EmbeddingFile
    let identity: EmbeddingIdentity
  }

  private struct Opened {
    let file: EmbeddingFile
    let identity: EmbeddingIdentity
    let isUsable: Bool
  }

  /// Creates the library of the embeddings in some folders.
  ///
  /// - Parameters:
  ///   - folders: The folders; if two files have the same name, the first folder's is used.
  ///   - tokenizer: The model's tokenizer.
  ///   - cleanings: How the tokenizers of the model's text encoders clean text.
  ///   - widths: The widths of the model's text encoders.
  ///   - digests: A cache of digests.
  convenience init(
    folders: [String], tokenizer: CLIPTokenizer, cleanings: [TextCleaning], widths: [Int], digests: DigestCache
  ) {
    let files = AdapterFolder.files(in: folders, extensions: ["pt", "bin", "safetensors"])
    let stems = files.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    self.init(
      stems.map { Entry.file(name: $0, path: files[$0] ?? "") }, tokenizer: tokenizer, cleanings: cleanings,
      widths: widths, digests: digests)
  }

  private init(
    _ entries: [Entry], tokenizer: CLIPTokenizer, cleanings: [TextCleaning], widths: [Int], digests: DigestCache
  ) {
    self.entries = entries
    self.tokenizer = tokenizer
    self.cleanings = cleanings.enumerated().filter { cleanings.firstIndex(of: $1) == $0 }.map(\.element)
    names = EmbeddingNames(entries.map(\.name), tokenizer: tokenizer, cleaning: cleanings.first ?? .clip)
    self.widths = widths
    self.digests = digests
  }

  /// The library with the embeddings inside LoRAs added.
  ///
  /// As in the webui, an embedding in the folders is preferred to one with the same name in a LoRA, if it is for this model.
  /// Among LoRAs, the first one is preferred.
  func adding(_ bundled: [Bundled]) -> EmbeddingLibrary {
    var added: [Entry] = []
    for embedding in bundled {
      let name = embedding.identity.name
      let isThere = entries.indices.contains { entries[$0].name == name && (try? open($0))?.isUsable == true }
      let isAdded = added.contains { $0.name == name }
      if !isThere, !isAdded { added.append(.bundled(embedding)) }
    }
    return EmbeddingLibrary(
      added + entries, tokenizer: tokenizer, cleanings: cleanings, widths: widths, digests: digests)
  }

  /// The embedding whose name starts at an index of a run's tokens; nil if there is none for this model.
  ///
  /// As in the webui, an embedding with other widths is for another kind of model, and its name is treated as a normal word.
  ///
  /// Throws `WeightError` if the file is damaged or not an embedding.
  func match(_ tokens: [Int32], at index: Int) throws -> PromptEmbedding? {
    for (number, tokenCount) in names.matches(tokens, at: index) {
      let file = try open(number)
      guard file.isUsable else { continue }
      return PromptEmbedding(number: number, tokenCount: tokenCount, vectorCount: file.file.vectorCount)
    }
    return nil
  }

  /// The embeddings in the prompts of a pass, each once: first those of the prompt, then those of the negative prompt.
  ///
  /// - Parameters:
  ///   - job: The settings of the pass.
  ///   - callsBefore: The calls of the first pass if this is the second, see `PromptSchedule`; nil for the first.
  /// - Returns: Their identities.
  /// - Throws: `WeightError`.
  func used(by job: PassSettings, callsBefore: Int? = nil) throws -> [EmbeddingIdentity] {
    guard !names.isEmpty else { return [] }
    let calls = job.sampler.plannedCalls(steps: job.steps)
    let prompts = Prompts(
      texts: [Array(job.prompt.utf8), Array(job.negativePrompt.utf8)], calls: calls, callsBefore: callsBefore,
      timelines: job.timelines, emphasis: job.emphasis)
    if let used = known[prompts] { return used }
    let used = try find(job, callsBefore: callsBefore)
    if known.count >= Self.knownLimit { known = [:] }
    known[prompts] = used
    return used
  }

  /// The notes that were not returned yet.
  func takeNotes() -> [String] {
    defer { notes = [] }
    return notes
  }

  private func find(_ job: PassSettings, callsBefore: Int?) throws -> [EmbeddingIdentity] {
    var used: [EmbeddingIdentity] = []
    for text in PromptTexts.runs(of: job, callsBefore: callsBefore) {
      for identity in try self.used(in: text) where !used.contains(identity) { used.append(identity) }
    }
    return used
  }

  private func used(in text: String) throws -> [EmbeddingIdentity] {
    var used: [EmbeddingIdentity] = []
    for cleaning in cleanings {
      let tokens = tokenizer.encode(text, cleaning)
      var index = 0
      while index < tokens.count {
        let found = try match(tokens, at: index)
        if let found, let file = opened[found.number] { used.append(file.identity) }
        index += found?.tokenCount ?? 1
      }
    }
    return used
  }

  /// The vectors of an embedding for one of the text encoders; throws `WeightError`.
  func vectors(_ number: Int, encoder: Int) throws -> [Float] {
    if let vectors = read[number] { return vectors[encoder] }
    let vectors = try open(number).file.vectors()
    read[number] = vectors
    return vectors[encoder]
  }

  private func open(_ number: Int) throws -> Opened {
    if let file = opened[number] { return file }
    let file: EmbeddingFile
    let identity: EmbeddingIdentity
    switch entries[number] {
    case .file(let name, let path):
      file = try EmbeddingFile(path: path)
      identity = EmbeddingIdentity(name: name, path: path, sha256: try digests.sha256(ofFileAt: path))
    case .bundled(let bundled):
      (file, identity) = (bundled.file, bundled.identity)
    }
    let isUsable = file.widths == widths
    if !isUsable {
      let (found, expected) = (Self.text(file.widths), Self.text(widths))
      let subject = identity.bundle == nil ? "the embedding" : "its embedding \(identity.name)"
      notes.append(
        "\(identity.path): \(subject) has vectors of \(found) numbers, the model expects \(expected); its name stays "
          + "a normal word in the prompts")
    }
    let entry = Opened(file: file, identity: identity, isUsable: isUsable)
    opened[number] = entry
    return entry
  }

  private static func text(_ widths: [Int]) -> String { widths.map(String.init).joined(separator: " and ") }
}

extension PromptAttention.Run {
  /// The runs of a text with their weights. If emphasis is off, a single run, because brackets are then text.
  ///
  /// Throws `PromptError` for a weight that cannot be parsed.
  static func runs(_ text: String, _ emphasis: EmphasisChoice) throws(PromptError) -> [PromptAttention.Run] {
    emphasis == .none ? [PromptAttention.Run(text: text, weight: 1)] : try PromptAttention(text).runs
  }
}
