import ArgumentParser
import Foundation
import Models
import Tensors

/// Times what an image is made of: a text encoding, a guided UNet step, a VAE decode.
struct ModelBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "model", abstract: "Time the stages of an image with a model's own weights.")

  @Argument(help: "A single-file checkpoint or a diffusers folder.")
  var model: String

  @Option(help: "Width and height in pixels, a multiple of 8.")
  var size = 512

  @OptionGroup var options: BenchOptions

  func run() throws {
    let threads = options.threads ?? ProcessorAllotment().threads
    let compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: threads)
    print("\(compute.kernels.name), \(compute.pool.threadCount) threads, fp32, \(size)x\(size)")

    let archive = try ModelArchive.open(path: model)
    try archive.audit().check()
    var networks: (CLIPTextModel, UNet, VAEDecoder?)?
    let loading = try Stopwatch(repeats: 1) {
      networks = (
        try CLIPTextModel(
          archive.textEncoders[0].weights, configuration: archive.textEncoders[0].configuration, compute: compute),
        try UNet(archive.unet.weights, configuration: archive.unet.configuration, compute: compute),
        try archive.vae.map { try VAEDecoder($0.weights, configuration: $0.configuration, compute: compute) }
      )
    }
    guard let (text, unet, vae) = networks else { return }
    print("load           \(loading.text)   peak \(Stopwatch.peakMemory) MiB")

    let ids = [Int32](repeating: 0, count: archive.textEncoders[0].configuration.positionCount)
    let encoding = Stopwatch(repeats: options.repeats) { _ = text.forward(ids, clipSkip: 1) }
    print("text encoding  \(encoding.text)")

    let context = unet.prepare(text.forward(ids, clipSkip: 1))
    let channels = archive.unet.configuration.inChannels
    let latents = compute.tensor(batch: 2, height: size / 8, width: size / 8, channels: channels)
    for index in 0..<latents.count { latents.base[index] = Float(index % 7) - 3 }
    _ = unet.forward(latents, timestep: 500, contexts: [context, context])
    let step = Stopwatch(repeats: options.repeats) {
      _ = unet.forward(latents, timestep: 500, contexts: [context, context])
    }
    print("guided step    \(step.text)   peak \(Stopwatch.peakMemory) MiB")

    guard let vae else { return }
    compute.workspace.trim()
    let latent = compute.tensor(batch: 1, height: size / 8, width: size / 8, channels: channels)
    for index in 0..<latent.count { latent.base[index] = Float(index % 7) - 3 }
    let decode = Stopwatch(repeats: options.repeats) { _ = vae.forward(latent) }
    print("VAE decode     \(decode.text)   peak \(Stopwatch.peakMemory) MiB")
  }
}
