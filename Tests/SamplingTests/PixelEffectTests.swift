import Settings
import SettingsTestSupport
import Testing
import TestSupport

@testable import Sampling

/// What rows say about pixels, compared with what is sampled by a fake network.
@Suite struct PixelEffectTests {
  /// What both passes of an image sample, as far as settings determine it; nil if they cannot be sampled.
  private struct Sampled: Equatable {
    var latents: [Latent] = []

    init?(_ image: ImageSettings) {
      for (pass, hires) in [(image.firstPass, nil), (image.secondPass, image.hires)] {
        guard let pass else { continue }
        let training = TrainingSchedule(pass)
        var settings = SamplingSettings(pass)
        settings.shape = LatentShape(channels: 4, height: 3, width: 2)
        settings.denoisingStrength = hires?.denoisingStrength
        settings.extraNoise = hires?.extraNoise
        guard SamplingLoop.hasFiniteLevels(settings, training: training) else { return nil }
        var loop =
          hires == nil
          ? SamplingLoop(settings: settings, training: training)
          : SamplingLoop(
            over: Latent(shape: settings.shape, repeating: 0.5), settings: settings, training: training,
            earlierSteps: 0)
        var steps = 0
        while !loop.isFinished, steps < 200 {
          loop.step(model: Self.network(training))
          steps += 1
        }
        // NaN would not be equal to itself.
        guard loop.latent.values.allSatisfy(\.isFinite) else { return nil }
        latents.append(loop.latent)
      }
    }

    /// The fake network, which also reads timesteps.
    private static func network(_ training: TrainingSchedule) -> ToyModel<Never> {
      ToyModel(
        denoise: { x, sigma, timestep in
          var denoised = toyDenoised(x, sigma)
          denoised.scale(by: 1 + (timestep ?? training.timestep(forSigma: sigma)) / 10_000)
          return denoised
        },
        predict: { x, timestep in toyNoise(x, timestep) })
    }
  }

  private func id(_ settings: ImageSettings) -> JobID { JobID(settings, sampleIngredients) }

  @Test(arguments: SamplerID.allCases)
  func `a setting that changes what is sampled changes the identity`(sampler: SamplerID) {
    var random = RandomSettings(seed: UInt64(sampler.rawValue.utf8.count))
    var changes = 0
    var wrong: Set<String> = []
    for number in 0..<8 {
      var base = random.next(sampler, part: 0...0.3)
      base.steps = 4 + number % 2
      base.hires?.steps = 3
      if let hires = base.hires, hires.denoisingStrength < 0.1 { base.hires?.denoisingStrength = 0.4 }
      (base.width, base.height) = (64, 64)
      guard let before = Sampled(base) else { continue }
      for row in SettingRow.all where !["steps", "hr_second_pass_steps"].contains(row.key) {
        var changed = base
        guard let value = random.value(row.kind) else { continue }
        row.set(value, in: &changed)
        guard id(changed) == id(base) else {
          changes += 1
          continue
        }
        if Sampled(changed) != before { wrong.insert("\(row.key): \(row.value(of: base)), then \(value)") }
      }
    }
    #expect(changes > 50)
    #expect(wrong.isEmpty)
  }

  /// Changed values of what samplers, schedules and noise read.
  private static let changes: [(String, SettingValue)] = [
    ("eta", .number(0.5)), ("s_churn", .number(3)), ("s_tmin", .number(0.5)), ("s_tmax", .number(5)),
    ("s_noise", .number(1.1)), ("eta_ddim", .number(0.5)), ("eta_noise_seed_delta", .integer(31337)),
    ("uni_pc_variant", .choice("bh2")), ("uni_pc_skip_type", .choice("time_quadratic")), ("uni_pc_order", .integer(2)),
    ("uni_pc_lower_order_final", .flag(false)), ("scheduler", .schedule(.polyexponential)), ("rho", .number(5)),
    ("sgm_noise_multiplier", .flag(true)), ("sigma_min", .number(0.1)), ("sigma_max", .number(9)),
    ("beta_dist_alpha", .number(0.5)), ("beta_dist_beta", .number(0.5)), ("enable_quantization", .flag(true)),
    ("use_old_karras_scheduler_sigmas", .flag(true)), ("always_discard_next_to_last_sigma", .flag(true)),
    ("sd_noise_schedule", .choice("Zero Terminal SNR")), ("use_downcasted_alpha_bar", .flag(true)),
    ("subseed", .integer(5)), ("subseed_strength", .number(0.5)), ("seed_resize_from_w", .integer(256)),
    ("seed_resize_from_h", .integer(256)), ("rng", .choice("cpu")), ("seed", .integer(4)), ("steps", .integer(6)),
  ]

  /// Settings in which some of them are read.
  private static let bases: [@Sendable (inout ImageSettings) -> Void] = [
    { _ in }, { $0.sChurn = 2 }, { $0.etaDDIM = 0.3 }, { $0.scheduler = .karras }, { $0.scheduler = .exponential },
    { $0.scheduler = .simple }, { $0.scheduler = .beta }, { $0.subseedStrength = 0.3 }, { $0.seedResizeFromW = 64 },
    { $0.uniPCSkipType = .logSNR }, { $0.uniPCOrder = 1 }, { $0.useOldKarrasSchedulerSigmas = true },
  ]

  @Test(arguments: SamplerID.allCases)
  func `a sampler's, schedule's or noise's setting changes the identity only if it changes what is sampled`(
    sampler: SamplerID
  ) throws {
    var (ofIdentity, ofImage): (Set<String>, Set<String>) = ([], [])
    for change in Self.bases {
      var base = ImageSettings()
      base.sampler = sampler
      base.steps = 5
      change(&base)
      let before = try #require(Sampled(base))
      for (key, value) in Self.changes {
        let row = try #require(SettingRow.named(key))
        var changed = base
        #expect(row.set(value, in: &changed))
        let isSame = Sampled(changed) == before
        if id(changed) != id(base) { ofIdentity.insert(key) } else { #expect(isSame, "\(key)") }
        if !isSame { ofImage.insert(key) }
      }
    }
    // Samplers with steps of their own read the first sigma of their schedule only, but the identity covers all of it.
    let ofSchedule = ["steps", "sigma_min", "beta_dist_alpha", "beta_dist_beta", "always_discard_next_to_last_sigma"]
    #expect(ofIdentity.subtracting(ofImage).subtracting(SamplerRegistry.hasOwnSteps(sampler) ? ofSchedule : []).isEmpty)
  }
}
