import CKernels

/// The activation function of a gate.
public enum GateActivation: Sendable {
  /// x · sigmoid(x): SwiGLU.
  case silu
  /// GELU by its approximation with tanh, as in T5.
  case geluTanh

  fileprivate var kernelActivation: ck_activation {
    switch self {
    case .silu: CK_SILU
    case .geluTanh: CK_GELU_TANH
    }
  }
}

/// Some consecutive channels of a tensor.
public struct GateOperand {
  let tensor: Tensor
  let firstChannel: Int

  /// Creates an operand from the channels of a tensor, starting at one of them.
  public init(_ tensor: Tensor, firstChannel: Int = 0) {
    self.tensor = tensor
    self.firstChannel = firstChannel
  }

  fileprivate func start(_ pixel: Int) -> UnsafeMutableRawPointer {
    tensor.bytes + (pixel * tensor.channels + firstChannel) * tensor.elementType.size
  }
}

/// Gates: Shazeer 2020, "GLU Variants Improve Transformer", arXiv:2002.05202.
extension Compute {
  /// f(gate) · x, where the gate is the first half of each pixel's channels and x the second.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, 2 * channels]` without a border.
  ///   - activation: f.
  /// - Returns: `[batch, height, width, channels]`.
  public func gated(_ x: Tensor, by activation: GateActivation) -> Tensor {
    let width = x.channels / 2
    let y = tensor(batch: x.batch, height: x.height, width: x.width, channels: width, elementType: x.elementType)
    gate(GateOperand(x), x: GateOperand(x, firstChannel: width), activation, into: GateOperand(y), width: width)
    return y
  }

  /// f(gate) · x, for two tensors of one shape.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]` without a border.
  ///   - gate: A tensor of `x`'s shape and element type.
  ///   - activation: f.
  /// - Returns: A tensor of `x`'s shape.
  public func gated(_ x: Tensor, by gate: Tensor, _ activation: GateActivation) -> Tensor {
    let y = tensor(like: x)
    self.gate(GateOperand(gate), x: GateOperand(x), activation, into: GateOperand(y), width: x.channels)
    return y
  }

  /// f(gate) · x for some channels of three tensors with the same pixels.
  ///
  /// - Parameters:
  ///   - gate: The channels with the gates.
  ///   - x: The channels with the numbers to gate.
  ///   - activation: f.
  ///   - y: The channels for the result.
  ///   - width: The number of channels of each.
  public func gate(
    _ gate: GateOperand, x: GateOperand, _ activation: GateActivation, into y: GateOperand, width: Int
  ) {
    for operand in [gate, x, y] {
      precondition(operand.tensor.border == 0 && operand.tensor.pixels == y.tensor.pixels, "the shapes differ")
      precondition(operand.tensor.elementType == y.tensor.elementType, "the element types differ")
      precondition(operand.firstChannel + width <= operand.tensor.channels, "too few channels")
    }
    forEachRowBlock(y.tensor.pixels) { first, rows in
      var call = ck_gate()
      call.gate = UnsafeRawPointer(gate.start(first))
      call.gate_stride = gate.tensor.channels
      call.x = UnsafeRawPointer(x.start(first))
      call.x_stride = x.tensor.channels
      call.rows = rows
      call.width = width
      call.activation = activation.kernelActivation
      call.y = y.start(first)
      call.y_stride = y.tensor.channels
      switch y.tensor.elementType {
      case .fp32: kernels.table.pointee.gate(&call)
      case .bf16: kernels.table.pointee.gate_bf16(&call)
      }
    }
  }

  /// residual + x · scale, with a scale for each channel: a block's gate scales the block's change.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]` without a border.
  ///   - scale: One number for each channel.
  ///   - residual: A tensor of `x`'s shape and element type.
  /// - Returns: A tensor of `x`'s shape.
  public func addScaled(_ x: Tensor, by scale: [Float], to residual: Tensor) -> Tensor {
    precondition(x.border == 0 && scale.count == x.channels, "there is one scale for each channel")
    precondition(x.count == residual.count && x.elementType == residual.elementType, "the shapes differ")
    let y = tensor(like: x)
    scale.withUnsafeBufferPointer { scale in
      forEachRowBlock(x.pixels) { first, rows in
        let start = first * x.channels
        switch x.elementType {
        case .fp32:
          kernels.table.pointee.add_scaled(
            residual.base + start, x.base + start, rows, x.channels, scale.baseAddress, y.base + start)
        case .bf16:
          kernels.table.pointee.add_scaled_bf16(
            residual.base16 + start, x.base16 + start, rows, x.channels, scale.baseAddress, y.base16 + start)
        }
      }
    }
    return y
  }
}
