import JSON
import Recipes
import Settings
import Testing

@Suite struct PromptOptionTests {
  @Test func `comments are removed from both prompts unless the option is off`() throws {
    let recipe = "prompt: \"fish # no star\\nin oil\"\nnegative_prompt: \"#all\"\n"
    let stripped = try #require(try RecipeText(recipe).jobs().first).settings
    #expect(stripped.prompt == "fish \nin oil")
    #expect(stripped.negativePrompt == "\n")
    let kept = try #require(try RecipeText(recipe + "enable_prompt_comments: false").jobs().first).settings
    #expect(kept.prompt == "fish # no star\nin oil")
  }

  @Test func `emphasis and old timelines are settings and axes`() throws {
    let jobs = try RecipeText(
      "prompt: (fish)\ngrid: {emphasis: [None, ignore, Original, No norm], use_old_scheduling: [true, false]}"
    ).jobs()
    #expect(
      jobs.map(\.settings.emphasis) == [.none, .none, .ignore, .ignore, .original, .original, .noNorm, .noNorm])
    #expect(jobs.map(\.settings.timelines) == [.old, .current, .old, .current, .old, .current, .old, .current])
    let errors = RecipeText("emphasis: loud").errors()
    #expect(errors.count == 1 && errors[0].contains("None, Ignore, Original or No norm"))
  }

  @Test func `axes may have the names of the webui's plot, in any letter case`() throws {
    let jobs = try RecipeText(
      "grid: {CFG Scale: [5, 6], sampler: [Euler, Heun], schedule type: [Karras], Clip skip: [1, 2], RNG source: [CPU]}"
    ).jobs()
    #expect(jobs.map(\.settings.cfgScale) == [5, 5, 5, 5, 6, 6, 6, 6])
    #expect(jobs.map(\.settings.sampler) == [.euler, .euler, .heun, .heun, .euler, .euler, .heun, .heun])
    #expect(jobs.map(\.settings.clipSkip) == [1, 2, 1, 2, 1, 2, 1, 2])
    #expect(Set(jobs.map(\.settings.scheduler)) == [.karras] && Set(jobs.map(\.settings.rng)) == [.cpu])
    #expect(jobs[0].axes.map(\.name) == ["cfg_scale", "sampler_name", "scheduler", "clip_skip", "rng"])
    let sigmas = try RecipeText("grid: {Sigma churn: [1], Sigma Min: [2], Sigma max: [3], Sigma noise: [0.5]}").jobs()
    let first = try #require(sigmas.first).settings
    #expect([first.sChurn, first.sTmin, first.sTmax ?? 0, first.sNoise] == [1, 2, 3, 0.5])
    #expect(RecipeText("grid: {Steps: [1, 2], steps: [3]}").errors().count == 1)
  }

  @Test(arguments: [
    "Nothing", "Seed", "Var. seed", "Var. strength", "Steps", "Hires steps", "CFG Scale", "Sampler", "Hires sampler",
    "Checkpoint name", "Negative Guidance minimum sigma", "Sigma Churn", "Sigma min", "Sigma max", "Sigma noise",
    "Schedule type", "Schedule min sigma", "Schedule max sigma", "Schedule rho", "Beta schedule alpha",
    "Beta schedule beta", "Eta", "Clip skip", "Denoising", "Initial noise multiplier", "Extra noise", "Hires upscaler",
    "VAE", "UniPC Order", "Face restore", "Token merging ratio", "Token merging ratio high-res",
    "Always discard next-to-last sigma", "SGM noise multiplier", "Refiner checkpoint", "Refiner switch at",
    "RNG source", "FP8 mode", "Image CFG Scale", "Cond. Image Mask Weight",
  ])
  func `every other axis of the webui's plot is supported or rejected with a reason`(_ label: String) throws {
    let values = [
      "Token merging ratio": "0, 0.5", "Token merging ratio high-res": "0, 0.5", "Hires sampler": "Euler a",
      "Hires upscaler": "Latent, Latent (nearest)",
      "Sampler": "k_euler, DPM++ 2M", "Checkpoint name": "demo", "Schedule type": "Automatic, SGM Uniform",
      "VAE": "None, Automatic", "Always discard next-to-last sigma": "True, False", "SGM noise multiplier": "False",
      "RNG source": "GPU, CPU, NV", "Refiner checkpoint": "None, demo",
      "Face restore": "None, CodeFormer, gfpgan, yes, True",
    ]
    let text = RecipeText("grid:\n  \(label): \(values[label] ?? "1")")
    if let error = text.errors().first {
      #expect(
        error.hasPrefix("fish.yaml:2:3: error: found \(label) as an axis, which is not supported by this version; "))
    } else {
      #expect(try text.jobs().first?.axes.count == 1)
    }
  }

  @Test func `an axis of the plot changes its setting`() throws {
    let job = try #require(
      try RecipeText(
        """
        sampler_name: unipc
        grid: {Var. seed: 5, Var. strength: 0.5, Negative Guidance minimum sigma: 2, Schedule min sigma: 0.1,
          Schedule max sigma: 9, Schedule rho: 5, Beta schedule alpha: 0.7, Beta schedule beta: 0.8, UniPC Order: 2,
          Always discard next-to-last sigma: True, SGM noise multiplier: True, RNG source: GPU}
        """
      ).jobs().first)
    let found = job.settings
    var expected = ImageSettings()
    expected.seed = found.seed
    expected.sampler = .uniPC
    (expected.subseed, expected.subseedStrength, expected.sMinUncond) = (5, 0.5, 2)
    (expected.sigmaMin, expected.sigmaMax, expected.rho) = (0.1, 9, 5)
    (expected.betaDistAlpha, expected.betaDistBeta, expected.uniPCOrder) = (0.7, 0.8, 2)
    (expected.alwaysDiscardNextToLastSigma, expected.sgmNoiseMultiplier, expected.rng) = (true, true, .nv)
    #expect(found == expected)
  }

  @Test func `settings of the webui without effect are accepted, others are rejected with a reason`()
    throws
  {
    let jobs = try RecipeText(
      """
      no_dpmpp_sde_batch_determinism: false
      restore_faces: false
      batch_size: 1
      styles: []
      override_settings: {}
      token_merging_ratio: 0.0
      hr_upscaler:
      randn_source: CPU
      k_sched_type: karras
      CLIP_stop_at_last_layers: 2
      sd_vae: Automatic
      enable_quantization: true
      """
    ).jobs()
    let parameters = try #require(jobs.first?.settings)
    #expect(parameters.rng == .cpu && parameters.scheduler == .karras && parameters.clipSkip == 2)
    #expect(parameters.vae == nil && parameters.enableQuantization)
    for (text, reason) in [
      ("no_dpmpp_sde_batch_determinism: true", "never on its batch"),
      ("alwayson_scripts: {a: {args: []}}", "scripts cannot run"), ("pad_cond_uncond: true", "at their own length"),
    ] {
      let errors = RecipeText(text).errors()
      #expect(errors.count == 1 && errors[0].contains("is not supported by this version; "))
      #expect(errors[0].contains(reason), "\(errors)")
    }
  }

  @Test func `eta overrides the options eta_ancestral and eta_ddim, in any order`() throws {
    func etas(_ text: String) throws -> [Double] {
      let parameters = try #require(try RecipeText(text).jobs().first?.settings)
      return [parameters.eta, parameters.etaDDIM]
    }
    #expect(try etas("prompt:") == [1, 0])
    #expect(try etas("eta_ancestral: 0.5\neta_ddim: 0.2") == [0.5, 0.2])
    #expect(try etas("eta: 0.7\neta_ancestral: 0.5\neta_ddim: 0.2") == [0.7, 0.7])
    #expect(try etas("eta_ancestral: 0.5\ngrid: {eta: [0.7]}") == [0.7, 0.7])
  }

  @Test func `a plan of an earlier version is read with the default emphasis and timelines`() throws {
    var writer = JSONWriter()
    ImageSettings().writePlanned(to: &writer)
    guard case .object(var members) = try JSONValue(parsing: String(decoding: writer.bytes, as: UTF8.self)) else {
      return
    }
    members.removeAll { $0.name == "emphasis" || $0.name == "use_old_scheduling" }
    #expect(members.count > 10)
    let read = try ImageSettings(planned: .object(members))
    #expect(read == ImageSettings())
  }
}
