import Tensors

/// Two layers with a SiLU between them, which embed a noise level, a guidance scale or a text for the modulation.
struct RowEmbedding: Sendable {
  let first: RowLinear
  let second: RowLinear

  /// Embeds vectors. Throws what `RowLinear.forward` throws.
  func forward(_ vectors: [[Float]], _ compute: Compute) throws -> [[Float]] {
    try second.forward(silu(try first.forward(vectors, compute)), compute)
  }
}

/// The layers of a change without a gate: before the last layer, and before keys and values that nothing follows.
struct RowScaleShift: Sendable {
  let scale: RowLinear
  let shift: RowLinear

  /// The change for each vector. Throws what `RowLinear.forward` throws.
  func forward(_ vectors: [[Float]], _ compute: Compute) throws -> [ModulatedChange] {
    zip(try scale.forward(vectors, compute), try shift.forward(vectors, compute)).map { scale, shift in
      ModulatedChange(scale: scale.map { 1 + $0 }, shift: shift)
    }
  }
}
