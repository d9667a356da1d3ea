import Tensors

/// The encoding of a text by the text encoders.
struct TextEncoding {
  /// The tokens of all chunks: `[1, 1, 77 * chunks, width]`.
  let tokens: Tensor
  /// The pooled encoding of the first chunk, `[1, 1, 1, width]`; nil in most families.
  let pooled: Tensor?
}

extension TextEncoding {
  /// Joins the encodings of one text by several encoders, token by token.
  init(joining encodings: [TextEncoding], _ compute: Compute) {
    guard encodings.count > 1 else {
      self = encodings[0]
      return
    }
    let parts = encodings.map(\.tokens)
    let length = parts[0].width
    let tokens = compute.tensor(
      batch: 1, height: 1, width: length, channels: parts.reduce(0) { $0 + $1.channels })
    for position in 0..<length {
      var next = tokens.pixel(0, 0, position)
      for part in parts {
        next.update(from: part.pixel(0, 0, position), count: part.channels)
        next += part.channels
      }
    }
    self.init(tokens: tokens, pooled: encodings.lazy.compactMap(\.pooled).first)
  }

  /// The encoding with its last token repeated up to a length. The webui makes parts of a prompt equally long in this way.
  func lengthened(to length: Int, _ compute: Compute) -> TextEncoding {
    guard tokens.width < length else { return self }
    let longer = compute.tensor(batch: 1, height: 1, width: length, channels: tokens.channels)
    for position in 0..<length {
      let source = tokens.pixel(0, 0, min(position, tokens.width - 1))
      longer.pixel(0, 0, position).update(from: source, count: tokens.channels)
    }
    return TextEncoding(tokens: longer, pooled: pooled)
  }

  /// An encoding of zeros of the same size.
  func zeroed(_ compute: Compute) -> TextEncoding {
    func zeros(like tensor: Tensor) -> Tensor {
      let zeros = compute.tensor(batch: 1, height: 1, width: tensor.width, channels: tensor.channels)
      zeros.base.update(repeating: 0, count: zeros.count)
      return zeros
    }
    return TextEncoding(tokens: zeros(like: tokens), pooled: pooled.map(zeros))
  }
}
