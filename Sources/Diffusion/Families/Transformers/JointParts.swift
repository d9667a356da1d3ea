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
  }

  let tokenizer: CLIPTokenizer
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
      clips.append(CLIP(role: role, archive: archive, configuration: configuration, weights: weights))
    }
    let vocabulary = try Self.vocabulary(search, vocabularies)
    let encoder = try search.encoder(need)
    let text = encoder == nil && need.isOptional ? nil : try search.t5Tokenizer(need, encoder)
    guard clips.count == needs.count, let vocabulary, encoder == nil ? need.isOptional : text != nil else { return nil }
    tokenizer = CLIPTokenizer(vocabulary)
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

  var vocabulary: [UInt8] { tokenizer.vocabulary.canonicalBytes + (t5?.tokenizer.canonicalBytes ?? []) }

  /// CLIPs are loaded whole, one after the other; T5 is read layer by layer.
  var memoryBytes: Int {
    let clips = clips.map { $0.configuration.parameterCount * ElementType.fp32.size }
    return (clips + (t5.map { [$0.archive.memoryBytes(tokens: 512, .fp32)] } ?? [])).max() ?? 0
  }

  /// The number of chunks of CLIP's tokens if there are two CLIPs, otherwise the number of T5's tokens.
  func chunkCount(of text: String, _ emphasis: EmphasisChoice) throws -> Int {
    let runs = try PromptAttention.Run.runs(text, emphasis)
    guard clips.count == 1, let t5 else {
      return PromptChunks(runs: runs, tokenizer: tokenizer, cleaning: Self.cleaning).chunks.count
    }
    return max(runs.filter { !$0.isBreak }.reduce(1) { $0 + t5.tokenizer.encode($1.text).count }, 256)
  }

  /// How CLIP's text is cleaned: as by the tokenizers in the models' folders with the transformers library, which repair
  /// nothing. The webui and Forge have ftfy installed, so theirs do. T5 gets the unrepaired text in all programs.
  static let cleaning = TextCleaning.unrepaired

  /// 0 for texts that the first version repaired.
  func textRepair(of text: String) -> Int? { tokenizer.isRepaired(text, by: [.clip]) ? 0 : nil }

  func audits() throws(WeightError) -> [WeightAudit] {
    clips.map { clip in
      clip.weights.store.audit(expecting: clip.configuration.expectedTensors).keeping { finding in
        if case .unread = finding { false } else { true }
      }
    } + (t5.map { [$0.archive.audit()] } ?? [])
  }

  func check() throws {
    for clip in clips { try tokenizer.vocabulary.requireComplete(rows: clip.configuration.vocabularySize) }
    for clip in clips where tokenizer.vocabulary.count > clip.configuration.vocabularySize {
      throw EngineError.vocabularyTooLarge(
        path: tokenizer.vocabulary.path, count: tokenizer.vocabulary.count, known: clip.configuration.vocabularySize)
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
        role: clip.role, model: model, configuration: clip.configuration, endID: tokenizer.vocabulary.endID,
        compute: compute)
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
