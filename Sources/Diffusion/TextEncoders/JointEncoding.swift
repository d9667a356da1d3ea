import Tensors

/// A prompt for Stable Diffusion 3 or Flux.1.
struct JointEncoding {
  /// The tokens of all encoders, `[1, 1, tokens, width]` in fp32.
  let tokens: Tensor
  /// The pooled encoding of the text.
  let pooled: [Float]

  /// The encoding with its last token repeated up to a length. The webui makes parts of a prompt equally long in this way.
  func lengthened(to length: Int, _ compute: Compute) -> JointEncoding {
    let encoding = TextEncoding(tokens: tokens, pooled: nil).lengthened(to: length, compute)
    return JointEncoding(tokens: encoding.tokens, pooled: pooled)
  }
}

extension Compute {
  /// Rows of zeros in fp32.
  func zeros(_ count: Int, channels: Int) -> Tensor {
    let x = tensor(batch: 1, height: 1, width: count, channels: channels, elementType: .fp32)
    x.base.update(repeating: 0, count: x.count)
    return x
  }

  /// The rows of several tensors in fp32, one below the other, padded with zeros to the same width.
  func stacked(_ parts: [Tensor], channels: Int) -> Tensor {
    let x = zeros(parts.reduce(0) { $0 + $1.width }, channels: channels)
    var position = 0
    for part in parts {
      for row in 0..<part.width {
        x.pixel(0, 0, position).update(from: part.pixel(0, 0, row), count: min(part.channels, channels))
        position += 1
      }
    }
    return x
  }
}
