import Diffusion
import Foundation
import Imaging
import Settings
import Testing
import TestSupport

/// Images of the real engine that are interrupted between any two steps.
@Suite struct ResumedImageTests {
  /// An image whose prompts change during sampling, with everything that draws noise turned on.
  static func settings(_ sampler: SamplerID, rng: NoiseSourceID = .nv) -> ImageSettings {
    var settings = ImageSettings()
    settings.model = ModelReference(
      name: "model.safetensors", path: RandomModels.path("model.safetensors"))
    settings.prompt = "a small [boat:(red bird:1.3):0.5] AND a [fish|dog|cat]:0.6"
    settings.negativePrompt = "a [big:dark:3] house"
    settings.seed = 41
    settings.steps = 5
    settings.cfgScale = 6
    settings.width = 64
    settings.height = 72
    settings.rng = rng
    settings.sampler = sampler
    settings.eta = 0.9
    settings.etaDDIM = 0.4
    settings.sChurn = 2
    settings.sNoise = 1.02
    settings.sMinUncond = 1
    return settings
  }

  @Test(arguments: SamplerID.allCases)
  func `an image that is resumed after any step is the same, to the last byte`(sampler: SamplerID) throws {
    let settings = Self.settings(sampler, rng: sampler.rawValue.count % 2 == 0 ? .nv : .cpu)
    var states: [(step: Int, bytes: [UInt8])] = []
    let engine = try Engine.forTests()
    let whole = try engine.generate(settings, resuming: nil) { progress, state in
      if progress == .decoding { #expect(state?.step == states.last?.step) }
      if let state { states.append((state.step, try state.encoded())) }
    }
    // Every step, and the last one once more before decoding.
    #expect(states.map(\.step) == Array(0..<states.count - 1) + [states.count - 2])
    #expect(states.count > 3)
    let other = try Engine.forTests(threads: 1)
    for (step, bytes) in states {
      var stages: [GenerationProgress] = []
      let image = try other.generate(settings, resuming: bytes) { progress, _ in stages.append(progress) }
      #expect(image == whole, "after step \(step)")
      guard case .sampling(step, let count)? = stages.first(where: { if case .sampling = $0 { true } else { false } })
      else {
        Issue.record("no step after \(step)")
        continue
      }
      // If sampling is finished, prompts are not encoded again.
      #expect(stages.contains(.encoding) == (step < states.count - 2))
      #expect(count >= step)
    }
  }

  @Test func `an image that is resumed again and again is the same`() throws {
    for sampler in [SamplerID.dpmAdaptive, .dpmPP3MSDE, .uniPC, .plms, .restart] {
      let settings = Self.settings(sampler)
      let engine = try Engine.forTests()
      let whole = try engine.generate(settings) { _ in }
      struct Stop: Error {}
      var last: (step: Int, bytes: [UInt8])?
      var image: RGBImage?
      while image == nil {
        do {
          image = try engine.generate(settings, resuming: last?.bytes) { _, state in
            guard let state, state.step > last?.step ?? 0 else { return }
            last = (state.step, try state.encoded())
            throw Stop()
          }
        } catch is Stop {}
      }
      #expect(image == whole, "\(sampler.rawValue)")
    }
  }

  @Test func `a state is raw numbers, no larger than a few latents`() throws {
    for sampler in SamplerID.allCases {
      var settings = Self.settings(sampler)
      settings.steps = 6
      (settings.width, settings.height) = (128, 128)
      var largest = 0
      _ = try Engine.forTests().generate(settings, resuming: nil) { _, state in
        largest = max(largest, try state?.encoded().count ?? 0)
      }
      let latent = 4 * 16 * 16 * 4
      #expect(largest >= latent && largest < 5 * latent + 16384, "\(sampler.rawValue): \(largest)")
    }
  }

  @Test func `a state of another image, or a damaged one, is refused before anything is done`() throws {
    let engine = try Engine.forTests()
    var state: [UInt8] = []
    _ = try engine.generate(Self.settings(.euler), resuming: nil) { _, given in
      if let given, given.step == 2 { state = try given.encoded() }
    }
    var others = [Self.settings(.heun), Self.settings(.euler, rng: .cpu)]
    for _ in 0..<3 { others.append(Self.settings(.euler)) }
    others[2].seed = 42
    others[3].steps = 6
    others[4].width = 128
    for settings in others {
      #expect(throws: UnusableState.self) {
        try engine.generate(settings, resuming: state) { progress, _ in Issue.record("\(progress)") }
      }
    }
    for bytes in [[], [1, 2, 3], Array(state.dropLast(9)), Array("bplist00".utf8)] {
      #expect(throws: UnusableState.self) {
        try engine.generate(Self.settings(.euler), resuming: bytes) { progress, _ in Issue.record("\(progress)") }
      }
    }
  }
}
