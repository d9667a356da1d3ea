import Infotext
import Settings
import SettingsTestSupport
import Testing

@Suite struct InfotextTests {
  @Test func `infotexts equal those that Python writes from the description of the format`() throws {
    for fixture in try JobFixture.all() {
      let text = Infotext(fixture.parameters, fixture.ingredients, version: "1.2.3").text
      #expect(isSame(text, fixture.infotext))
    }
  }

  @Test func `the example of an API request reads as the webui writes it`() {
    var parameters = ImageSettings()
    parameters.prompt = "a cat, (red:1.2) <lora:foo:0.8>"
    parameters.negativePrompt = "blurry"
    parameters.seed = 1234
    parameters.rng = .cpu
    #expect(
      Infotext(parameters, sampleIngredients, version: "0.1.0").text == """
        a cat, (red:1.2) <lora:foo:0.8>
        Negative prompt: blurry
        Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.0, Seed: 1234, Size: 512x512, \
        Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, RNG: CPU, Precision: fp32, Generator: sdbatch 0.1.0
        """)
  }

  @Test func `settings of noise, schedule and guidance are in the webui's order`() {
    func line(_ change: (inout ImageSettings) -> Void) -> String {
      var parameters = ImageSettings()
      parameters.prompt = "x"
      parameters.seed = 1
      change(&parameters)
      let text = Infotext(parameters, sampleIngredients, version: "1").text
      return String(text.dropFirst("x\n".count))
    }
    #expect(
      line {
        $0.sampler = .eulerAncestral
        $0.scheduler = .karras
        $0.subseed = 777
        $0.subseedStrength = 0.3
        $0.seedResizeFromW = 384
        $0.seedResizeFromH = 256
        $0.clipSkip = 2
        $0.etaNoiseSeedDelta = 31337
        $0.useDowncastedAlphaBar = true
        $0.sdNoiseSchedule = .zeroTerminalSNR
        $0.alwaysDiscardNextToLastSigma = true
        $0.sigmaMin = 0.1
        $0.sigmaMax = 12
        $0.rho = 5
        $0.enableQuantization = true
        $0.sgmNoiseMultiplier = true
        $0.eta = 0.5
        $0.skipEarlyCond = 0.1
        $0.sMinUncond = 2
        $0.sMinUncondAll = true
      } == """
        Steps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 7.0, Seed: 1, Size: 512x512, \
        Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, Variation seed: 777, Variation seed strength: 0.3, \
        Seed resize from: 384x256, Clip skip: 2, ENSD: 31337, RNG: NV, Downcast alphas_cumprod: True, \
        Noise Schedule: Zero Terminal SNR, Discard penultimate sigma: True, Schedule min sigma: 0.1, \
        Schedule max sigma: 12.0, Schedule rho: 5.0, Quantized timesteps: True, SGM noise multiplier: True, Eta: 0.5, Skip Early CFG: 0.1, \
        NGMS: 2.0, NGMS all steps: True, Precision: fp32, Generator: sdbatch 1
        """)
    #expect(
      line {
        $0.sampler = .uniPC
        $0.uniPCVariant = .varyCoeff
        $0.uniPCSkipType = .logSNR
        $0.uniPCOrder = 2
        $0.uniPCLowerOrderFinal = false
        $0.sigmaMin = 0.1
        $0.etaDDIM = 1
        $0.etaNoiseSeedDelta = 5
      }.contains(
        "RNG: NV, UniPC variant: vary_coeff, UniPC skip type: logSNR, UniPC order: 2, UniPC lower order final: False, P"
      ))
    #expect(
      line {
        $0.sampler = .ddim
        $0.etaDDIM = 0.5
      }.contains("Sampler: DDIM, Schedule type: Automatic, "))
    #expect(
      line {
        $0.sampler = .ddim
        $0.etaDDIM = 0.5
      }.contains("RNG: NV, Eta DDIM: 0.5, P"))
    #expect(
      line {
        $0.sampler = .euler
        $0.scheduler = .beta
        $0.betaDistAlpha = 0.5
        $0.betaDistBeta = 0.7
      }.contains("Schedule type: Beta, "))
  }

  @Test(arguments: [
    (SamplerID.eulerAncestral, "Automatic"), (.euler, "Automatic"), (.lms, "Automatic"), (.heun, "Automatic"),
    (.dpmPP2M, "Karras"), (.dpmPP2MSDE, "Exponential"), (.dpmPP3MSDE, "Exponential"), (.dpm2, "Karras"),
  ])
  func `the schedule in use is named`(sampler: SamplerID, label: String) {
    var parameters = ImageSettings()
    parameters.sampler = sampler
    let settings = ParsedInfotext(Infotext(parameters, sampleIngredients, version: "1").text).settings
    #expect(settings["Schedule type"] == label)
    parameters.scheduler = .uniform
    let asked = ParsedInfotext(Infotext(parameters, sampleIngredients, version: "1").text).settings
    #expect(asked["Schedule type"] == "Uniform")
  }

  @Test func `infotexts parse as Python's regular expression parses them`() throws {
    for fixture in try JobFixture.all() {
      let parsed = ParsedInfotext(fixture.infotext)
      #expect(isSame(parsed.prompt, fixture.prompt))
      #expect(isSame(parsed.negativePrompt, fixture.negative))
      #expect(parsed.settings == fixture.settings)
    }
    for fixture in try ParsedFixture.all() {
      let parsed = ParsedInfotext(fixture.text)
      #expect(isSame(parsed.prompt, fixture.prompt), "\(fixture.text)")
      #expect(isSame(parsed.negativePrompt, fixture.negative), "\(fixture.text)")
      #expect(parsed.settings == fixture.settings, "\(fixture.text)")
    }
  }

  @Test func `the parser's published vectors hold`() {
    func settings(_ line: String) -> [String: String] { ParsedInfotext("p\n" + line).settings }
    #expect(
      settings(#"Steps: 20, Hires prompt: "a, \"b\": c\nd", Version: v1"#)
        == ["Steps": "20", "Hires prompt": "a, \"b\": c\nd", "Version": "v1"])
    #expect(ParsedInfotext("p\nA: 1, Bb: 2, Cc: 3") == ParsedInfotext("p\nA: 1, Bb: 2, Cc: 3 "))
    #expect(ParsedInfotext("p\nA: 1, Bb: 2, Cc: 3").prompt == "p\nA: 1, Bb: 2, Cc: 3")
    #expect(
      settings(#"Model: we:ird, X: "unterminated, Seed: 5, Size: 8x8"#)
        == ["Model": "we:ird", "Seed": "5", "Size-1": "8", "Size-2": "8"])
    #expect(settings("Seed: 3,Size:8x8,Steps:2") == ["Seed": "3", "Size-1": "8", "Size-2": "8", "Steps": "2"])
    #expect(
      settings("Ünïk: 4, 2nd: 5, -ab: 6, a-b/c: 7") == ["Ünïk": "4", "2nd": "5", "ab": "6", "a-b/c": "7"])
  }

  @Test func `a quoted value with half of a surrogate pair stays as it is written`() {
    let parsed = ParsedInfotext(#"aa: 1, bb: 2, cc: "half \ud83d""#)
    #expect(parsed.settings["cc"] == #""half \ud83d""#)
  }

  @Test func `prompts and settings are read back from their text`() throws {
    for fixture in try JobFixture.all() {
      let parsed = ParsedInfotext(Infotext(fixture.parameters, fixture.ingredients, version: "1.2.3").text)
      #expect(parsed.settings["Seed"] == String(fixture.parameters.seed))
      // The format writes a value that equals its key as only the key, which the webui does not read back.
      let name = fixture.ingredients.model.name
      #expect(parsed.settings["Model"] == (name == "Model" ? nil : name))
      #expect(parsed.settings["Size-1"] == String(fixture.parameters.width))
      #expect(parsed.settings["Size-2"] == String(fixture.parameters.height))
      #expect(parsed.settings["CFG scale"].flatMap(Double.init) == fixture.parameters.cfgScale)
      #expect(parsed.settings["Generator"] == "sdbatch 1.2.3")
      #expect(words(parsed.prompt) == words(fixture.parameters.prompt))
      #expect(words(parsed.negativePrompt) == words(fixture.parameters.negativePrompt))
    }
  }

  /// The text as the tokenizer sees it: lower case, white space collapsed.
  private func words(_ prompt: String) -> [String] {
    prompt.lowercased().unicodeScalars.split { $0.properties.isWhitespace }.map { String($0) }
  }

  @Test func `emphasis and old timelines are in the infotext if they have an effect`() {
    var parameters = ImageSettings()
    parameters.prompt = "a (red:1.2) [fish:star:1.0]"
    parameters.emphasis = .noNorm
    parameters.timelines = .old
    let settings = ParsedInfotext(Infotext(parameters, sampleIngredients, version: "1").text).settings
    #expect(settings["Emphasis"] == "No norm")
    #expect(settings["Old prompt editing timelines"] == "True")
    parameters.prompt = "a red fish"
    let plain = ParsedInfotext(Infotext(parameters, sampleIngredients, version: "1").text).settings
    #expect(plain["Emphasis"] == nil && plain["Old prompt editing timelines"] == nil)
  }
}
