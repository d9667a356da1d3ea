import Recipes
import Settings
import Testing

/// Settings written as a recipe and read back.
@Suite struct ImageRecipeTests {
  private func job(_ recipe: ImageRecipe) throws -> ImageSettings {
    try #require(try RecipeText(recipe.text).jobs().first).settings
  }

  @Test(arguments: SamplerID.allCases)
  func `a recipe of one image resolves to the settings that it was written from`(sampler: SamplerID) throws {
    var parameters = ImageSettings()
    parameters.sampler = sampler
    #expect(try job(ImageRecipe(parameters)) == parameters)

    parameters.prompt = "a (red:1.2)\nfish # \"quoted\" \\ \t日本 🐟"
    parameters.negativePrompt = "- yes: no, {a: [b]}"
    (parameters.emphasis, parameters.timelines) = (.noNorm, .old)
    (parameters.seed, parameters.steps, parameters.cfgScale) = (.max, 33, 7.25)
    (parameters.scheduler, parameters.width, parameters.height) = (.polyexponential, 520, 8)
    (parameters.rng, parameters.clipSkip, parameters.precision) = (.cpu, 3, .fp32)
    (parameters.sChurn, parameters.sTmin, parameters.sTmax, parameters.sNoise) = (1e-5, 0.1, 12.5, 1.003)
    (parameters.predictionType, parameters.subseed, parameters.subseedStrength) = (.vPrediction, 8, 0.1)
    (parameters.seedResizeFromW, parameters.seedResizeFromH, parameters.etaNoiseSeedDelta) = (72, 96, -31337)
    if sampler.usesEtaDDIM { parameters.etaDDIM = 0.3 } else { (parameters.eta, parameters.etaDDIM) = (0.3, 0.3) }
    (parameters.uniPCVariant, parameters.uniPCSkipType) = (.varyCoeff, .logSNR)
    (parameters.uniPCOrder, parameters.uniPCLowerOrderFinal) = (2, false)
    (parameters.alwaysDiscardNextToLastSigma, parameters.sgmNoiseMultiplier) = (true, true)
    (parameters.sigmaMin, parameters.sigmaMax, parameters.rho) = (0.1, 11, 5)
    (parameters.betaDistAlpha, parameters.betaDistBeta) = (0.5, 0.7)
    (parameters.useOldKarrasSchedulerSigmas, parameters.useDowncastedAlphaBar) = (true, true)
    parameters.enableQuantization = true
    parameters.sdNoiseSchedule = .zeroTerminalSNR
    (parameters.sMinUncond, parameters.sMinUncondAll, parameters.skipEarlyCond) = (3, true, 0.25)
    #expect(try job(ImageRecipe(parameters)) == parameters)
  }

  @Test(arguments: [
    "", "~", "null", "__animal__ and __x__", "#", "# all", "a\u{7F}\u{85}b", "\u{FEFF}x", "trailing \n", "  leading",
    "'", "\"", "e\u{301}",
  ])
  func `any prompt is read back unchanged`(prompt: String) throws {
    var parameters = ImageSettings()
    parameters.prompt = prompt
    let found = try job(ImageRecipe(parameters)).prompt
    #expect(Array(found.utf8) == Array(prompt.utf8))
  }

  @Test func `models are written by path, and one without a name has to be filled in`() throws {
    var parameters = ImageSettings()
    #expect(ImageRecipe(parameters).text.contains("model: demo\n"))
    parameters.model = ModelReference(name: "a", path: "/b: c/a.safetensors")
    #expect(ImageRecipe(parameters).text.contains("model: \"/b: c/a.safetensors\"\n"))
    parameters.model = ModelReference(name: "", path: nil)
    let text = ImageRecipe(parameters).text
    #expect(text.hasPrefix("model:  # write the model's file here\n"))
    #expect(RecipeText(text).errors().map { $0.contains("model: found no value") } == [true])
    #expect(try RecipeText(text, set: ["model=demo"]).jobs().count == 1)
    #expect(ImageRecipe.json(parameters)["steps"] == 20)
  }
}
