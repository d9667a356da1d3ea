import CKernels

/// The function that is applied after a normalisation, in the same pass over memory.
public enum Activation: Sendable {
  /// x itself.
  case none
  /// x · sigmoid(x).
  case silu
}

extension Compute {
  /// Normalises over groups of channels and all pixels of an image, scales and shifts each channel, then applies an activation.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]` without a border.
  ///   - groups: A divisor of `channels`.
  ///   - gamma: The scale of each channel.
  ///   - beta: The shift of each channel.
  ///   - epsilon: Added to the variance. UNet blocks use 1e-5, their transformers and the VAE 1e-6.
  ///   - activation: The activation.
  ///   - border: The border of the result: 1 if a 3x3 convolution reads it.
  /// - Returns: A tensor of `x`'s shape.
  ///
  /// Source: Wu & He 2018, "Group Normalization", arXiv:1803.08494.
  public func groupNorm(
    _ x: Tensor, groups: Int, gamma: [Float], beta: [Float], epsilon: Float, activation: Activation, border: Int
  ) -> Tensor {
    let moments = groupMoments(x, groups: groups)
    var scale = [Float](repeating: 0, count: x.batch * x.channels)
    var shift = scale
    let channelsInGroup = x.channels / groups
    for image in 0..<x.batch {
      for c in 0..<x.channels {
        let (mean, variance) = moments[image * groups + c / channelsInGroup]
        let factor = Double(gamma[c]) / (variance + Double(epsilon)).squareRoot()
        scale[image * x.channels + c] = Float(factor)
        shift[image * x.channels + c] = Float(Double(beta[c]) - mean * factor)
      }
    }
    let y = tensor(
      batch: x.batch, height: x.height, width: x.width, channels: x.channels, border: border,
      elementType: x.elementType)
    let activates: Int32 =
      switch activation {
      case .none: 0
      case .silu: 1
      }
    scale.withUnsafeBufferPointer { scale in
      shift.withUnsafeBufferPointer { shift in
        guard let scale = scale.baseAddress, let shift = shift.baseAddress else { return }
        pool.run(x.batch * x.height) { row in
          let (image, line) = (row / x.height, row % x.height)
          let (scale, shift) = (scale + image * x.channels, shift + image * x.channels)
          switch x.elementType {
          case .fp32:
            kernels.table.pointee.scale_shift(
              x.pixel(image, line, 0), x.channels, x.width, x.channels, scale, shift, activates,
              y.pixel(image, line, 0), x.channels)
          case .bf16:
            kernels.table.pointee.scale_shift_bf16(
              x.pixel16(image, line, 0), x.channels, x.width, x.channels, scale, shift, activates,
              y.pixel16(image, line, 0), x.channels)
          }
        }
      }
    }
    return y
  }

  /// The mean and variance of every group of every image.
  ///
  /// Pixels are divided into chunks that stay in the cache for two passes. The chunks are then combined in order, in double
  /// precision (Chan, Golub & LeVeque 1979), so no digits cancel and the result does not depend on the threads.
  private func groupMoments(_ x: Tensor, groups: Int) -> [(mean: Double, variance: Double)] {
    let pixels = x.height * x.width
    let chunkPixels = max(min((64 << 10) / (x.channels * x.elementType.size), pixels), 1)
    let chunks = (pixels + chunkPixels - 1) / chunkPixels
    let partial = tensor(batch: x.batch, height: chunks, width: 2, channels: x.channels, elementType: .fp32)
    pool.run(x.batch * chunks) { part in
      let image = part / chunks
      let first = part % chunks * chunkPixels
      let (start, count) = (x.offset(image, 0, 0) + first * x.channels, min(chunkPixels, pixels - first))
      let (mean, m2) = (partial.pixel(image, part % chunks, 0), partial.pixel(image, part % chunks, 1))
      switch x.elementType {
      case .fp32: kernels.table.pointee.moments(x.base + start, count, x.channels, mean, m2)
      case .bf16: kernels.table.pointee.moments_bf16(x.base16 + start, count, x.channels, mean, m2)
      }
    }
    let channelsInGroup = x.channels / groups
    return (0..<x.batch * groups).map { index in
      let image = index / groups
      let firstChannel = index % groups * channelsInGroup
      var count = 0.0
      var mean = 0.0
      var squares = 0.0
      for chunk in 0..<chunks {
        let size = Double(min(chunkPixels, pixels - chunk * chunkPixels))
        let means = partial.pixel(image, chunk, 0)
        let m2 = partial.pixel(image, chunk, 1)
        for c in firstChannel..<firstChannel + channelsInGroup {
          let delta = Double(means[c]) - mean
          let total = count + size
          mean += delta * size / total
          squares += Double(m2[c]) + delta * delta * count * size / total
          count = total
        }
      }
      return (mean, squares / count)
    }
  }

  /// Normalises every pixel over its channels, then scales and shifts each channel.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]` without a border.
  ///   - gamma: The scale of each channel.
  ///   - beta: The shift of each channel.
  ///   - epsilon: Added to the variance.
  /// - Returns: A tensor of `x`'s shape.
  ///
  /// Source: Ba, Kiros & Hinton 2016, "Layer Normalization", arXiv:1607.06450.
  public func layerNorm(_ x: Tensor, gamma: [Float], beta: [Float], epsilon: Float) -> Tensor {
    let y = tensor(like: x)
    gamma.withUnsafeBufferPointer { gamma in
      beta.withUnsafeBufferPointer { beta in
        forEachRowBlock(x.pixels) { first, rows in
          let start = first * x.channels
          switch x.elementType {
          case .fp32:
            kernels.table.pointee.layer_norm(
              x.base + start, rows, x.channels, gamma.baseAddress, beta.baseAddress, epsilon, y.base + start)
          case .bf16:
            kernels.table.pointee.layer_norm_bf16(
              x.base16 + start, rows, x.channels, gamma.baseAddress, beta.baseAddress, epsilon, y.base16 + start)
          }
        }
      }
    }
    return y
  }

  /// Divides rows into blocks, and calls `body` on all threads with the first row and the number of rows of each block.
  func forEachRowBlock(_ rows: Int, _ body: (Int, Int) -> Void) {
    let blockSize = 32
    pool.run((rows + blockSize - 1) / blockSize) { block in
      body(block * blockSize, min(blockSize, rows - block * blockSize))
    }
  }
}
