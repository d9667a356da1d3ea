import Settings
import Testing

@testable import Recipes

@Suite struct SubseedTests {
  @Test func `a subseed is drawn if a strength is given, and kept like a seed`() throws {
    let jobs = try RecipeText("seed: 1\ngrid: {subseed_strength: [0, 0.5], steps: [1, 2]}").jobs()
    let drawn = Set(jobs.map(\.settings.subseed))
    #expect(drawn.count == 1)
    #expect((drawn.first ?? -1) >= 0)
    #expect(try RecipeText("seed: 1\nsteps: 3").jobs().map(\.settings.subseed) == [-1])
    let axis = try RecipeText("seed: 1\nsubseed_strength: 0.5\ngrid: {subseed: [-1, 7, -1]}").jobs()
    #expect(axis[1].settings.subseed == 7)
    #expect(axis.allSatisfy { $0.settings.subseed >= 0 })
    #expect(axis[0].axes[0].value == "\(axis[0].settings.subseed)")
    #expect(axis[0].settings.subseed != axis[2].settings.subseed)
  }

  @Test func `a given eta applies to DDIM too, and overrides eta_ddim`() throws {
    let given = try RecipeText("sampler_name: DDIM\neta: 0.5\neta_ddim: 0.2").jobs()[0].settings
    #expect(given.etaDDIM == 0.5)
    #expect(try RecipeText("sampler_name: DDIM\neta_ddim: 0.2").jobs()[0].settings.etaDDIM == 0.2)
    #expect(try RecipeText("sampler_name: DDIM").jobs()[0].settings.etaDDIM == 0)
  }

  @Test func `flags are true or false in any letter case`() throws {
    let jobs = try RecipeText("grid: {sgm_noise_multiplier: [True, false]}").jobs()
    #expect(jobs.map(\.settings.sgmNoiseMultiplier) == [true, false])
    #expect(RecipeText("sgm_noise_multiplier: maybe").errors().count == 1)
  }

  @Test(arguments: [
    "DPM++ 2M SDE Heun Karras", "DPM++ 2M SDE Heun Exponential", "DPM++ 3M SDE Karras", "DPM2 a Karras", "LMS Karras",
    "Restart", "UniPC", "PLMS", "DDIM", "DDIM CFG++", "LCM", "DPM fast", "DPM adaptive", "DPM++ 2S a Karras",
  ])
  func `the webui's names resolve`(name: String) { #expect(SamplerID.resolve(name) != nil) }
}
