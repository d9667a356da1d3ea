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
  let conditioning: Conditioning
  /// Which calls leave out what guidance steers away from.
  let skips: GuidanceSkips
  let compute: Compute

  func denoised(_ x: Latent, sigma: Float, timestep: Float?, call: Int) throws(EngineError) -> Latent {
    let isSkipped = skips.skips(call: call, level: sigma)
    let outputs = try outputs(
      Prediction.networkInput(x, sigma: sigma), timestep: timestep ?? training.timestep(forSigma: sigma), call: call,
      contexts: conditioning.contexts(atCall: call, isSkipped: isSkipped))
    return conditioning.combine(
      outputs.map { prediction.denoised(x, output: $0, sigma: sigma) }, isSkipped: isSkipped)
  }

  func noise(_ x: Latent, timestep: Float, call: Int) throws(EngineError) -> GuidedNoise {
    let isSkipped = skips.skips(call: call, level: timestep)
    let alpha = training.alphaCumprod(atTimestep: timestep)
    let noises = try outputs(
      x, timestep: timestep, call: call, contexts: conditioning.contexts(atCall: call, isSkipped: isSkipped)
    ).map { prediction.noise(x, output: $0, alphaCumprod: alpha) }
    let hasNegative = conditioning.negative != nil && !isSkipped
    return GuidedNoise(
      guided: conditioning.combine(noises, isSkipped: isSkipped),
      unconditional: noises[hasNegative ? noises.count - 1 : 0])
  }

  /// What the network says with each context.
  ///
  /// Throws `EngineError.notFinite` at once: what follows could only be noise, and some samplers would never end.
  private func outputs(
    _ input: Latent, timestep: Float, call: Int, contexts: [UNetContext]
  ) throws(EngineError) -> [Latent] {
    let output = unet.forward(compute.tensor(input, copies: contexts.count), timestep: timestep, contexts: contexts)
    guard UnsafeBufferPointer(start: output.base, count: output.count).allSatisfy(\.isFinite) else {
      throw .notFinite(stage: "network's output in call \(call + 1)")
    }
    return contexts.indices.map { Latent(output, image: $0) }
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
