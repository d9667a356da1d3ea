import Jobs
import Models
import Sampling
import Tensors

/// The UNet as samplers see it: noise in, image or noise out, under classifier-free guidance (Ho & Salimans 2022,
/// arXiv:2207.12598).
struct GuidedDenoiser: GuidedModel {
  let unet: UNet
  let training: TrainingSchedule
  let prediction: Prediction
  /// What the image shows.
  let context: UNetContext
  /// What guidance steers away from; nothing where it would have no weight.
  let negativeContext: UNetContext?
  let cfgScale: Float
  /// Which calls leave out what guidance steers away from.
  let skips: GuidanceSkips
  let compute: Compute

  func denoised(_ x: Latent, sigma: Float, timestep: Float?, call: Int) -> Latent {
    let (conditional, unconditional) = outputs(
      Prediction.networkInput(x, sigma: sigma), timestep: timestep ?? training.timestep(forSigma: sigma),
      isSkipped: skips.skips(call: call, level: sigma))
    let denoised = prediction.denoised(x, output: conditional, sigma: sigma)
    guard let unconditional else { return denoised }
    return Guidance.combine(
      conditional: denoised, unconditional: prediction.denoised(x, output: unconditional, sigma: sigma),
      cfgScale: cfgScale)
  }

  func noise(_ x: Latent, timestep: Float, call: Int) -> GuidedNoise {
    let (conditional, unconditional) = outputs(
      x, timestep: timestep, isSkipped: skips.skips(call: call, level: timestep))
    let alpha = training.alphaCumprod(atTimestep: timestep)
    let noise = prediction.noise(x, output: conditional, alphaCumprod: alpha)
    guard let unconditional else { return GuidedNoise(guided: noise, unconditional: noise) }
    let other = prediction.noise(x, output: unconditional, alphaCumprod: alpha)
    return GuidedNoise(
      guided: Guidance.combine(conditional: noise, unconditional: other, cfgScale: cfgScale), unconditional: other)
  }

  /// What the network says with the prompt and, unless that is left out, with the negative prompt.
  private func outputs(
    _ input: Latent, timestep: Float, isSkipped: Bool
  ) -> (conditional: Latent, unconditional: Latent?) {
    let contexts = [context] + (isSkipped ? [] : negativeContext.map { [$0] } ?? [])
    let output = unet.forward(compute.tensor(input, copies: contexts.count), timestep: timestep, contexts: contexts)
    return (Latent(output, image: 0), contexts.count == 1 ? nil : Latent(output, image: 1))
  }
}

extension Compute {
  /// The same latent several times, channels last: `[copies, height, width, channels]`.
  func tensor(_ latent: Latent, copies: Int) -> Tensor {
    let shape = latent.shape
    let tensor = tensor(batch: copies, height: shape.height, width: shape.width, channels: shape.channels)
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
