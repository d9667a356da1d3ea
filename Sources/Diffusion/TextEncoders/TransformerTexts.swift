import Hashing
import Networks
import Prompts
import Settings
import TensorFiles
import Tensors
import Text
import Tokenization
import Weights

/// The text side of a checkpoint with a transformer: its text encoders and their tokenizers, found and audited. No weight is read.
struct TransformerTexts: Sendable {
  /// What reads the texts, and how wide what it reads is.
  enum Reader: Hashable, Sendable {
    /// Z-Image, with the width of a Qwen3.
    case zImage(width: Int)
    /// FLUX.2 klein, with the width of a Qwen3, a third of what it reads.
    case klein(width: Int)
    /// Stable Diffusion 3, with the width of the context and of the pooled encoding.
    case sd3(width: Int, pooledWidth: Int)
    /// Flux.1, likewise.
    case flux1(width: Int, pooledWidth: Int)
  }

  private enum Encoders: Sendable {
    case qwen(TextEncoderArchive, QwenTokenizer, QwenReading)
    case joint(tokenizer: CLIPTokenizer, clipL: CLIPFile, clipG: CLIPFile?, t5: T5File?)
  }

  /// A CLIP, opened.
  private struct CLIPFile: Sendable {
    let archive: TextEncoderArchive
    let role: ModelFamily.TextEncoder
    let configuration: CLIPConfiguration
    let weights: WeightScope
  }

  /// A T5, opened.
  private struct T5File: Sendable {
    let archive: TextEncoderArchive
    let tokenizer: T5Tokenizer
  }

  /// The encoders' files, in the order of the family.
  let archives: [TextEncoderArchive]
  /// What users should know about how the files were understood.
  let remarks: [String]
  /// The digest of everything that cuts prompts into tokens.
  let vocabularySHA256: String
  private let reader: Reader
  private let encoders: Encoders

  /// Finds and audits what a checkpoint needs.
  ///
  /// - Parameters:
  ///   - reader: What reads the texts.
  ///   - search: Where to look. What is missing is remembered there, so that other parts can be reported along with it.
  ///   - vocabularies: Finds CLIP's vocabulary.
  /// - Returns: Nil if anything is missing, which `search.requireComplete()` then throws.
  /// - Throws: `WeightError`, `TokenizationError` or `EngineError` for files that cannot be used.
  static func find(
    _ reader: Reader, _ search: PartSearch, vocabularies: VocabularyLocator
  ) throws -> TransformerTexts? {
    switch reader {
    case .zImage(let width), .klein(let width): try qwen(reader, width: width, search)
    case .sd3(let width, let pooledWidth):
      try joint(reader, width: width, pooledWidth: pooledWidth, search, vocabularies)
    case .flux1(let width, let pooledWidth):
      try joint(reader, width: width, pooledWidth: pooledWidth, search, vocabularies)
    }
  }

  private init(
    _ reader: Reader, _ encoders: Encoders, archives: [TextEncoderArchive], vocabularies: [[UInt8]],
    remarks: [String] = []
  ) {
    self.reader = reader
    self.encoders = encoders
    self.archives = archives
    self.remarks = remarks
    vocabularySHA256 = Hexadecimal.text(SHA256.hash(vocabularies.joined()))
  }

  private static func qwen(_ reader: Reader, width: Int, _ search: PartSearch) throws -> TransformerTexts? {
    let need = TextEncoderNeed.qwen3(width: width)
    let archive = try search.encoder(need)
    let tokenizer = try search.qwenTokenizer(need, archive)
    guard let archive, let tokenizer else { return nil }
    let reading: QwenReading = if case .klein = reader { .klein } else { .zImage(archive) }
    let last = reading.layers.last ?? 1
    guard archive.layerCount >= last else {
      throw WeightError.configuration(
        path: archive.path, key: "layers of the Qwen3", found: "\(archive.layerCount)", expected: "at least \(last)")
    }
    try archive.audit(layers: last).check()
    try requireRows(tokenizer.path, tokenizer.count, archive)
    return TransformerTexts(
      reader, .qwen(archive, tokenizer, reading), archives: [archive], vocabularies: [tokenizer.canonicalBytes])
  }

  private static func joint(
    _ reader: Reader, width: Int, pooledWidth: Int, _ search: PartSearch, _ vocabularies: VocabularyLocator
  ) throws -> TransformerTexts? {
    let isSD3: Bool = if case .sd3 = reader { true } else { false }
    let clipL = try clip(.clipL, search)
    let clipG = isSD3 ? try clip(.clipG, search) : nil
    // Stable Diffusion 3 runs without T5, and was trained for it.
    let need = TextEncoderNeed.t5(number: isSD3 ? 3 : 2, width: width, isOptional: isSD3)
    let t5Archive = try search.encoder(need)
    let t5Tokenizer = isSD3 && t5Archive == nil ? nil : try search.t5Tokenizer(need, t5Archive)
    guard let clipL, isSD3 == (clipG != nil), isSD3 || t5Archive != nil, (t5Archive == nil) == (t5Tokenizer == nil)
    else { return nil }
    let pooled = [clipL, clipG].compactMap { $0 }.reduce(0) {
      $0 + ($1.configuration.projectionWidth ?? $1.configuration.width)
    }
    guard pooled == pooledWidth else {
      throw WeightError.configuration(
        path: clipL.archive.path, key: "width of the pooled encoding", found: "\(pooled)",
        expected: "\(pooledWidth), which the transformer reads")
    }
    let vocabulary = try vocabularies.find(for: search.model)
    for clip in [clipL, clipG].compactMap({ $0 }) { try requireRows(vocabulary.path, vocabulary.count, clip.archive) }
    var t5: T5File?
    if let t5Archive, let t5Tokenizer {
      try t5Archive.audit().check()
      try requireRows(t5Tokenizer.path, t5Tokenizer.count, t5Archive)
      t5 = T5File(archive: t5Archive, tokenizer: t5Tokenizer)
    }
    let note =
      "\(search.model): no T5-XXL was found, so prompts are encoded by CLIP alone; usual names: "
      + need.fileNames.joined(separator: ", ")
    return TransformerTexts(
      reader, .joint(tokenizer: CLIPTokenizer(vocabulary), clipL: clipL, clipG: clipG, t5: t5),
      archives: [clipL.archive] + [clipG?.archive, t5?.archive].compactMap { $0 },
      vocabularies: [vocabulary.canonicalBytes] + [t5?.tokenizer.canonicalBytes].compactMap { $0 },
      remarks: t5 == nil ? [note] : [])
  }

  private static func clip(_ need: TextEncoderNeed, _ search: PartSearch) throws -> CLIPFile? {
    guard let archive = try search.encoder(need), let shape = archive.clip else { return nil }
    var role = need.folder == "text_encoder" ? ModelFamily.clipL : ModelFamily.clipG
    // A folder of Stable Diffusion 3 has a projection that counts; single files have one that does not.
    let isOwnFolder = archive.path == "\(search.model)/\(need.folder)"
    if need.folder == "text_encoder", isOwnFolder, shape.projectionWidth != nil { role = ModelFamily.projectedCLIPL }
    guard var (configuration, weights) = try archive.clip(role) else { return nil }
    configuration.isPooledPlainly = configuration.projectionWidth == nil
    try weights.store.audit(expecting: configuration.expectedTensors).check()
    return CLIPFile(archive: archive, role: role, configuration: configuration, weights: weights)
  }

  private static func requireRows(_ path: String, _ count: Int, _ archive: TextEncoderArchive) throws(EngineError) {
    guard count <= archive.vocabularySize else {
      throw .vocabularyTooLarge(path: path, count: count, known: archive.vocabularySize)
    }
  }

  // MARK: Prompts

  /// Bytes that the text encoders take while they run: an estimate, a little too high.
  ///
  /// - Parameter elementType: What language models compute in. CLIP runs in fp32.
  /// - Returns: Bytes.
  func memoryBytes(_ elementType: ElementType) -> Int {
    switch encoders {
    case .qwen(let archive, _, _): archive.memoryBytes(tokens: 1024, elementType)
    case .joint(_, let clipL, let clipG, let t5):
      max(
        [clipL, clipG].compactMap { $0 }.map { $0.configuration.parameterCount * 4 }.max() ?? 0,
        t5?.archive.memoryBytes(tokens: 512, elementType) ?? 0)
    }
  }

  /// Throws `TensorFileError.changed` if a file was written to since it was opened.
  func requireUnchanged() throws(TensorFileError) { for archive in archives { try archive.requireUnchanged() } }

  /// How long a prompt's context is, in the unit of its family.
  ///
  /// Throws `PromptError`.
  func chunkCount(of text: String, _ emphasis: EmphasisChoice) throws -> Int {
    guard case .joint(let tokenizer, _, let clipG, let t5) = encoders else { return 1 }
    let runs = try PromptAttention.Run.runs(text, emphasis)
    if clipG != nil { return PromptChunks(runs: runs, tokenizer: tokenizer).chunks.count }
    return max(T5Texts.tokens(runs, t5?.tokenizer).ids.count + 1, 256)
  }

  /// The prompts of a model that a Qwen3 encodes; nil for other families.
  ///
  /// - Parameters:
  ///   - compute: What the arithmetic runs on.
  ///   - makeContext: What the network makes of a prompt.
  /// - Returns: The prompts.
  func qwenPrompts<Network: DenoisingNetwork>(
    _ compute: Compute, makeContext: @escaping (QwenEncoding, Network) -> Network.Context
  ) -> QwenPrompts<Network>? {
    guard case .qwen(let archive, let tokenizer, let reading) = encoders, let encoder = archive.qwen3(compute) else {
      return nil
    }
    return QwenPrompts(
      tokenizer: tokenizer, encoder: encoder, requireUnchanged: archive.requireUnchanged, reading: reading,
      compute: compute, makeContext: makeContext)
  }

  /// The prompts of Stable Diffusion 3; nil for other families.
  ///
  /// - Parameters:
  ///   - compute: What the arithmetic runs on.
  ///   - smallBytes: A CLIP smaller than this stays in memory once it is read.
  ///   - makeContext: What the network makes of a prompt.
  /// - Returns: The prompts.
  func sd3Prompts<Network: DenoisingNetwork>(
    _ compute: Compute, smallBytes: Int, makeContext: @escaping (JointEncoding, Network) -> Network.Context
  ) -> SD3Prompts<Network>? {
    guard case .sd3(let width, _) = reader, case .joint(let tokenizer, let clipL, let clipG?, let t5) = encoders else {
      return nil
    }
    return SD3Prompts(
      tokenizer: tokenizer, clipL: encoder(clipL, tokenizer, compute, smallBytes),
      clipG: encoder(clipG, tokenizer, compute, smallBytes), t5: t5.flatMap { texts($0, compute) }, width: width,
      compute: compute, makeContext: makeContext)
  }

  /// The prompts of Flux.1; nil for other families.
  ///
  /// - Parameters:
  ///   - compute: What the arithmetic runs on.
  ///   - smallBytes: A CLIP smaller than this stays in memory once it is read.
  ///   - makeContext: What the network makes of a prompt.
  /// - Returns: The prompts.
  func fluxPrompts<Network: DenoisingNetwork>(
    _ compute: Compute, smallBytes: Int, makeContext: @escaping (JointEncoding, Network) -> Network.Context
  ) -> FluxPrompts<Network>? {
    guard case .flux1 = reader, case .joint(let tokenizer, let clipL, _, let t5?) = encoders,
      let texts = texts(t5, compute)
    else { return nil }
    return FluxPrompts(
      tokenizer: tokenizer, clipL: encoder(clipL, tokenizer, compute, smallBytes), t5: texts, compute: compute,
      makeContext: makeContext)
  }

  private func texts(_ t5: T5File, _ compute: Compute) -> T5Texts? {
    t5.archive.t5(compute).map {
      T5Texts(tokenizer: t5.tokenizer, encoder: $0, requireUnchanged: t5.archive.requireUnchanged)
    }
  }

  /// CLIP runs in fp32: it is a hundredth of the work.
  private func encoder(
    _ clip: CLIPFile, _ tokenizer: CLIPTokenizer, _ compute: Compute, _ smallBytes: Int
  ) -> TextEncoder {
    let compute = compute.with(.fp32)
    let model = PagedNetwork(
      bytes: clip.configuration.parameterCount * ElementType.fp32.size, smallBytes: smallBytes,
      profiler: compute.profiler, requireUnchanged: clip.archive.requireUnchanged
    ) { try CLIPTextModel(clip.weights, configuration: clip.configuration, compute: compute) }
    return TextEncoder(
      role: clip.role, model: model, configuration: clip.configuration, endID: tokenizer.vocabulary.endID,
      compute: compute)
  }
}
