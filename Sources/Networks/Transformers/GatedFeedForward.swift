import Tensors
import Weights

extension Compute {
  /// The number of rows that pass through a wide hidden layer at a time, so that it never exists for all tokens.
  static var tokensInBlock: Int { 1024 }

  /// Applies `body` to blocks of the tokens of a sequence, one after the other.
  func forEachTokenBlock(_ count: Int, _ body: (Range<Int>) -> Void) {
    for first in stride(from: 0, to: count, by: Self.tokensInBlock) {
      body(first..<min(first + Self.tokensInBlock, count))
    }
  }
}

/// SwiGLU: W2 (SiLU(W1 x) · W3 x), with gates and values in one matrix or in two.
final class GatedFeedForward {
  /// How gates and values are stored.
  private enum Hidden {
    /// In one matrix, the gates first.
    case joined(Linear)
    /// In two matrices.
    case split(gate: Linear, value: Linear)
  }

  private let hidden: Hidden
  private let output: Linear

  /// Reads `linear_in` and `linear_out`, as in Flux.2.
  ///
  /// - Parameters:
  ///   - w: The weights of this layer.
  ///   - channels: Channels of a token.
  ///   - width: Channels of the hidden layer.
  ///   - compute: The kernels to pack for.
  /// - Throws: `WeightError`.
  init(joined w: WeightScope, channels: Int, width: Int, compute: Compute) throws {
    hidden = .joined(
      try Linear(w["linear_in"], inputs: channels, outputs: 2 * width, hasBias: false, compute: compute))
    output = try Linear(w["linear_out"], inputs: width, outputs: channels, hasBias: false, compute: compute)
  }

  /// Reads `w1`, `w3` and `w2`, as in Z-Image.
  init(split w: WeightScope, channels: Int, width: Int, compute: Compute) throws {
    hidden = .split(
      gate: try Linear(w["w1"], inputs: channels, outputs: width, hasBias: false, compute: compute),
      value: try Linear(w["w3"], inputs: channels, outputs: width, hasBias: false, compute: compute))
    output = try Linear(w["w2"], inputs: width, outputs: channels, hasBias: false, compute: compute)
  }

  /// Applies the layer to a sequence, `[1, 1, tokens, channels]`.
  func forward(_ x: Tensor, _ compute: Compute) -> Tensor {
    let y = compute.tensor(like: x)
    compute.forEachTokenBlock(x.pixels) { range in
      let gated = gated(LinearInput(x.tokens(range)), compute)
      compute.copyTokens(output.forward(gated, compute), into: y, at: range.lowerBound)
    }
    return y
  }

  private func gated(_ input: LinearInput, _ compute: Compute) -> Tensor {
    switch hidden {
    case .joined(let layer): compute.gated(layer.forward(input, compute), by: .silu)
    case .split(let gate, let value):
      compute.gated(value.forward(input, compute), by: gate.forward(input, compute), .silu)
    }
  }
}
