import Tensors

/// Which blocks of a transformer run in int8: all except the first of each kind, whose errors pass through all others.
///
/// In small random networks, the first blocks lose as much in int8 as all later ones together, or more. Without quantising
/// them, the images of FLUX.2 klein, Flux.1 and Stable Diffusion 3 are within 1 dB of those in bf16. Rotating activations and
/// weights by Hadamard matrices was tried too: it does not help in networks where no channel is an outlier.
enum QuantizedBlocks {
  /// Whether a tensor belongs to a block that runs in int8.
  ///
  /// - Parameters:
  ///   - tensor: The tensor's name.
  ///   - kinds: The names of the lists of blocks.
  /// - Returns: True if it does.
  static func contain(_ tensor: String, of kinds: String...) -> Bool {
    kinds.contains { tensor.hasPrefix("\($0).") && !tensor.hasPrefix("\($0).0.") }
  }
}

extension Compute {
  /// The compute for the block with this index in its list.
  func forBlock(_ index: Int) -> Compute { index == 0 ? unquantized : self }
}
