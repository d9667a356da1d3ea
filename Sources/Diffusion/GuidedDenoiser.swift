import Models
import Sampling
import Tensors

/// The UNet as samplers see it: noise in, image out, under classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598).
struct GuidedDenoiser {
  let unet: UNet
  let training: TrainingSchedule
  let prediction: Prediction
  let conditioning: Conditioning
  let compute: Compute

  /// The denoised latent at `sigma`; `call` counts the calls of the model for this image from 0.
  func denoise(_ x: Latent, sigma: Float, call: Int) -> Latent {
    let timestep = training.timestep(forSigma: sigma)
    let contexts = conditioning.contexts(atCall: call)
    let input = compute.tensor(Prediction.networkInput(x, sigma: sigma), copies: contexts.count)
    let output = unet.forward(input, timestep: timestep, contexts: contexts)
    return conditioning.combine(
      contexts.indices.map { prediction.denoised(x, output: Latent(output, image: $0), sigma: sigma) })
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
