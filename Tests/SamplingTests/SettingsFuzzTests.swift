import Settings
import SettingsTestSupport
import Testing
import TestSupport

@testable import Sampling

/// Sampling with random settings in their documented ranges: no settings may end the process or make it run forever.
@Suite struct SettingsFuzzTests {
  /// Random settings with few steps, of a small image.
  private static func next(_ random: inout RandomSettings, _ picks: inout SplitMix64) -> ImageSettings {
    var settings = random.next(SamplerID.allCases.randomElement(using: &picks) ?? .euler, part: 0.04...0.5)
    settings.steps = [1, 2, 3, 4, 19, 20, 36, 37].randomElement(using: &picks) ?? 1
    if let hires = settings.hires {
      settings.hires?.steps = min(hires.steps, 30)
      // A tiny strength takes the last part of a schedule of up to a million steps, which is correct but slow.
      if hires.denoisingStrength < 0.02 { settings.hires?.denoisingStrength = 0.02 }
    }
    (settings.width, settings.height) = (16, 24)
    return settings
  }

  /// The fake network with the training values that a denoiser asks for in each call.
  private static func model(_ training: TrainingSchedule, _ sampler: SamplerID) -> ToyModel<Never> {
    ToyModel(
      denoise: { x, sigma, timestep in
        _ = training.alphaCumprod(atTimestep: timestep ?? training.timestep(forSigma: sigma))
        _ = training.completedPart(atSigma: sigma, of: sampler)
        return toyDenoised(x, sigma)
      },
      predict: { x, timestep in
        _ = training.alphaCumprod(atTimestep: timestep)
        _ = training.completedPart(atTimestep: timestep)
        return toyNoise(x, timestep)
      })
  }

  @Test(arguments: [UInt64(1), 2, 3, 4])
  func `no settings within their ranges trap, and no loop goes on for ever`(seed: UInt64) throws {
    var (random, picks) = (RandomSettings(seed: seed), SplitMix64(state: seed))
    var (finite, refused) = (0, 0)
    for _ in 0..<700 {
      let image = Self.next(&random, &picks)
      let passes: [(PassSettings?, Double?)] = [
        (image.firstPass, nil), (image.secondPass, image.hires?.denoisingStrength),
      ]
      for (pass, strength) in passes {
        guard let pass else { continue }
        let training = TrainingSchedule(pass)
        var settings = SamplingSettings(pass)
        settings.shape = LatentShape(channels: 4, height: 3, width: 2)
        settings.denoisingStrength = strength
        settings.extraNoise = image.hires?.extraNoise
        guard SamplingLoop.hasFiniteLevels(settings, training: training) else {
          refused += 1
          // A loop with these settings is never run, but estimates ask for its steps.
          _ = SamplingLoop.stepCount(settings, training: training)
          continue
        }
        finite += 1
        let latent = Latent(shape: settings.shape, repeating: 0.5)
        var loop =
          strength == nil
          ? SamplingLoop(settings: settings, training: training)
          : SamplingLoop(over: latent, settings: settings, training: training, earlierSteps: 0)
        var steps = 0
        while !loop.isFinished, steps < 40 {
          loop.step(model: Self.model(training, pass.sampler))
          steps += 1
        }
        // Samplers with a fixed number of steps know it; the adaptive one may need more steps than this test allows.
        #expect(loop.isFinished || pass.sampler == .dpmAdaptive || loop.stepCount > 40, "\(settings)")
      }
    }
    // About one pass of 70 is refused, mostly for a zero terminal SNR in half precision; each new setting changes all draws.
    #expect(finite > 500 && refused > 0, "\(finite) finite, \(refused) refused")
  }

  @Test(arguments: [SamplerID.dpmPPSDE, .dpmPP2MSDE, .dpmPP2MSDEHeun, .dpmPP3MSDE])
  func `the noise of a range that is upside down is that of the range in order`(sampler: SamplerID) {
    func sigmas(_ low: Double, _ high: Double) -> [Float] {
      SigmaSchedule.sigmas(
        .karras, for: sampler, steps: 6, options: ScheduleOptions(sigmaMin: low, sigmaMax: high),
        training: TrainingSchedule())
    }
    let (upward, downward) = (sigmas(20, 14.6), sigmas(14.6, 20))
    // As in the webui: the smallest and the largest of the sigmas above 0.
    #expect(NoiseRange(upward)?.low == upward.filter { $0 > 0 }.min())
    #expect(NoiseRange(upward)?.high == upward.max())
    #expect(NoiseRange(upward) == NoiseRange(upward.reversed()))
    #expect(NoiseRange(downward)?.high == downward[0])
  }

  @Test func `a schedule whose sigmas are NaN or infinite is recognised, and only that`() {
    func isFinite(
      _ sampler: SamplerID, _ schedule: ScheduleID = .automatic, downcast: Bool = true,
      options: ScheduleOptions = ScheduleOptions()
    ) -> Bool {
      SamplingLoop.hasFiniteLevels(
        SamplingSettings(
          sampler: sampler, schedule: schedule, steps: 5, scheduleOptions: options, seed: 1, rng: .cpu,
          shape: LatentShape(channels: 4, height: 2, width: 2)),
        training: TrainingSchedule(noise: .zeroTerminalSNR, isDowncast: downcast))
    }
    // In half precision, the last timestep has no signal left: its sigma is infinite.
    #expect(TrainingSchedule(noise: .zeroTerminalSNR, isDowncast: true).sigmaMax == .infinity)
    for sampler in SamplerID.allCases {
      // LCM begins at the nearest of its own levels that has a sigma.
      #expect(isFinite(sampler) == (sampler.usesTimesteps || sampler == .lcm), "\(sampler.rawValue)")
      #expect(isFinite(sampler, downcast: false), "\(sampler.rawValue)")
    }
    #expect(!isFinite(.euler, .karras, downcast: false, options: ScheduleOptions(rho: 0.001)))
    #expect(isFinite(.euler, .karras, options: ScheduleOptions(sigmaMax: 10)))
  }

  @Test func `DPM adaptive ends if its error is NaN, and the latent says so`() {
    var loop = SamplingLoop(
      settings: SamplingSettings(
        sampler: .dpmAdaptive, steps: 5, seed: 1, rng: .cpu, shape: LatentShape(channels: 4, height: 2, width: 2)),
      training: TrainingSchedule())
    let broken = ToyModel<Never>(
      denoise: { x, _, _ in Latent(shape: x.shape, repeating: .nan) },
      predict: { x, _ in GuidedNoise(guided: x, unconditional: x) })
    var steps = 0
    while !loop.isFinished, steps < 1000 {
      loop.step(model: broken)
      steps += 1
    }
    #expect(loop.isFinished && steps < 1000)
    #expect(loop.latent.values.allSatisfy { $0.isNaN })
  }
}
