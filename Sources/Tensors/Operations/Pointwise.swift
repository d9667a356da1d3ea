import CKernels
import Foundation

extension Compute {
  /// x · gelu(gate): the first half of each pixel's channels is x, the second half the gate. GEGLU, arXiv:2002.05202.
  ///
  /// - Parameter x: `[batch, height, width, 2 * channels]` without a border.
  /// - Returns: `[batch, height, width, channels]`.
  public func geglu(_ x: Tensor) -> Tensor {
    let width = x.channels / 2
    let y = tensor(batch: x.batch, height: x.height, width: x.width, channels: width, elementType: x.elementType)
    forEachRowBlock(x.pixels) { first, rows in
      switch x.elementType {
      case .fp32: kernels.table.pointee.geglu(x.base + first * 2 * width, rows, width, y.base + first * width)
      case .bf16: kernels.table.pointee.geglu_bf16(x.base16 + first * 2 * width, rows, width, y.base16 + first * width)
      }
    }
    return y
  }

  /// x · sigmoid(x), in place.
  public func applySiLU(_ x: Tensor) { apply(kernels.table.pointee.silu, kernels.table.pointee.silu_bf16, x) }

  /// x · Φ(x), exact, in place.
  public func applyGELU(_ x: Tensor) { apply(kernels.table.pointee.gelu, kernels.table.pointee.gelu_bf16, x) }

  /// x · sigmoid(1.702 x), in place: the activation of CLIP's first text encoder.
  public func applyQuickGELU(_ x: Tensor) {
    apply(kernels.table.pointee.quick_gelu, kernels.table.pointee.quick_gelu_bf16, x)
  }

  /// x · Φ(x) by its approximation with tanh, in place: 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))).
  public func applyGELUTanh(_ x: Tensor) {
    apply(kernels.table.pointee.gelu_tanh, kernels.table.pointee.gelu_tanh_bf16, x)
  }

  /// max(x, 0), in place.
  public func applyReLU(_ x: Tensor) { applyEach(x) { max($0, 0) } }

  /// limit · tanh(x / limit), in place: it hardly changes small numbers, and keeps large ones below the limit.
  public func applySoftLimit(_ x: Tensor, limit: Float) { applyEach(x) { tanh($0 / limit) * limit } }

  /// factor · x + summand, in place.
  public func scale(_ x: Tensor, by factor: Float, plus summand: Float) { applyEach(x) { factor * $0 + summand } }

  /// Applies a function to each number; the compiler vectorises simple ones.
  @inline(__always)
  private func applyEach(_ x: Tensor, _ function: @Sendable (Float) -> Float) {
    forEachRowBlock(x.pixels) { first, rows in
      let start = x.base + first * x.channels
      for index in 0..<rows * x.channels { start[index] = function(start[index]) }
    }
  }

  private func apply(
    _ fp32: (UnsafePointer<Float>?, Int, UnsafeMutablePointer<Float>?) -> Void,
    _ bf16: (UnsafePointer<UInt16>?, Int, UnsafeMutablePointer<UInt16>?) -> Void, _ x: Tensor
  ) {
    forEachRowBlock(x.pixels) { first, rows in
      let (start, count) = (first * x.channels, rows * x.channels)
      switch x.elementType {
      case .fp32: fp32(x.base + start, count, x.base + start)
      case .bf16: bf16(x.base16 + start, count, x.base16 + start)
      }
    }
  }

  /// a + b.
  ///
  /// - Returns: A tensor of `a`'s shape, without a border.
  public func add(_ a: Tensor, _ b: Tensor) -> Tensor {
    let y = tensor(like: a)
    forEachRowBlock(a.pixels) { first, rows in
      let (start, count) = (first * a.channels, rows * a.channels)
      switch a.elementType {
      case .fp32: kernels.table.pointee.add(a.base + start, b.base + start, count, y.base + start)
      case .bf16: kernels.table.pointee.add_bf16(a.base16 + start, b.base16 + start, count, y.base16 + start)
      }
    }
    return y
  }
}
