import Diffusion
import Foundation
import Imaging
import Infotext
import Networks
import Settings
import Tensors
import Testing
import TestSupport

@Suite struct MemoryPlanTests {
  private func settings(_ width: Int = 64, _ height: Int = 64) -> ImageSettings {
    var settings = ResumedImageTests.settings(.euler)
    (settings.prompt, settings.negativePrompt) = ("a small boat", "a big house")
    (settings.width, settings.height, settings.steps) = (width, height, 2)
    return settings
  }

  @Test func `networks that are released and read again make the same images`() throws {
    let settings = settings()
    let expected = try Engine.forTests().generate(settings) { _ in }
    // Every network is too large to stay loaded.
    let engine = try Engine(
      version: "0.0.0", threads: 2, executable: "/nonexistent/sdbatch", environment: [:], smallNetworkBytes: 0)
    var tight = settings
    tight.memoryLimit = Int64.max >> 10
    var other = tight
    other.prompt = "another boat"
    let otherExpected = try Engine.forTests().generate(other) { _ in }
    // The limit of the tightest plan.
    guard case .memoryLimit(_, let needed, _, _)? = try refusal(engine, tight) else {
      Issue.record("a limit of one byte was accepted")
      return
    }
    for job in [tight, other].map({ limited($0, needed) }) + [settings, limited(tight, needed)] {
      let plan = try engine.memoryPlan(for: job)
      #expect((plan.limit == nil) == (job.memoryLimit == 0))
      if job.memoryLimit > 0 { #expect(plan.peak <= job.memoryLimit) }
      // The model is so small that its convolutions are always direct, so the pixels are the same.
      let image = try engine.generate(job) { _ in }
      #expect(image == (job.prompt == other.prompt ? otherExpected : expected))
    }
  }

  private func limited(_ settings: ImageSettings, _ limit: Int64) -> ImageSettings {
    var settings = settings
    settings.memoryLimit = limit
    return settings
  }

  private func refusal(_ engine: Engine, _ settings: ImageSettings) throws -> EngineError? {
    do {
      _ = try engine.ingredients(for: limited(settings, 1))
      return nil
    } catch let error as EngineError {
      return error
    }
  }

  @Test func `a limit is part of the identity only if it changes the arithmetic`() throws {
    let engine = try Engine.forTests()
    let settings = settings()
    let roomy = try engine.ingredients(for: limited(settings, 1 << 40))
    let plain = try engine.ingredients(for: settings)
    #expect(roomy == plain && roomy.weightPacking == nil)
    #expect(JobID(limited(settings, 1 << 40), roomy) == JobID(settings, roomy))
    guard case .memoryLimit(1, let needed, 64, 64)? = try refusal(engine, settings) else {
      Issue.record("a limit of one byte was accepted")
      return
    }
    #expect(throws: EngineError.self) { try engine.ingredients(for: limited(settings, needed - 1)) }
    // This model has no convolution that is faster with Winograd, so even the tightest limit changes nothing.
    let tight = try engine.ingredients(for: limited(settings, needed))
    #expect(tight == plain)
    var small = settings
    small.weightPacking = .small
    let asked = try engine.ingredients(for: small)
    #expect(asked.weightPacking == "small")
    #expect(JobID(small, asked) != JobID(settings, roomy))
    let text = Infotext(small, asked, version: "1").text
    #expect(text.contains("Weight packing: small"))
    #expect(InfotextSettings(ParsedInfotext(text)).settings.weightPacking == .small)
  }

  @Test func `estimates for full size SD 1_5 are what its weights and activations take`()
    throws
  {
    let unet = UNetConfiguration()
    let vae = VAEConfiguration()
    let (fast, small) = (unet.weightBytes(.bf16, .fast), unet.weightBytes(.bf16, .small))
    // 859.5 million weights in two bytes; Winograd's 3x3 convolutions are 16/9 as large.
    #expect(abs(Double(small) / (859_520_964 * 2) - 1) < 0.01)
    #expect(fast > small * 14 / 10 && fast < small * 16 / 10)
    for packing in WeightPacking.allCases {
      // All but a tenth takes half as many bytes, plus a scale and a sum for each output.
      let share = Double(unet.weightBytes(.int8, packing)) / Double(unet.weightBytes(.bf16, packing))
      #expect(share > 0.5 && share < 0.57, "\(share)")
    }
    #expect(unet.contextBytes(tokens: 77, elementType: .bf16) < 6 << 20)
    let decoding = vae.activationBytes(height: 512, width: 512, elementType: .bf16)
    #expect(decoding > vae.leastMemory(width: 512, height: 512, elementType: .bf16) && decoding < 700 << 20)
  }

  @Test(arguments: Precision.allCases, [(16, 16), (24, 9)])
  func `networks work in no more memory than estimated, and not far less`(
    precision: Precision, size: (height: Int, width: Int)
  ) throws {
    let compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 1, precision: precision)
    let archive = try ModelArchive.open(path: RandomModels.demo)
    let configuration = archive.unet.configuration
    let unet = try UNet(archive.unet.weights, configuration: configuration, compute: compute)
    func tensor(_ height: Int, _ width: Int, _ channels: Int) -> Tensor {
      let x = compute.tensor(batch: 1, height: height, width: width, channels: channels, elementType: .fp32)
      x.base.update(repeating: 0.5, count: x.count)
      return x
    }
    let contexts = (0..<2).map { _ in unet.prepare(tensor(1, 77, configuration.crossAttentionWidth)) }
    compute.workspace.trim()
    let before = compute.workspace.heldBytes
    _ = unet.forward(tensor(size.height, size.width, configuration.inChannels), timestep: 500, contexts: contexts)
    let sampling = compute.workspace.peakBytes - before
    let estimate = configuration.activationBytes(
      height: size.height, width: size.width, images: 2, elementType: precision.elementType)
    #expect(sampling <= estimate + 4 << 20 && estimate < 3 * sampling + 4 << 20, "\(sampling), estimated \(estimate)")

    let network = try #require(archive.vae)
    let vae = try VAEDecoder(network.weights, configuration: network.configuration, compute: compute.unquantized)
    compute.workspace.trim()
    let start = compute.workspace.heldBytes
    compute.workspace.forgetPeak()
    _ = vae.forward(tensor(size.height, size.width, configuration.inChannels))
    let decoding = compute.workspace.peakBytes - start
    let bound = network.configuration.activationBytes(
      height: 8 * size.height, width: 8 * size.width, elementType: precision.elementType)
    #expect(decoding <= bound + 4 << 20 && bound < 3 * decoding + 4 << 20, "\(decoding), estimated \(bound)")

    let half = try #require(archive.vaeEncoder)
    let encoder = try VAEEncoder(half.weights, configuration: half.configuration, compute: compute.unquantized)
    compute.workspace.trim()
    let earlier = compute.workspace.heldBytes
    compute.workspace.forgetPeak()
    _ = encoder.forward(tensor(8 * size.height, 8 * size.width, 3))
    let encoding = compute.workspace.peakBytes - earlier
    let most = half.configuration.activationBytes(
      height: 8 * size.height, width: 8 * size.width, elementType: precision.elementType)
    #expect(encoding <= most + 4 << 20 && most < 3 * encoding + 4 << 20, "\(encoding), estimated \(most)")
  }
}
