import Foundation
import Networks
import Prompts
import Settings
import Tensors
import Tokenization
import Weights

/// CLIPs and a T5 with their tokenizers.
struct JointParts: TextParts {
  /// A CLIP, and how it is used.
  struct CLIP {
    let role: ModelFamily.TextEncoder
    let archive: TextEncoderArchive
    let configuration: CLIPConfiguration
    let weights: WeightScope
    let tokenizer: CLIPTokenizer
  }

  let clips: [CLIP]
  let t5: (archive: TextEncoderArchive, tokenizer: T5Tokenizer)?

  /// Finds the parts; nil if one is missing.
  ///
  /// - Parameters:
  ///   - search: The search.
  ///   - vocabularies: Finds CLIP's vocabulary.
  ///   - needs: The CLIPs that the family needs.
  ///   - need: The T5 that the family needs.
  /// - Throws: The errors of the search.
  init?(
    _ search: PartSearch, _ vocabularies: VocabularyLocator, clips needs: [TextEncoderNeed], t5 need: TextEncoderNeed
  ) throws {
    let vocabulary = try Self.vocabulary(search, vocabularies)
    var clips: [CLIP] = []
    for need in needs {
      guard let archive = try search.encoder(need) else { continue }
      let isG = need.folder == TextEncoderNeed.clipG.folder
      // A folder of Stable Diffusion 3 has a projection of CLIP-L; in other files it is a leftover.
      let isProjected = !isG && ModelFiles.isFolder(archive.path) && archive.clip?.projectionWidth != nil
      let role =
        isG ? ModelFamily.clipG : isProjected && needs.count > 1 ? ModelFamily.projectedCLIPL : ModelFamily.clipL
      guard let (read, weights) = try archive.clip(role) else { continue }
      var configuration = read
      configuration.isPooledPlainly = configuration.projectionWidth == nil
      guard let vocabulary else { continue }
      // Each CLIP of a folder has a tokenizer of its own; those of published models are equal.
      let folder = "\(search.model)/\(need.tokenizerFolder)"
      let own = ModelFiles.isFolder(search.model) ? try vocabularies.read(in: folder) : nil
      let found = own ?? vocabulary
      let rows = configuration.vocabularySize
      let known = clips.last.flatMap { clip in
        clip.configuration.vocabularySize == rows && clip.tokenizer.vocabulary.isSame(as: found) ? clip.tokenizer : nil
      }
      clips.append(
        CLIP(
          role: role, archive: archive, configuration: configuration, weights: weights,
          tokenizer: known ?? CLIPTokenizer(found, rows: rows)))
    }
    let encoder = try search.encoder(need)
    let text = encoder == nil && need.isOptional ? nil : try search.t5Tokenizer(need, encoder)
    guard clips.count == needs.count, encoder == nil ? need.isOptional : text != nil else { return nil }
    self.clips = clips
    if let encoder, let text { t5 = (encoder, text) } else { t5 = nil }
  }

  /// CLIP's vocabulary; nil if there is none, which is recorded.
  private static func vocabulary(_ search: PartSearch, _ vocabularies: VocabularyLocator) throws -> Vocabulary? {
    do {
      return try vocabularies.find(for: search.model)
    } catch {
      guard case .vocabularyNotFound = error else { throw error }
      search.addMissing(
        MissingParts.Part(
          title: "the vocabulary of CLIP", fileNames: ["merges.txt", "bpe_simple_vocab_16e6.txt.gz"],
          folders: search.folders))
      return nil
    }
  }

  var archives: [TextEncoderArchive] { clips.map(\.archive) + (t5.map { [$0.archive] } ?? []) }

  /// The vocabularies of the CLIPs, each once.
  var vocabulary: [UInt8] {
    var vocabularies: [[UInt8]] = []
    for clip in clips {
      let bytes = clip.tokenizer.vocabulary.canonicalBytes
      if !vocabularies.contains(bytes) { vocabularies.append(bytes) }
    }
    return vocabularies.joined() + (t5?.tokenizer.canonicalBytes ?? [])
  }

  var addsTokens: Bool { clips.contains { $0.tokenizer.addsTokens } }

  var remarks: [String] {
    var remarks: [String] = []
    for remark in clips.flatMap(\.tokenizer.remarks) where !remarks.contains(remark) { remarks.append(remark) }
    return remarks
  }

  /// The tokens of the first CLIP, and of others if they are other ones.
  func addedTokenBytes(in texts: [String]) -> [UInt8] {
    var all: [[UInt8]] = []
    for clip in clips {
      let bytes = texts.flatMap { clip.tokenizer.addedTokenBytes(in: $0, by: [Self.cleaning]) }
      if bytes != all.last { all.append(bytes) }
    }
    return all.count == 1 ? all[0] : Array(all.joined(separator: Array("next\n".utf8)))
  }

  /// CLIPs are loaded whole, one after the other; T5 is read layer by layer.
  var memoryBytes: Int {
    let clips = clips.map { $0.configuration.parameterCount * ElementType.fp32.size }
    return (clips + (t5.map { [$0.archive.memoryBytes(tokens: 512, .fp32)] } ?? [])).max() ?? 0
  }

  /// The number of chunks of CLIP's tokens if there are two CLIPs, otherwise the number of T5's tokens.
  func chunkCount(of text: String, _ emphasis: EmphasisChoice) throws -> Int {
    let runs = try PromptAttention.Run.runs(text, emphasis)
    guard clips.count == 1, let t5 else {
      return clips.map {
        PromptChunks(runs: runs, tokenizer: $0.tokenizer, cleaning: Self.cleaning).chunks.count
      }.max() ?? 1
    }
    return max(runs.filter { !$0.isBreak }.reduce(1) { $0 + t5.tokenizer.encode($1.text).count }, 256)
  }

  /// How CLIP's text is cleaned: as by the tokenizers in the models' folders with the transformers library, which repair
  /// nothing. The webui and Forge have ftfy installed, so theirs do. T5 gets the unrepaired text in all programs.
  static let cleaning = TextCleaning.unrepaired

  /// 0 for texts that were repaired at first.
  func textRepair(of text: String) -> Int? {
    clips.contains { $0.tokenizer.isRepaired(text, by: [.clip]) } ? 0 : nil
  }

  func audits() throws(WeightError) -> [WeightAudit] {
    clips.map { clip in
      clip.weights.store.audit(expecting: clip.configuration.expectedTensors).keeping { finding in
        if case .unread = finding { false } else { true }
      }
    } + (t5.map { [$0.archive.audit()] } ?? [])
  }

  func check() throws {
    for clip in clips {
      let (vocabulary, known) = (clip.tokenizer.vocabulary, clip.configuration.vocabularySize)
      try vocabulary.requireComplete(rows: known)
      if vocabulary.count > known {
        throw EngineError.vocabularyTooLarge(path: vocabulary.path, count: vocabulary.count, known: known)
      }
    }
    if let t5, t5.tokenizer.count > t5.archive.vocabularySize {
      throw EngineError.vocabularyTooLarge(
        path: t5.tokenizer.path, count: t5.tokenizer.count, known: t5.archive.vocabularySize)
    }
  }

  /// The encoders; each is read when it is needed.
  func encoders(_ compute: Compute, smallBytes: Int) -> [TextEncoder] {
    let compute = compute.with(.fp32)
    return clips.map { clip in
      let model = PagedNetwork(
        bytes: clip.configuration.parameterCount * ElementType.fp32.size, smallBytes: smallBytes,
        profiler: compute.profiler, requireUnchanged: clip.archive.requireUnchanged
      ) { try CLIPTextModel(clip.weights, configuration: clip.configuration, compute: compute) }
      return TextEncoder(
        role: clip.role, model: model, configuration: clip.configuration, tokenizer: clip.tokenizer, compute: compute)
    }
  }

  /// The T5 with its tokenizer; nil if there is none.
  func t5Texts(_ compute: Compute) -> T5Texts? {
    t5.flatMap { archive, tokenizer in
      archive.t5(compute).map {
        T5Texts(tokenizer: tokenizer, encoder: $0, requireUnchanged: archive.requireUnchanged)
      }
    }
  }
}
