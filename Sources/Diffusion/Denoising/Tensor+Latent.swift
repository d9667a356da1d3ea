import Sampling
import Tensors

extension Compute {
  /// Copies of the same latent, channels last: `[copies, height, width, channels]` in fp32.
  func tensor(_ latent: Latent, copies: Int) -> Tensor {
    let shape = latent.shape
    let tensor = tensor(
      batch: copies, height: shape.height, width: shape.width, channels: shape.channels, elementType: .fp32)
    let pixels = shape.height * shape.width
    latent.values.withUnsafeBufferPointer { values in
      for image in 0..<copies {
        let base = tensor.pixel(image, 0, 0)
        for c in 0..<shape.channels {
          for pixel in 0..<pixels { base[pixel * shape.channels + c] = values[c * pixels + pixel] }
        }
      }
    }
    return tensor
  }
}

extension Tensor {
  /// The latents in a network's output.
  ///
  /// Throws `EngineError.notFinite` if a value is NaN or infinite.
  func latents(count: Int, call: Int) throws(EngineError) -> [Latent] {
    guard UnsafeBufferPointer(start: base, count: self.count).allSatisfy(\.isFinite) else {
      throw .notFinite(stage: "network's output in call \(call + 1)")
    }
    return (0..<count).map { Latent(self, image: $0) }
  }
}

extension Latent {
  /// One image of a batch, channels first.
  init(_ tensor: Tensor, image: Int) {
    let pixels = tensor.height * tensor.width
    let base = tensor.pixel(image, 0, 0)
    let values = [Float](unsafeUninitializedCapacity: pixels * tensor.channels) { buffer, count in
      for c in 0..<tensor.channels {
        for pixel in 0..<pixels { buffer[c * pixels + pixel] = base[pixel * tensor.channels + c] }
      }
      count = pixels * tensor.channels
    }
    self.init(
      shape: LatentShape(channels: tensor.channels, height: tensor.height, width: tensor.width), values: values)
  }
}
