import Tensors

/// A prompt as the input of the UNet: the keys and values of every cross-attention, one list for each transformer, and a vector
/// that is added to the timestep's embedding.
///
/// They depend on the prompt but not on the step, so they are computed once for each prompt.
public struct UNetContext: NetworkContext {
  let keysValues: [[TransformerContext]]
  /// `[1, 1, 1, time width]`; nil in most families.
  let vector: Tensor?
  /// See ``NetworkContext``.
  public let identity = ContextIdentity()
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

  /// Skips all but the last `count` transformers.
  mutating func skipToLast(_ count: Int) { next = (contexts.first?.keysValues.count ?? 0) - count }

  mutating func take() -> [[TransformerContext]] {
    defer { next += 1 }
    return contexts.map { $0.keysValues[next] }
  }
}
