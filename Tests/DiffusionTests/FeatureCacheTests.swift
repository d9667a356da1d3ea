import Diffusion
import Foundation
import Imaging
import Networks
import Settings
import Tensors
import Testing
import TestSupport

/// The approximation that reuses the output of deep layers.
@Suite struct FeatureCacheTests {
  @Test(arguments: ElementType.allCases, [(8, 8), (7, 10)])
  func `shallow layers with deep features of the same latent give the same output as all layers`(
    type: ElementType, size: (height: Int, width: Int)
  ) throws {
    let compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 2, elementType: type)
    let archive = try ModelArchive.open(path: RandomModels.path("model.safetensors"))
    let configuration = archive.unet.configuration
    let unet = try UNet(archive.unet.weights, configuration: configuration, compute: compute)
    func noise(_ height: Int, _ width: Int, _ channels: Int, _ seed: UInt64) -> Tensor {
      var random = SplitMix64(state: seed)
      let x = compute.tensor(batch: 1, height: height, width: width, channels: channels, elementType: .fp32)
      for index in 0..<x.count { x.base[index] = Float(Int64(bitPattern: random.next()) >> 40) * 0x1p-23 }
      return x
    }
    let contexts = (1...2).map { unet.prepare(noise(1, 77, configuration.crossAttentionWidth, $0)) }
    let latent = noise(size.height, size.width, configuration.inChannels, 3)
    let (whole, features) = unet.forwardKeepingFeatures(latent, timestep: 300, contexts: contexts)
    #expect(unet.forward(latent, timestep: 300, contexts: contexts).values == whole.values)
    #expect(unet.forward(latent, timestep: 300, contexts: contexts, reusing: features).values == whole.values)
    // The output does depend on latent, timestep, context and features.
    let other = unet.forward(latent, timestep: 280, contexts: contexts, reusing: features).values
    let far = unet.forward(latent, timestep: 280, contexts: contexts).values
    #expect(other != whole.values && other != far)
    let reversed = unet.forward(latent, timestep: 300, contexts: contexts, reusing: features.reversed()).values
    #expect(reversed != whole.values)
  }

  @Test func `deep layers are computed in every nth call, shallow ones in all`() throws {
    var settings = ResumedImageTests.settings(.euler)
    settings.prompt = "a small boat"
    settings.sMinUncond = 0
    settings.steps = 7
    settings.featureCache = 3
    let engine = try Engine.forTests()
    engine.profiler.isOn = true
    _ = try engine.generate(settings) { _ in }
    func calls(_ layer: String) -> Int? { engine.profiler.rows.first { $0.layer == layer }?.calls }
    #expect(calls("mid_block.resnets.0.conv1") == 3)
    #expect(calls("conv_in") == 7 && calls("conv_out") == 7)
  }

  @Test(arguments: SamplerID.allCases)
  func `an image differs from the exact one, and is the same when it is resumed`(sampler: SamplerID) throws {
    var settings = ResumedImageTests.settings(sampler)
    settings.steps = 6
    let exact = try Engine.forTests().generate(settings) { _ in }
    settings.featureCache = 2
    let engine = try Engine.forTests()
    var states: [[UInt8]] = []
    let whole = try engine.generate(settings, resuming: nil) { _, state in
      if let state { states.append(try state.encoded()) }
    }
    #expect(whole != exact)
    for state in Set(states) {
      #expect(try engine.generate(settings, resuming: state) { _, _ in } == whole)
    }
    #expect(Set(states).count >= 2)
    #expect(try Engine.forTests(threads: 3).generate(settings) { _ in } == whole)
  }

  @Test func `an image with fewer calls than the interval is the exact one`() throws {
    var settings = ResumedImageTests.settings(.euler)
    settings.steps = 1
    let exact = try Engine.forTests().generate(settings) { _ in }
    settings.featureCache = 100
    #expect(try Engine.forTests().generate(settings) { _ in } == exact)
  }

  @Test func `after the first step of a size no more memory is allocated`() throws {
    for type in ElementType.allCases {
      let compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 2, elementType: type)
      let archive = try ModelArchive.open(path: RandomModels.path("model.safetensors"))
      let configuration = archive.unet.configuration
      let unet = try UNet(archive.unet.weights, configuration: configuration, compute: compute)
      let context = compute.tensor(
        batch: 1, height: 1, width: 77, channels: configuration.crossAttentionWidth, elementType: .fp32)
      context.base.update(repeating: 0.5, count: context.count)
      let contexts = (0..<2).map { _ in unet.prepare(context) }
      let latent = compute.tensor(
        batch: 1, height: 16, width: 16, channels: configuration.inChannels, elementType: .fp32)
      latent.base.update(repeating: 0.5, count: latent.count)
      _ = unet.forward(latent, timestep: 900, contexts: contexts)
      let after = compute.workspace.allocations
      for timestep in [700, 500, 300] as [Float] { _ = unet.forward(latent, timestep: timestep, contexts: contexts) }
      #expect(compute.workspace.allocations == after && after > 0)
    }
  }
}
