import Networks
import Settings
import Tensors
import Tokenization
import Weights

/// A Qwen3 with its tokenizer.
struct QwenParts: TextParts {
  let archive: TextEncoderArchive
  let tokenizer: QwenTokenizer
  let reading: QwenReading

  /// Finds the parts; nil if one is missing.
  init?(_ search: PartSearch, width: Int, reading: (TextEncoderArchive) -> QwenReading) throws {
    let need = TextEncoderNeed.qwen3(width: width)
    let archive = try search.encoder(need)
    guard let tokenizer = try search.qwenTokenizer(need, archive), let archive else { return nil }
    self.archive = archive
    self.tokenizer = tokenizer
    self.reading = reading(archive)
  }

  var archives: [TextEncoderArchive] { [archive] }
  var vocabulary: [UInt8] { tokenizer.canonicalBytes }
  /// For a prompt and a negative prompt of typical length.
  var memoryBytes: Int { archive.memoryBytes(tokens: 1024, .fp32) }

  func chunkCount(of text: String, _ emphasis: EmphasisChoice) -> Int { 1 }

  func audits() -> [WeightAudit] { [archive.audit(layers: reading.layers.last)] }

  func check() throws {
    guard tokenizer.count <= archive.vocabularySize else {
      throw EngineError.vocabularyTooLarge(
        path: tokenizer.path, count: tokenizer.count, known: archive.vocabularySize)
    }
    guard let last = reading.layers.last, last <= archive.layerCount else {
      throw WeightError.configuration(
        path: archive.path, key: "layers of the text encoder", found: "\(archive.layerCount)",
        expected: "at least \(reading.layers.last ?? 0)")
    }
  }

  /// The prompts of a model with only a Qwen3.
  func prompts<Network: DenoisingNetwork>(
    _ compute: Compute, for network: Network.Type, context: @escaping (Tensor, Network) -> Network.Context
  ) -> QwenPrompts<Network> {
    guard let encoder = archive.qwen3(compute) else { preconditionFailure("the archive holds a Qwen3") }
    return QwenPrompts(
      tokenizer: tokenizer, encoder: encoder, requireUnchanged: archive.requireUnchanged, reading: reading,
      compute: compute
    ) { context($0.states, $1) }
  }
}
