import Foundation
import Settings
import SettingsTestSupport
import Testing

@Suite struct JobIDTests {
  @Test func `identities are the SHA-256 of the canonical JSON that Python writes`() throws {
    for fixture in try JobFixture.all() {
      let canonical = String(
        decoding: JobID.canonicalJSON(fixture.parameters, fixture.ingredients), as: UTF8.self)
      #expect(isSame(canonical, fixture.canonical))
      #expect(JobID(fixture.parameters, fixture.ingredients).description == fixture.id)
    }
  }

  @Test func `an identity reads back from its digits, and other text is rejected`() throws {
    let id = JobID(ImageSettings(), sampleIngredients)
    #expect(JobID(id.description) == id)
    #expect(id.description.hasPrefix(id.prefix(8)))
    #expect(id.prefix(8).count == 8)
    #expect(JobID(id.description.dropLast()) == nil)
    #expect(JobID(id.description + "0") == nil)
    #expect(JobID(id.description.uppercased()) == nil)
    #expect(JobID("g" + id.description.dropFirst()) == nil)
  }

  @Test func `repaired text is part of the identity, and text that needs no repair leaves it as it was`() {
    var repaired = sampleIngredients
    repaired.textRepair = 1
    let settings = ImageSettings()
    #expect(JobID(settings, repaired) != JobID(settings, sampleIngredients))
    let (before, after) = (
      String(decoding: JobID.canonicalJSON(settings, sampleIngredients), as: UTF8.self),
      String(decoding: JobID.canonicalJSON(settings, repaired), as: UTF8.self)
    )
    #expect(!before.contains("text_repair"))
    #expect(after.replacing("\"text_repair\":1,", with: "") == before)
    // Families that no longer repair text.
    var unrepaired = sampleIngredients
    unrepaired.textRepair = 0
    #expect(Set([unrepaired, repaired, sampleIngredients].map { JobID(settings, $0) }).count == 3)
  }

  @Test func `jobs whose prompts may need repair have ingredients of their own`() {
    var (plain, other) = (ImageSettings(), ImageSettings())
    (plain.prompt, other.prompt) = ("a cat", "a dog")
    #expect(plain.ingredientsKey == other.ingredientsKey)
    for text in ["a dog’s", "&lt;", "\u{7}", "<s>"] {
      other.prompt = text
      #expect(plain.ingredientsKey != other.ingredientsKey)
      (other.prompt, other.negativePrompt) = ("a cat", text)
      #expect(plain.ingredientsKey != other.ingredientsKey)
      other.negativePrompt = ""
    }
  }

  @Test func `names and paths of models are not part of the identity`() {
    var moved = sampleIngredients
    moved.model.name = "other"
    moved.model.path = "/elsewhere/other.safetensors"
    var parameters = ImageSettings()
    parameters.model = ModelReference(name: "other", path: "/elsewhere/other.safetensors")
    parameters.precision = .fp32
    #expect(JobID(parameters, moved) == JobID(ImageSettings(), sampleIngredients))
  }

  static let changes: [(String, @Sendable (inout ImageSettings) -> Void)] = [
    ("prompt", { $0.prompt = "x" }), ("negative_prompt", { $0.negativePrompt = "x" }), ("seed", { $0.seed = 1 }),
    ("steps", { $0.steps = 21 }), ("cfg_scale", { $0.cfgScale = 7.5 }), ("width", { $0.width = 520 }),
    ("height", { $0.height = 520 }), ("rng", { $0.rng = .cpu }), ("clip_skip", { $0.clipSkip = 2 }),
    ("prediction_type", { $0.predictionType = .vPrediction }),
    ("sd_noise_schedule", { $0.sdNoiseSchedule = .zeroTerminalSNR }),
    ("use_downcasted_alpha_bar", { $0.useDowncastedAlphaBar = true }),
    ("subseed_strength", { $0.subseedStrength = 0.1 }), ("s_min_uncond", { $0.sMinUncond = 1 }),
    ("skip_early_cond", { $0.skipEarlyCond = 0.2 }),
    ("guidance_interval", { $0.guidanceInterval = PassInterval(0, 0.5) ?? .whole }),
    ("cfg_rescale", { $0.cfgRescale = 0.7 }), ("apg_eta", { $0.apgEta = 0 }),
    ("apg_norm_threshold", { $0.apgNormThreshold = 5 }), ("apg_momentum", { $0.apgMomentum = -0.5 }),
    ("feature_cache", { $0.featureCache = 3 }), ("tiling", { $0.tiling = true }),
    ("token_merging_ratio", { $0.tokenMergingRatio = 0.5 }), ("enable_hr", { $0.hires = HiresSettings() }),
    (
      "seed_resize_from",
      {
        $0.seedResizeFromW = 256
        $0.seedResizeFromH = 256
      }
    ),
    ("always_discard_next_to_last_sigma", { $0.alwaysDiscardNextToLastSigma = true }),
  ]

  @Test(arguments: SamplerID.allCases, changes.indices)
  func `every setting that all samplers read changes the identity`(sampler: SamplerID, change: Int) {
    var parameters = ImageSettings()
    parameters.sampler = sampler
    let before = JobID(parameters, sampleIngredients)
    Self.changes[change].1(&parameters)
    let isOwnAlready =
      Self.changes[change].0 == "always_discard_next_to_last_sigma" && sampler.discardsPenultimateSigma
    #expect((JobID(parameters, sampleIngredients) != before) == !isOwnAlready, "\(Self.changes[change].0)")
  }

  @Test func `a schedule given by name and the same sampler default are one image`() {
    var parameters = ImageSettings()
    let automatic = JobID(parameters, sampleIngredients)
    parameters.scheduler = .karras
    #expect(JobID(parameters, sampleIngredients) == automatic)
  }

  @Test(arguments: ["model", "family", "vae", "refiner", "vocabulary", "precision", "isa", "numerics"])
  func `every ingredient changes the identity`(ingredient: String) {
    var ingredients = sampleIngredients
    switch ingredient {
    case "model": ingredients.model.sha256 = String(repeating: "b", count: 64)
    case "family": ingredients.model.family = "sd2"
    case "vae": ingredients.vae = ingredients.model
    case "refiner": ingredients.refiner = ingredients.model
    case "vocabulary": ingredients.vocabularySHA256 = String(repeating: "b", count: 64)
    case "precision": ingredients.precision = "bf16"
    case "isa": ingredients.isa = "portable"
    default: ingredients.numerics = 2
    }
    #expect(JobID(ImageSettings(), ingredients) != JobID(ImageSettings(), sampleIngredients))
  }

  @Test func `the refiner's switch point is part of the identity of images that have a refiner`() {
    var (parameters, ingredients) = (ImageSettings(), sampleIngredients)
    parameters.refinerSwitchAt = 0.3
    #expect(JobID(parameters, ingredients) == JobID(ImageSettings(), ingredients))
    ingredients.refiner = ingredients.model
    #expect(JobID(parameters, ingredients) != JobID(ImageSettings(), ingredients))
  }

  @Test(.timeLimit(.minutes(20)))
  func `ten thousand jobs that differ in the seed have ten thousand identities`() {
    var parameters = ImageSettings()
    parameters.prompt = String(repeating: "a red fish and a blue star on a white background, ", count: 6)
    var ids: Set<JobID> = []
    for seed in 0..<10_000 {
      parameters.seed = Int64(seed)
      ids.insert(JobID(parameters, sampleIngredients))
    }
    #expect(ids.count == 10_000)
  }

  @Test func `only images whose maps are cropped have that in their identity`() {
    var ingredients = sampleIngredients
    let plain = String(decoding: JobID.canonicalJSON(ImageSettings(), ingredients), as: UTF8.self)
    #expect(!plain.contains("upsampling"))
    ingredients.upsampling = "cropped"
    let cropped = String(decoding: JobID.canonicalJSON(ImageSettings(), ingredients), as: UTF8.self)
    #expect(cropped.replacing(#""upsampling":"cropped","#, with: "") == plain && cropped != plain)
  }

  @Test func `jobs that may have different ingredients have different ingredient keys`() {
    var base = ImageSettings()
    func changes(_ change: (inout ImageSettings) -> Void) -> Bool {
      var parameters = base
      change(&parameters)
      return parameters.ingredientsKey != base.ingredientsKey
    }
    #expect(changes { $0.weightPacking = .small } && changes { $0.memoryLimit = 1 << 32 })
    #expect(changes { $0.refiner = .demo } && changes { $0.prompt = "<lora:a:1>" })
    #expect(!changes { $0.cfgScale = 4 } && !changes { $0.steps = 30 } && !changes { $0.prompt = "a" })
    // Sizes decide whether maps of odd sizes are cropped, in either pass.
    #expect(changes { $0.width = 1024 } && changes { $0.height = 1024 } && changes { $0.hires = HiresSettings() })
    // With embeddings, prompt editing affects which of them are used, and by which checkpoint.
    base.adapterFolders = ["/models"]
    base.hires = HiresSettings()
    #expect(changes { $0.steps = 30 } && changes { $0.sampler = .heun } && changes { $0.timelines = .old })
    #expect(changes { $0.hires?.steps = 7 } && changes { $0.hires?.refinerPass = .both })
  }

  @Test func `settings of a second pass change the identity only if they are read`() {
    var base = ImageSettings()
    base.hires = HiresSettings()
    func changes(_ change: (inout ImageSettings) -> Void) -> Bool {
      var parameters = base
      change(&parameters)
      return JobID(parameters, sampleIngredients) != JobID(base, sampleIngredients)
    }
    #expect(changes { $0.hires?.scale = 1.5 })
    #expect(changes { $0.hires?.resizeX = 700 })
    #expect(changes { $0.hires?.steps = 7 })
    #expect(changes { $0.hires?.denoisingStrength = 0.5 })
    #expect(changes { $0.hires?.upscaler = UpscalerReference(name: "Latent (nearest)") })
    #expect(changes { $0.hires?.sampler = .euler })
    #expect(changes { $0.hires?.scheduler = .uniform })
    #expect(changes { $0.hires?.prompt = "x" })
    #expect(changes { $0.hires?.negativePrompt = "x" })
    #expect(changes { $0.hires?.tokenMergingRatio = 0.5 })
    // Without a refiner, the refiner's pass has no effect, and neither has the name of a checkpoint.
    #expect(!changes { $0.hires?.refinerPass = .both })
    #expect(!changes { $0.hires?.checkpoint = .demo })
    var ingredients = sampleIngredients
    ingredients.hiresModel = ingredients.model
    #expect(JobID(base, ingredients) != JobID(base, sampleIngredients))
    ingredients.refiner = ingredients.model
    var refined = base
    refined.hires?.refinerPass = .both
    #expect(JobID(refined, ingredients) != JobID(base, ingredients))
    // Different settings with the same effect.
    #expect(!changes { $0.hires?.resizeX = 1024 })
    #expect(!changes { $0.hires?.upscaler = .latent })
    #expect(!changes { $0.hires?.sampler = base.sampler })
    #expect(!changes { $0.hires?.scheduler = .karras })
    #expect(!changes { $0.hires?.steps = base.steps })
    #expect(!changes { $0.hires?.prompt = base.prompt })
    // Settings that only the second pass's sampler reads.
    #expect(!changes { $0.eta = 0.5 })
    base.hires?.sampler = .eulerAncestral
    #expect(changes { $0.eta = 0.5 })
    base.hires?.denoisingStrength = 0
    #expect(!changes { $0.hires?.prompt = "x" })
  }

  @Test func `emphasis and timelines change the identity only if a prompt has brackets`() {
    func id(_ prompt: String, _ emphasis: EmphasisChoice, _ timelines: PromptTimelines) -> JobID {
      var parameters = ImageSettings()
      (parameters.prompt, parameters.emphasis, parameters.timelines) = (prompt, emphasis, timelines)
      return JobID(parameters, sampleIngredients)
    }
    #expect(id("fish", .ignore, .old) == id("fish", .original, .current))
    #expect(id("(fish)", .original, .old) == id("(fish)", .original, .current))
    #expect(id("(fish)", .ignore, .current) != id("(fish)", .original, .current))
    #expect(id("[a:b:1.0]", .original, .old) != id("[a:b:1.0]", .original, .current))
  }

  @Test func `forecast images have a new identity only if a prompt begins or changes during a pass`() throws {
    func forecast(_ change: (inout ImageSettings) throws -> Void) rethrows -> String? {
      var settings = ImageSettings()
      settings.prompt = "a boat [on a lake]"
      settings.featureForecast = 2
      try change(&settings)
      return String(decoding: JobID.canonicalJSON(settings, sampleIngredients), as: UTF8.self)
        .firstMatch(of: /"feature_forecast":(\[.*?\])/).map { String($0.1) }
    }
    let before = "[2,3]"
    let after = #"[2,3,"together"]"#
    #expect(forecast { _ in } == before)
    #expect(try forecast { $0.guidanceInterval = try #require(PassInterval(0, 0.8)) } == before)
    #expect(try forecast { $0.guidanceInterval = try #require(PassInterval(0.2, 1)) } == after)
    #expect(forecast { $0.skipEarlyCond = 0.1 } == after)
    #expect(forecast { $0.sMinUncond = 1 } == after)
    #expect(forecast { $0.prompt = "a [red:blue:0.5] boat" } == after)
    #expect(forecast { $0.negativePrompt = "a [red|blue] boat" } == after)
    func second(denoising: Double) -> String? {
      forecast {
        $0.hires = HiresSettings()
        $0.hires?.prompt = "a [red:blue:0.5] boat"
        $0.hires?.denoisingStrength = denoising
      }
    }
    #expect(second(denoising: 0.5) == after)
    #expect(second(denoising: 0) == before)
  }
}

@Suite struct JobIDSequenceTests {
  @Test func `identities in sequence are those of each job alone, whatever changes from one to the next`() {
    var random = RandomSettings(seed: 5)
    var sequence = JobIDSequence()
    for _ in 0..<200 {
      var settings = random.next(.eulerAncestral)
      for seed in [0, 7, 2, Int64.max, 2] {
        settings.seed = seed
        let ingredients = sequence.onlySeedDiffers(settings) ? nil : sampleIngredients
        #expect(sequence.next(settings, ingredients) == JobID(settings, sampleIngredients))
      }
    }
  }
}
