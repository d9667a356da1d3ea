import Infotext
import Settings
import SettingsTestSupport
import Testing

/// Infotexts of this program and of the webui, read back into settings.
@Suite struct InfotextSettingsTests {
  // MARK: Our own

  @Test(arguments: SamplerID.allCases)
  func `every setting that can change pixels is read back from the infotext`(sampler: SamplerID) {
    var random = RandomSettings(seed: UInt64(sampler.rawValue.utf8.count * 1000))
    for _ in 0..<300 {
      var parameters = random.next(sampler)
      // Infotexts do not have it.
      parameters.codeFormerWeight = ImageSettings().codeFormerWeight
      let text = Infotext(parameters, sampleIngredients, version: "1.2.3").text
      let settings = InfotextSettings(ParsedInfotext(text))
      // The identity of a job covers everything that affects its pixels.
      #expect(
        String(decoding: JobID.canonicalJSON(settings.settings, sampleIngredients), as: UTF8.self)
          == String(decoding: JobID.canonicalJSON(parameters, sampleIngredients), as: UTF8.self), "\(text)")
      #expect(settings.remarks.isEmpty, "\(settings.remarks) \(text)")
      let again = Infotext(settings.settings, sampleIngredients, version: "1.2.3").text
      #expect(again == text)
    }
  }

  @Test func `the random settings vary every setting that is no file`() {
    var random = RandomSettings(seed: 1)
    let images = (0..<100).map { _ in random.next(.euler) }
    for row in SettingRow.all where row.key != "sampler_name" {
      let isFile = [.model, .vae, .otherModel, .models, .folders].contains(row.kind)
      #expect((Set(images.map(row.value)).count > 1) != isFile, "\(row.key)")
    }
  }

  @Test(arguments: [nil, "vae-ft-mse-840000.safetensors", "840x000.pt", "VAE", "a, b: \"c\".safetensors"])
  func `models are read back by name and hash, whatever their names`(vae: String?) {
    for name in ["v1-5", "Model", "512x768", "we:ird, name", "\"quoted\"", "True", "1e5"] {
      var ingredients = sampleIngredients
      ingredients.model.name = name
      ingredients.vae = vae.map {
        ModelIdentity(name: $0, path: "/x/" + $0, sha256: String(repeating: "ab", count: 32), family: "vae")
      }
      let settings = InfotextSettings(
        ParsedInfotext(Infotext(ImageSettings(), ingredients, version: "1.2.3").text))
      #expect(settings.model.name == name && settings.model.hash == "6ce0161689")
      #expect(settings.vae?.name == vae && settings.vae?.hash == (vae == nil ? nil : "ababababab"))
      #expect(settings.program == "sdbatch 1.2.3")
      #expect(settings.settings.model.name == name && settings.settings.precision == .fp32)
      #expect(settings.remarks.isEmpty && settings.isComplete)
    }
  }

  @Test(arguments: ["refiner", "sd_xl_refiner_1.0", "we:ird, name", "name [with] brackets"])
  func `the refiner is read back by name and hash, with its switch point`(name: String) {
    var (parameters, ingredients) = (ImageSettings(), sampleIngredients)
    ingredients.refiner = ModelIdentity(
      name: name, path: "/x", sha256: String(repeating: "cd", count: 32), family: "sdxl-refiner")
    parameters.refinerSwitchAt = 0.65
    let infotext = Infotext(parameters, ingredients, version: "1.2.3").text
    #expect(name != "refiner" || infotext.contains(", Refiner: refiner [cdcdcdcdcd], Refiner switch at: 0.65, "))
    let settings = InfotextSettings(ParsedInfotext(infotext))
    #expect(settings.refiner?.name == name && settings.refiner?.hash == "cdcdcdcdcd")
    #expect(settings.settings.refinerSwitchAt == 0.65 && settings.remarks.isEmpty && settings.isComplete)
  }

  @Test(arguments: RefinerPass.allCases)
  func `the second pass's checkpoint and the refiner's pass are read back`(pass: RefinerPass) {
    var (parameters, ingredients) = (ImageSettings(), sampleIngredients)
    parameters.hires = HiresSettings()
    parameters.hires?.refinerPass = pass
    parameters.hires?.steps = 4
    ingredients.hiresModel = ModelIdentity(
      name: "other", path: "/x", sha256: String(repeating: "ab", count: 32), family: "sdxl")
    ingredients.refiner = ModelIdentity(
      name: "refiner", path: "/x", sha256: String(repeating: "cd", count: 32), family: "sdxl-refiner")
    let infotext = Infotext(parameters, ingredients, version: "1.2.3").text
    #expect(infotext.contains(", Hires checkpoint: other [ababababab], Hires upscale: 2.0, Hires steps: 4, "))
    // The webui does not write its default.
    let said = pass == .second ? "" : "Hires refiner: \(pass.rawValue), "
    #expect(infotext.contains(", \(said)Refiner: refiner [cdcdcdcdcd], Refiner switch at: 0.8, "))
    #expect(infotext.contains("Hires refiner") == (pass != .second))
    let settings = InfotextSettings(ParsedInfotext(infotext))
    #expect(settings.hiresModel?.name == "other" && settings.hiresModel?.hash == "ababababab")
    #expect(settings.refiner?.name == "refiner" && settings.settings.hires?.refinerPass == pass)
    #expect(settings.settings.hires?.checkpoint?.name == "other" && settings.isComplete)
  }

  // MARK: The webui's

  private func settings(_ text: String) -> InfotextSettings { InfotextSettings(ParsedInfotext(text)) }

  @Test func `an infotext of webui 1-10 gives its settings, and defaults for missing keys`() {
    let settings = settings(
      """
      a cat, (red:1.2)
      in two lines
      Negative prompt: blurry,
      ugly
      Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1234, Size: 512x768, Model hash: 6CE0161689, \
      Model: v1-5-pruned-emaonly, VAE hash: f921fb3f29, VAE: kl-f8-anime2.ckpt, Clip skip: 2, RNG: CPU, Version: v1.10.1
      """)
    var expected = ImageSettings()
    expected.model = ModelReference(name: "v1-5-pruned-emaonly", path: nil)
    expected.vae = ModelReference(name: "kl-f8-anime2.ckpt", path: nil)
    expected.prompt = "a cat, (red:1.2)\nin two lines"
    expected.negativePrompt = "blurry,\nugly"
    expected.seed = 1234
    expected.height = 768
    expected.clipSkip = 2
    expected.rng = .cpu
    #expect(settings.settings == expected)
    #expect(settings.model.hash == "6ce0161689" && settings.vae?.hash == "f921fb3f29")
    #expect(settings.program == "webui v1.10.1" && settings.remarks.isEmpty && settings.isComplete)
  }

  @Test func `missing keys mean the GPU's RNG, clip skip 1, ENSD 0, and so on`() {
    let parameters = settings(
      "x\nSteps: 8, Sampler: Euler a, Schedule type: Automatic, CFG scale: 5.5, Seed: 9, Size: 64x64"
    )
    .settings
    var expected = ImageSettings()
    expected.model = ModelReference(name: "", path: nil)
    expected.prompt = "x"
    (expected.steps, expected.sampler, expected.cfgScale, expected.seed) = (8, .eulerAncestral, 5.5, 9)
    (expected.width, expected.height) = (64, 64)
    #expect(parameters == expected)
  }

  @Test(
    arguments: [
      // The name, the schedule's type in the text, and the meaning. Before 1.9, plain names used the uniform schedule.
      ("DPM++ 2M Karras", nil, SamplerID.dpmPP2M, ScheduleID.automatic), ("DPM++ 2M", nil, .dpmPP2M, .uniform),
      ("DPM++ SDE", nil, .dpmPPSDE, .uniform), ("DPM++ 2M SDE Exponential", nil, .dpmPP2MSDE, .automatic),
      ("DPM++ 2M SDE Karras", nil, .dpmPP2MSDE, .karras), ("DPM++ 2M SDE Heun Karras", nil, .dpmPP2MSDEHeun, .karras),
      ("LMS Karras", nil, .lms, .karras), ("Euler a", nil, .eulerAncestral, .automatic),
      ("Restart", nil, .restart, .automatic),
      ("DDIM", nil, .ddim, .automatic), ("Euler", "exponential", .euler, .exponential),
      ("DPM++ 2M", "Automatic", .dpmPP2M, .automatic), ("DPM++ 2M", "Karras", .dpmPP2M, .automatic),
      ("DPM++ 2M", "SGM Uniform", .dpmPP2M, .sgmUniform), ("DPM++ 2M Karras", "Automatic", .dpmPP2M, .automatic),
      ("LMS Karras", "Automatic", .lms, .karras), ("LMS Karras", "Beta", .lms, .beta),
      ("UniPC", "Simple", .uniPC, .simple),
    ] as [(String, String?, SamplerID, ScheduleID)])
  func `samplers are known by old and new names`(name: String, type: String?, sampler: SamplerID, schedule: ScheduleID)
  {
    let line = type.map { "Schedule type: \($0), " } ?? ""
    let parameters = settings("x\nSteps: 8, Sampler: \(name), \(line)CFG scale: 5, Seed: 9, Size: 64x64").settings
    #expect(parameters.sampler == sampler && parameters.scheduler == schedule)
  }

  @Test func `every setting of the webui's extras is read`() {
    let parameters = settings(
      """
      a [b:c:0.5]
      Steps: 8, Sampler: DPM2, Schedule type: Beta, CFG scale: 5, Seed: 9, Size: 64x64, Variation seed: 7, \
      Variation seed strength: 0.25, Seed resize from: 384x256, Clip skip: 3, ENSD: 31337, RNG: NV, Emphasis: No norm, \
      Old prompt editing timelines: True, Downcast alphas_cumprod: True, Noise Schedule: Zero Terminal SNR, \
      Discard penultimate sigma: True, Schedule min sigma: 0.1, Schedule max sigma: 10, Schedule rho: 5, \
      Beta schedule alpha: 0.5, Beta schedule beta: 0.7, SGM noise multiplier: True, Eta: 0.5, Sigma churn: 3, \
      Sigma tmin: 0.2, Sigma tmax: 9, Sigma noise: 1.01, Skip Early CFG: 0.2, NGMS: 2, NGMS all steps: True, Version: v1.10.1
      """
    ).settings
    var expected = ImageSettings()
    expected.model = ModelReference(name: "", path: nil)
    expected.prompt = "a [b:c:0.5]"
    (expected.steps, expected.sampler, expected.scheduler, expected.cfgScale, expected.seed) = (8, .dpm2, .beta, 5, 9)
    (expected.width, expected.height, expected.clipSkip, expected.etaNoiseSeedDelta) = (64, 64, 3, 31337)
    (expected.subseed, expected.subseedStrength) = (7, 0.25)
    (expected.seedResizeFromW, expected.seedResizeFromH) = (384, 256)
    (expected.emphasis, expected.timelines) = (.noNorm, .old)
    (expected.useDowncastedAlphaBar, expected.sdNoiseSchedule) = (true, .zeroTerminalSNR)
    (expected.alwaysDiscardNextToLastSigma, expected.sgmNoiseMultiplier) = (true, true)
    (expected.sigmaMin, expected.sigmaMax, expected.rho) = (0.1, 10, 5)
    (expected.betaDistAlpha, expected.betaDistBeta) = (0.5, 0.7)
    (expected.eta, expected.sChurn, expected.sTmin, expected.sTmax, expected.sNoise) = (0.5, 3, 0.2, 9, 1.01)
    (expected.skipEarlyCond, expected.sMinUncond, expected.sMinUncondAll) = (0.2, 2, true)
    #expect(parameters == expected)
    let old = settings(
      """
      x
      Steps: 8, Sampler: DDIM, CFG scale: 5, Seed: 9, Size: 64x64, Eta: 0.3, Beta scheduler alpha: 0.9, UniPC variant: bh2, \
      UniPC skip type: logSNR, UniPC order: 2, UniPC lower order final: False, Sigma tmax: inf
      """
    ).settings
    #expect(old.etaDDIM == 0.3 && old.eta == 1 && old.betaDistAlpha == 0.9 && old.uniPCVariant == .bh2)
    #expect(old.uniPCSkipType == .logSNR && old.uniPCOrder == 2 && !old.uniPCLowerOrderFinal && old.sTmax == nil)
  }

  @Test(
    arguments: [
      (nil, false, false), ("v1.5.1", true, true), ("1.5.0", true, true), ("v1.6.0", false, true),
      ("v1.7.0", false, true), ("v1.7.0-224-g0123abc", false, true), ("v1.7.0-225-g0123abc", false, false),
      ("v1.8.0", false, false), ("v1.10.1", false, false), ("f2.0.1v1.10.1-previous-659-gc055f2d4", false, false),
      ("neo", false, false),
    ] as [(String?, Bool, Bool)])
  func `older versions are read as they meant it`(version: String?, hasOldTimelines: Bool, isDowncast: Bool) {
    let line = version.map { ", Version: \($0)" } ?? ""
    let parameters = settings("a [b:c:0.5]\nSteps: 8, Sampler: Euler, CFG scale: 5, Seed: 9, Size: 64x64\(line)")
      .settings
    #expect((parameters.timelines == .old) == hasOldTimelines)
    #expect(parameters.useDowncastedAlphaBar == isDowncast)
  }

  @Test func `unsupported features and unknown keys are reported`() {
    let settings = settings(
      """
      a <lora:foo:0.8> <hypernet:bar:1> cat
      Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 512x512, Denoising strength: 0.7, Hires upscale: 2, \
      Hires prompt: "x, \\"y\\": z\\nw", Hires upscaler: LDSR, Hires CFG Scale: 5, Hires Module 1: ae, ControlNet 0: "Module: canny, Weight: 1", Lora hashes: "foo: 0123456789ab", \
      Some Extension-Key: 3, Version: v1.10.1
      """)
    let kinds = Dictionary(uniqueKeysWithValues: settings.remarks.map { ($0.key, $0.kind) })
    #expect(
      kinds == [
        "Prompt": .unsupported, "Hires upscaler": .wrong, "Hires Module 1": .unsupported,
        "ControlNet 0": .unsupported,
        "Some Extension-Key": .unknown, "Model": .missing,
      ])
    #expect(!settings.isComplete && settings.settings.hires?.cfgScale == 5)
    #expect(settings.loras.map { [$0.name, $0.hash] } == [["foo", "0123456789ab"]])
    let plain = InfotextSettings(
      ParsedInfotext(
        "x\nSteps: 2, Sampler: Euler, CFG scale: 7, Seed: 5, Size: 8x8, Model: m, Denoising strength: 0, Batch size: 4, "
          + "Batch pos: 1, VAE Encoder: Full, Hires Module 1: Use same choices"
      ))
    #expect(plain.remarks.isEmpty)
  }

  @Test func `invalid values and missing required keys are reported`() {
    let remarks = settings(
      """
      x
      Steps: many, Sampler: Eular, CFG scale: nan, Size: 8, RNG: TPU, Clip skip: 1.5, NGMS all steps: yes, Precision: int4, \
      Schedule type: Karras
      """
    ).remarks
    let kinds = Dictionary(uniqueKeysWithValues: remarks.map { ($0.key, $0.kind) })
    #expect(
      kinds == [
        "Steps": .wrong, "Sampler": .wrong, "CFG scale": .wrong, "Size": .wrong, "RNG": .wrong, "Clip skip": .wrong,
        "NGMS all steps": .wrong, "Precision": .wrong, "Seed": .missing, "Model": .missing,
      ])
    #expect(remarks.contains { "\($0)" == "Steps: found \"many\", expected a whole number" })
    let sized = InfotextSettings(
      ParsedInfotext("x\nSteps: 2, Sampler: Euler, CFG scale: 7, Seed: 5, Model: m"), width: 72, height: 88)
    #expect(sized.settings.width == 72 && sized.settings.height == 88 && sized.isComplete)
  }

  @Test(arguments: [
    ("Steps", "0", "a whole number from 1 to 10000"), ("Seed", "-1", "a whole number from 0 on"),
    ("Seed", "-5", "a whole number from 0 on"),
    ("Size", "500x333", "a size whose sides are each a multiple of 8 from 8"),
    ("Size", "0x64", "a size whose sides are each"), ("Size", "64x16384", "a size whose sides are each"),
    ("CFG scale", "1e9", "a number from -1000 to 1000"), ("Clip skip", "99", "a whole number from 1 to 32"),
    ("Eta", "-1", "a number from 0 to 100"), ("Variation seed", "-1", "a whole number from 0 on"),
    ("Token merging ratio", "1.5", "a number from 0 to 0.9"), ("Hires upscale", "0", "a number from 0.01 to 100"),
    ("Hires steps", "-3", "a whole number from 0 to 10000"), ("Denoising strength", "7", "a number from 0 to 1"),
    ("Hires resize", "9000x0", "a size whose sides are each a whole number from 0 to 8192"),
    ("First pass size", "500x500", "a size whose sides are each a multiple of 8"),
  ])
  func `a value that no recipe can have is reported, and the default taken`(
    key: String, value: String, expected: String
  ) {
    var values = [
      ("Steps", "8"), ("Sampler", "Euler"), ("CFG scale", "5"), ("Seed", "9"), ("Size", "64x64"), ("Model", "m"),
      ("Denoising strength", "0.5"), ("Hires upscaler", "Latent"),
    ]
    values.removeAll { $0.0 == key }
    let line = (values + [(key, value)]).map { "\($0.0): \($0.1)" }.joined(separator: ", ")
    let found = settings("x\n" + line)
    #expect(found.remarks.map { [$0.kind.rawValue, $0.key] } == [["wrong", key]], "\(found.remarks)")
    #expect(found.remarks.first?.text.hasPrefix("found \"\(value)\", expected \(expected)") == true, "\(found.remarks)")
    #expect(!found.isComplete)
    for row in SettingRow.all { #expect(row.kind.accepts(row.value(of: found.settings)), "\(row.key)") }
  }

  @Test func `the size of the old hires fix is that of the finished image`() throws {
    func hires(_ first: String) throws -> ImageSettings {
      settings(
        "x\nSteps: 8, Sampler: Euler, CFG scale: 5, Seed: 9, Size: 864x1152, Model hash: 7460a6fa, "
          + "Denoising strength: 0.7, First pass size: \(first)"
      ).settings
    }
    let zero = try hires("0x0")
    #expect((zero.width, zero.height, zero.finalWidth, zero.finalHeight) == (448, 640, 864, 1152))
    #expect((zero.hires?.resizeX, zero.hires?.resizeY) == (864, 1152))
    let given = try hires("432x576")
    #expect((given.width, given.height, given.finalWidth, given.finalHeight) == (432, 576, 864, 1152))
  }

  @Test func `a text without a model is not complete, and says what it has instead`() {
    let line = "x\nSteps: 8, Sampler: Euler, CFG scale: 5, Seed: 9, Size: 64x64"
    let hash = settings(line + ", Model hash: 7460A6FA")
    #expect(hash.remarks.map(\.description) == ["Model: is missing; the text has only its hash, 7460a6fa"])
    #expect(!hash.isComplete && hash.obstaclesBesidesModel.isEmpty && hash.settings.model.name.isEmpty)
    let nothing = settings(line)
    #expect(nothing.remarks.map(\.description) == ["Model: is missing"] && nothing.settings.model.path == nil)
    #expect(settings(line + ", Model: demo").isComplete)
  }

  @Test func `extra noise belongs to the second pass, and to img2img without one`() {
    let line = "x\nSteps: 8, Sampler: Euler, CFG scale: 5, Seed: 9, Size: 64x64, Model: m, Denoising strength: 0.5, "
    let hires = settings(line + "Hires upscale: 2, Hires upscaler: Latent, Extra noise: 0.3")
    #expect(hires.settings.hires?.extraNoise == 0.3 && hires.isComplete)
    let other = settings(line + "Extra noise: 0.3")
    #expect(other.remarks.contains { $0.key == "Extra noise" && $0.kind == .unsupported })
    let encoder = settings(line + "Hires upscale: 2, Hires upscaler: Lanczos, VAE Encoder: TAESD")
    #expect(encoder.remarks.map { "\($0.kind) \($0.key)" } == ["unsupported VAE Encoder"])
  }

  @Test(
    arguments: [
      ("Version: v1.10.1", "webui v1.10.1", false), ("Version: 1.6.0", "webui 1.6.0", false),
      ("Version: v1.9.0-RC-12-gabcdef0", "webui v1.9.0-RC-12-gabcdef0", false), ("Clip skip: 1", nil, false),
      ("Version: f2.0.1v1.10.1-previous-659-gc055f2d4", "Forge f2.0.1v1.10.1-previous-659-gc055f2d4", false),
      ("Version: f1.0.0v2-v1.10.1RC-latest-2164", "reForge f1.0.0v2-v1.10.1RC-latest-2164", false),
      ("Version: neo", "Forge Neo", false), ("Version: ComfyUI", "ComfyUI", true),
      ("Sharpness: 2.0, Version: Fooocus v2.3.0", "Fooocus v2.3.0", true), ("Fooocus V2 Expansion: x", "Fooocus", true),
      ("App: SD.Next, Version: 2c0c1b2", "SD.Next 2c0c1b2", true), ("Version: 0123456", "SD.Next 0123456", true),
      ("App: SD.Next, Version: SD.Next 2024", "SD.Next 2024", true), ("Software: InvokeAI", "InvokeAI", true),
      ("Version: InvokeAI 4.2.0", "InvokeAI 4.2.0", true), ("swarm_version: 0.9.5", "SwarmUI 0.9.5", true),
      ("Generator: Draw Things", "Draw Things", true), ("Generator: sdbatch 1.2.3", "sdbatch 1.2.3", false),
    ] as [(String, String?, Bool)])
  func `the program that wrote a text is named, and its noise is not taken for granted`(
    more: String, program: String?, isNoted: Bool
  ) {
    let line = "x [y:z:0.5]\nSteps: 8, Sampler: Euler, CFG scale: 5, Seed: 9, Size: 64x64, Model: m, "
    let found = settings(line + more)
    #expect(found.program == program)
    #expect(found.remarks.contains { $0.key == "RNG" && $0.kind == .note } == isNoted)
    #expect(!settings(line + "RNG: CPU, " + more).remarks.contains { $0.key == "RNG" })
    #expect(found.settings.timelines == .current)
  }

  // MARK: Written back

  static let webuiTexts = [
    """
    masterpiece, best quality, (1girl:1.2), [solo],
    a line with Negative prompt: inside

    an empty line above
    Negative prompt: (worst quality:1.4), bad hands,
    EasyNegative
    Steps: 28, Sampler: DPM++ 2M SDE, Schedule type: Exponential, CFG scale: 7.5, Seed: 3827064803, Size: 512x768, Model hash: cbfba64e66, Model: CounterfeitV30_v30, VAE hash: f921fb3f29, VAE: kl-f8-anime2.ckpt, Denoising strength: 0.45, Clip skip: 2, Hires prompt: "a, \\"b\\": c\\nd", Hires upscale: 2, Hires steps: 14, Hires upscaler: R-ESRGAN 4x+ Anime6B, TI hashes: "EasyNegative: c74b4e810b03", Emphasis: No norm, Version: v1.10.1
    """,
    """
    Negative prompt: only this
    Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model hash: 81761151, Model: v1-5, ControlNet 0: "preprocessor: canny, model: control_v11p_sd15_canny [d14c016b], weight: 1, starting/ending: (0, 1), resize mode: Crop and Resize, pixel perfect: False", ControlNet 1: None, ENSD: 31337
    """,
    "Steps: 10, Sampler: LMS, CFG scale: 8, Seed: 3, Size: 64x64, Model: we:ird, Batch size: 4, Batch pos: 2, X: 5, Model",
    "a cat\nSteps: 10, junk ;; Sampler: LMS, CFG scale: 8, Seed: 3, Size: 64x64, \"odd, bb : 3, Hashes: {\"vae\": \"ab\", \"model\": \"cd\"}",
    "not an infotext,\nNegative prompt: at all",
    "p\nNegative prompt: n\nNegative prompt: Negative prompt: m\nSteps: 1, Seed: 2, Size: 3x4",
  ]

  @Test(arguments: webuiTexts)
  func `a webui text is written back unchanged`(text: String) {
    #expect(isSame(ParsedInfotext(text).text, text))
  }

  @Test func `any text reads the same after it is written back`() throws {
    let texts =
      try JobFixture.all().map(\.infotext) + ParsedFixture.all().map(\.text)
      + Self.webuiTexts.flatMap { text in (0..<text.count).map { String(text.prefix($0)) } }
    for text in texts {
      let parsed = ParsedInfotext(text)
      #expect(ParsedInfotext(parsed.text) == parsed, "\(text)")
    }
  }

  @Test func `unknown keys keep their order`() {
    let keys = ParsedInfotext(Self.webuiTexts[1]).items.map(\.key)
    #expect(
      keys == [
        "Steps", "Sampler", "CFG scale", "Seed", "Size", "Model hash", "Model", "ControlNet 0", "ControlNet 1", "ENSD",
      ])
    #expect(
      ParsedInfotext(Self.webuiTexts[2]).items.suffix(2).map(\.key) == ["X", "Model"]
        && ParsedInfotext(Self.webuiTexts[2]).items.suffix(2).allSatisfy { !$0.isRead })
  }
}
