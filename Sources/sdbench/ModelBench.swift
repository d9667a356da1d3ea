import ArgumentParser
import Diffusion
import Foundation
import Networks
import Runs
import Settings
import Tensors

/// Times the stages of an image (text encoding, a guided UNet step, VAE decoding) and a whole image, including loading.
struct ModelBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "model", abstract: "Time the stages of an image, and a whole image, with a model's own weights.",
    discussion: """
      "start to first step" is the time from a new engine to the first sampling step: reading, packing and encoding. \
      The model has been hashed before. Peak memory is measured for each line separately and includes mapped files.
      """)

  @Argument(help: "A single-file checkpoint or a diffusers folder.")
  var model: String

  @Option(help: "Width and height in pixels, a multiple of 8.")
  var size = 512

  @Option(help: "Number of images in one evaluation of the UNet.")
  var images = 1

  @Option(help: "Steps of the whole image; 0 to skip it.")
  var steps = 4

  @Option(help: "fp32, bf16 or int8; may be repeated (default: all).")
  var precision: [String] = Precision.allCases.map(\.rawValue)

  @OptionGroup var options: BenchOptions

  func run() throws {
    var report = BenchReport(options)
    for name in precision {
      guard let precision = Precision(rawValue: name), let choice = PrecisionChoice(rawValue: name) else {
        throw ValidationError("--precision is \"\(name)\", expected fp32, bf16 or int8")
      }
      report.begin("\(try Kernels.forThisMachine().name), \(name), \(size)x\(size)")
      try benchNetworks(&report, precision)
      if steps > 0 { try benchImage(&report, choice) }
    }
    report.finish()
  }

  // MARK: Single networks

  private func benchNetworks(_ report: inout BenchReport, _ precision: Precision) throws {
    let compute = Compute(
      kernels: try Kernels.forThisMachine(), threadCount: options.threadCount, precision: precision)
    let archive = try ModelArchive.open(path: model)
    try archive.audit().check()
    PeakMemory.reset()
    var networks: (texts: [CLIPTextModel], unet: UNet, vae: VAEDecoder?)?
    let loading = try Stopwatch(repeats: 1) {
      networks = (
        try archive.textEncoders.map {
          try CLIPTextModel($0.weights, configuration: $0.configuration, compute: compute.with(.fp32))
        },
        try UNet(archive.unet.weights, configuration: archive.unet.configuration, compute: compute),
        try archive.vae.map {
          try VAEDecoder($0.weights, configuration: $0.configuration, compute: compute.unquantized)
        }
      )
    }
    guard let (texts, unet, vae) = networks else { return }
    add(&report, "load", loading)

    let length = archive.textEncoders[0].configuration.positionCount
    let ids = [Int32](repeating: 0, count: length)
    add(
      &report, "text encoding",
      Stopwatch(repeats: options.repeats) { for text in texts { _ = text.forward(ids, clipSkip: 1) } })

    let contexts = (0..<2 * images).map { _ in context(of: archive.unet.configuration, length: length, unet, compute) }
    let latent = latent(archive.unet.configuration.inChannels, compute)
    // For one image, both halves of the guided step have the same input; several images have separate ones.
    let latents = images == 1 ? latent : compute.repeated(latent, contexts.count)
    _ = unet.forward(latents, timestep: 500, contexts: contexts)
    let before = compute.workspace.allocations
    let step = Stopwatch(repeats: options.repeats) { _ = unet.forward(latents, timestep: 500, contexts: contexts) }
    add(
      &report, "guided step", step,
      note: "\(compute.workspace.allocations - before) allocations, works in \(compute.workspace.peakBytes >> 20) MiB")
    compute.workspace.trim()
    compute.workspace.forgetPeak()

    guard let vae else { return }
    let decode = Stopwatch(repeats: options.repeats) { _ = vae.forward(latent) }
    add(&report, "VAE decode", decode, note: "works in \(compute.workspace.peakBytes >> 20) MiB")

    guard let half = archive.vaeEncoder, half.audit().isClean else { return }
    let encoder = try VAEEncoder(half.weights, configuration: half.configuration, compute: compute.unquantized)
    compute.workspace.trim()
    compute.workspace.forgetPeak()
    let image = compute.tensor(batch: 1, height: size, width: size, channels: 3, elementType: .fp32)
    for index in 0..<image.count { image.base[index] = Float(index % 9) / 4 - 1 }
    let encode = Stopwatch(repeats: options.repeats) { _ = encoder.forward(image) }
    add(&report, "VAE encode", encode, note: "works in \(compute.workspace.peakBytes >> 20) MiB")
  }

  /// A context with arbitrary numbers; its content does not affect the time.
  private func context(
    of configuration: UNetConfiguration, length: Int, _ unet: UNet, _ compute: Compute
  ) -> UNetContext {
    let context = compute.tensor(
      batch: 1, height: 1, width: length, channels: configuration.crossAttentionWidth, elementType: .fp32)
    for index in 0..<context.count { context.base[index] = Float(index % 5) / 4 - 0.5 }
    return unet.prepare(context, vector: [Float](repeating: 0.5, count: configuration.vectorWidth ?? 0))
  }

  private func latent(_ channels: Int, _ compute: Compute) -> Tensor {
    let latent = compute.tensor(
      batch: 1, height: size / 8, width: size / 8, channels: channels, elementType: .fp32)
    for index in 0..<latent.count { latent.base[index] = Float(index % 7) - 3 }
    return latent
  }

  // MARK: A whole image

  private func benchImage(_ report: inout BenchReport, _ precision: PrecisionChoice) throws {
    var settings = ImageSettings()
    let path = URL(fileURLWithPath: model).path
    settings.model = ModelReference(name: model, path: path, family: FamilyID(ofModelAt: path))
    settings.prompt = "a lighthouse in a storm, oil painting"
    settings.negativePrompt = "blurry"
    settings.precision = precision
    (settings.width, settings.height, settings.steps, settings.seed) = (size, size, steps, 1)
    // Hash the model before timing anything.
    _ = try engine().ingredients(for: settings)
    var first: [Double] = []
    PeakMemory.reset()
    let whole = try Stopwatch(repeats: options.repeats) {
      let start = ContinuousClock.now
      _ = try engine().generate(settings) { stage in
        if case .sampling(0, _) = stage { first.append(start.duration(to: .now) / .seconds(1)) }
      }
    }
    report.add("start to first step", time: Stopwatch(seconds: first))
    add(&report, "image of \(steps) steps", whole, note: "from the start")
  }

  private func engine() throws -> Engine {
    try Engine(
      version: "0.0.0", threads: options.threadCount, executable: CommandLine.arguments[0],
      environment: ProcessInfo.processInfo.environment)
  }

  private func add(_ report: inout BenchReport, _ name: String, _ time: Stopwatch, note: String? = nil) {
    report.add(name, time: time, peakMemory: PeakMemory.bytes, note: note)
    PeakMemory.reset()
  }
}
