import Tensors

/// A prompt as the input of the UNet: the keys and values of every cross-attention, one list for each transformer, and a vector
/// that is added to the timestep's embedding.
///
/// They depend on the prompt but not on the step, so they are computed once for each prompt. Those of very long prompts would take
/// gigabytes, and are computed where they are read.
public struct UNetContext: NetworkContext {
  /// The text encoding, `[1, 1, tokens, context width]`; nil if all keys and values are kept.
  private let text: Tensor?
  private let keysValues: [[TransformerContext]]
  /// `[1, 1, 1, time width]`; nil in most families.
  let vector: Tensor?
  /// See ``NetworkContext``.
  public let identity = ContextIdentity()

  /// The most tokens of a prompt whose keys and values are usually kept: 64 chunks.
  public static let keptTokens = 64 * 77

  /// Creates a context.
  ///
  /// - Parameters:
  ///   - text: The text encoding, `[1, 1, tokens, context width]`, in the element type of the transformers.
  ///   - vector: `[1, 1, 1, time width]`; nil in most families.
  ///   - keptTokens: The most tokens whose keys and values are kept.
  ///   - transformers: The transformers in the order in which they run.
  ///   - compute: The machine and the numerics.
  init(_ text: Tensor, vector: Tensor?, keptTokens: Int, for transformers: [SpatialTransformer], _ compute: Compute) {
    let isKept = text.width <= keptTokens
    self.text = isKept ? nil : text
    self.vector = vector
    keysValues = isKept ? transformers.map { $0.prepare(text, compute) } : []
  }

  /// The keys and values of the transformer that runs at this position.
  func keysValues(at position: Int, of transformer: SpatialTransformer, _ compute: Compute) -> [TransformerContext] {
    text.map { transformer.prepare($0, compute) } ?? keysValues[position]
  }
}

/// The results of the UNet's deep layers for one image.
public struct UNetFeatures {
  /// The input of the last block's last two layers: `[1, height, width, channels]`.
  let deep: Tensor
}

/// Hands out the contexts' keys and values in the order in which the transformers run.
struct ContextCursor {
  private let contexts: [UNetContext]
  /// The token merging of the transformers.
  let merging: TokenMerging?
  private var next = 0

  init(_ contexts: [UNetContext], merging: TokenMerging?) {
    self.contexts = contexts
    self.merging = merging
  }

  /// Skips all but the last `count` of so many transformers.
  mutating func skipToLast(_ count: Int, of all: Int) { next = all - count }

  /// The keys and values of the next transformer, which is `transformer`.
  mutating func take(for transformer: SpatialTransformer, _ compute: Compute) -> [[TransformerContext]] {
    defer { next += 1 }
    return contexts.map { $0.keysValues(at: next, of: transformer, compute) }
  }
}
