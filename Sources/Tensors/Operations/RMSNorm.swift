import CKernels

/// Norms by the root of the mean square (RMS norm), over rows and over heads: Zhang & Sennrich 2019, "Root Mean Square Layer
/// Normalization", arXiv:1910.07467.
extension Compute {
  /// Divides every pixel's channels by the root of their mean square, and scales each channel.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]` without a border.
  ///   - gamma: The scale of each channel.
  ///   - epsilon: Added to the mean square.
  ///   - residual: Added to the result, of `x`'s shape; nil for none.
  /// - Returns: A tensor of `x`'s shape.
  public func rmsNorm(_ x: Tensor, gamma: [Float], epsilon: Float, residual: Tensor? = nil) -> Tensor {
    precondition(x.border == 0 && gamma.count == x.channels, "there is one scale for each channel")
    precondition(residual.map { $0.count == x.count && $0.elementType == x.elementType } ?? true, "the shapes differ")
    let y = tensor(like: x)
    let size = x.elementType.size
    gamma.withUnsafeBufferPointer { gamma in
      forEachRowBlock(x.pixels) { first, rows in
        let start = first * x.channels * size
        var call = ck_rms_norm()
        call.x = UnsafeRawPointer(x.bytes + start)
        call.x_stride = x.channels
        call.rows = rows
        call.width = x.channels
        call.gamma = gamma.baseAddress
        call.epsilon = epsilon
        call.residual = residual.map { UnsafeRawPointer($0.bytes + start) }
        call.residual_stride = x.channels
        call.y = y.bytes + start
        call.y_stride = x.channels
        switch x.elementType {
        case .fp32: kernels.table.pointee.rms_norm(&call)
        case .bf16: kernels.table.pointee.rms_norm_bf16(&call)
        }
      }
    }
    return y
  }

  /// Copies some heads from the channels of a sequence, normalises each head, and rotates it by its position.
  ///
  /// Queries and keys of several sequences can be copied into one, which attention then reads.
  ///
  /// - Parameters:
  ///   - x: `[1, 1, tokens, channels]`.
  ///   - firstChannel: The first channel of the heads in `x`.
  ///   - gamma: The scale of each number of a head; nil for no norm.
  ///   - epsilon: Added to the mean square.
  ///   - rotation: The table of angles; nil for no rotation.
  ///   - row: The row of the table for the first token.
  ///   - y: `[1, 1, tokens, channels]`, of `x`'s element type; may be `x`.
  ///   - token: The first token of `y` that is written.
  ///   - channel: The first channel of `y` that is written.
  ///   - heads: The number of heads; by default as many as fit into `y`'s channels.
  ///   - headWidth: The number of channels of a head.
  public func takeHeads(
    _ x: Tensor, firstChannel: Int = 0, gamma: [Float]? = nil, epsilon: Float = 0, rotation: RotaryTable? = nil,
    row: Int = 0, into y: Tensor, at token: Int = 0, channel: Int = 0, heads: Int? = nil,
    headWidth: Int
  ) {
    let heads = heads ?? (y.channels - channel) / headWidth
    precondition(x.batch == 1 && y.batch == 1 && x.border == 0 && y.border == 0, "each is one sequence")
    precondition(x.elementType == y.elementType, "the element types differ")
    precondition(
      firstChannel + heads * headWidth <= x.channels && channel + heads * headWidth <= y.channels, "too few channels")
    precondition(token + x.pixels <= y.pixels, "there is no room for the tokens")
    precondition(gamma.map { $0.count == headWidth } ?? true, "there is one scale for each number of a head")
    precondition(
      rotation.map { $0.headWidth == headWidth && row + x.pixels <= $0.count } ?? true, "the table does not fit")
    let size = x.elementType.size
    func take(_ gamma: UnsafePointer<Float>?) {
      forEachRowBlock(x.pixels) { first, rows in
        var call = ck_heads()
        call.x = UnsafeRawPointer(x.bytes + (first * x.channels + firstChannel) * size)
        call.x_stride = x.channels
        call.rows = rows
        call.heads = heads
        call.d = headWidth
        call.gamma = gamma
        call.epsilon = epsilon
        if let rotation {
          call.cosines = UnsafePointer(rotation.cosines + (row + first) * headWidth)
          call.sines = UnsafePointer(rotation.sines + (row + first) * headWidth)
          call.halves = rotation.pairing == .halves ? 1 : 0
        }
        call.y = y.bytes + ((token + first) * y.channels + channel) * size
        call.y_stride = y.channels
        switch x.elementType {
        case .fp32: kernels.table.pointee.heads(&call)
        case .bf16: kernels.table.pointee.heads_bf16(&call)
        }
      }
    }
    if let gamma { gamma.withUnsafeBufferPointer { take($0.baseAddress) } } else { take(nil) }
  }

  /// Copies the tokens of a sequence to another one.
  ///
  /// - Parameters:
  ///   - x: `[1, 1, tokens, channels]`.
  ///   - y: A sequence with the same channels and element type.
  ///   - token: The first token of `y` that is written.
  public func copyTokens(_ x: Tensor, into y: Tensor, at token: Int = 0) {
    precondition(x.channels == y.channels && x.elementType == y.elementType, "the sequences differ")
    precondition(x.border == 0 && y.border == 0 && token + x.pixels <= y.pixels, "there is no room for the tokens")
    let tokenBytes = x.channels * x.elementType.size
    forEachRowBlock(x.pixels) { first, rows in
      (y.bytes + (token + first) * tokenBytes).copyMemory(
        from: x.bytes + first * tokenBytes, byteCount: rows * tokenBytes)
    }
  }

  /// Joins sequences one after the other, `[1, 1, tokens, channels]`. They must have the same channels and element type.
  public func joined(_ parts: [Tensor]) -> Tensor {
    let y = tensor(
      batch: 1, height: 1, width: parts.reduce(0) { $0 + $1.pixels }, channels: parts[0].channels,
      elementType: parts[0].elementType)
    var token = 0
    for part in parts {
      copyTokens(part, into: y, at: token)
      token += part.pixels
    }
    return y
  }
}
