import Tensors

/// The order of the numbers in a square of 2x2 pixels.
enum PatchOrder {
  /// By row, column and channel.
  case rowFirst
  /// By channel, row and column.
  case channelFirst
}

extension Compute {
  /// Splits a latent into squares of 2x2 pixels.
  ///
  /// - Parameters:
  ///   - latent: `[1, height, width, channels]` in fp32 with even sides.
  ///   - order: The order of a square's numbers.
  /// - Returns: `[1, 1, height / 2 * width / 2, 4 * channels]` in fp32.
  func patches(_ latent: Tensor, order: PatchOrder) -> Tensor {
    let (height, width, channels) = (latent.height / 2, latent.width / 2, latent.channels)
    let y = tensor(batch: 1, height: 1, width: height * width, channels: 4 * channels, elementType: .fp32)
    for row in 0..<height {
      for column in 0..<width {
        let patch = y.base + (row * width + column) * 4 * channels
        for line in 0..<2 {
          // Both pixels of a row are next to each other.
          let source = latent.pixel(0, 2 * row + line, 2 * column)
          switch order {
          case .rowFirst: (patch + line * 2 * channels).update(from: source, count: 2 * channels)
          case .channelFirst:
            for c in 0..<channels {
              patch[4 * c + 2 * line] = source[c]
              patch[4 * c + 2 * line + 1] = source[channels + c]
            }
          }
        }
      }
    }
    return y
  }

  /// Joins squares of 2x2 pixels again, the inverse of `patches(_:)`, and multiplies all numbers by a factor.
  ///
  /// - Parameters:
  ///   - patches: `[1, 1, tokens, 4 * channels]` in fp32; additional tokens are ignored.
  ///   - height: The height of the latent, even.
  ///   - width: The width of the latent, even.
  ///   - order: The order of a square's numbers.
  ///   - factor: The factor of all numbers.
  /// - Returns: `[1, height, width, channels]` in fp32.
  func unpatched(_ patches: Tensor, height: Int, width: Int, order: PatchOrder, factor: Float) -> Tensor {
    let channels = patches.channels / 4
    let y = tensor(batch: 1, height: height, width: width, channels: channels, elementType: .fp32)
    for row in 0..<height {
      for column in 0..<width {
        let token = row / 2 * (width / 2) + column / 2
        let (source, place) = (patches.base + token * 4 * channels, row % 2 * 2 + column % 2)
        let target = y.pixel(0, row, column)
        switch order {
        case .rowFirst: for c in 0..<channels { target[c] = factor * source[place * channels + c] }
        case .channelFirst: for c in 0..<channels { target[c] = factor * source[4 * c + place] }
        }
      }
    }
    return y
  }
}
