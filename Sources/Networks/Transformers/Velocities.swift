import Tensors

extension Compute {
  /// The velocities of a batch, computed one image after the other, because the texts of the images differ in length.
  ///
  /// - Parameters:
  ///   - latents: `[batch, height, width, channels]` in fp32. A single latent is used for all contexts.
  ///   - contexts: One for each image.
  ///   - velocity: Computes the velocity for one latent, `[1, height, width, channels]`, and one context: the same number of
  ///     values in fp32.
  /// - Returns: `[contexts, height, width, channels]` in fp32.
  /// - Throws: The errors of `velocity`.
  func velocities<Context>(
    _ latents: Tensor, _ contexts: [Context], velocity: (Tensor, Context) throws -> Tensor
  ) rethrows -> Tensor {
    let y = tensor(
      batch: contexts.count, height: latents.height, width: latents.width, channels: latents.channels,
      elementType: .fp32)
    for (index, context) in contexts.enumerated() {
      let one = try velocity(image(latents.batch == 1 ? 0 : index, of: latents), context)
      y.pixel(index, 0, 0).update(from: one.base, count: one.count)
    }
    return y
  }
}
