import Foundation
import Jobs
import Planning
import Testing

@Suite struct PromptOptionTests {
  @Test func `comments leave both prompts unless the option is off`() throws {
    let recipe = "prompt: \"fish # no star\\nin oil\"\nnegative_prompt: \"#all\"\n"
    let stripped = try #require(try RecipeText(recipe).jobs().first).parameters
    #expect(stripped.prompt == "fish \nin oil")
    #expect(stripped.negativePrompt == "\n")
    let kept = try #require(try RecipeText(recipe + "enable_prompt_comments: false").jobs().first).parameters
    #expect(kept.prompt == "fish # no star\nin oil")
  }

  @Test func `emphasis and old timelines are settings and axes`() throws {
    let jobs = try RecipeText(
      "prompt: (fish)\ngrid: {emphasis: [None, ignore, Original, No norm], use_old_scheduling: [true, false]}"
    ).jobs()
    #expect(
      jobs.map(\.parameters.emphasis) == [.none, .none, .ignore, .ignore, .original, .original, .noNorm, .noNorm])
    #expect(jobs.map(\.parameters.timelines) == [.old, .current, .old, .current, .old, .current, .old, .current])
    let errors = RecipeText("emphasis: loud").errors()
    #expect(errors.count == 1 && errors[0].contains("None, Ignore, Original or No norm"))
  }

  @Test func `axes may bear the names of the webui's plot, in any case`() throws {
    let jobs = try RecipeText(
      "grid: {CFG Scale: [5, 6], sampler: [Euler, Heun], schedule type: [Karras], Clip skip: [1, 2], RNG source: [CPU]}"
    ).jobs()
    #expect(jobs.map(\.parameters.cfgScale) == [5, 5, 5, 5, 6, 6, 6, 6])
    #expect(jobs.map(\.parameters.sampler) == [.euler, .euler, .heun, .heun, .euler, .euler, .heun, .heun])
    #expect(jobs.map(\.parameters.clipSkip) == [1, 2, 1, 2, 1, 2, 1, 2])
    #expect(Set(jobs.map(\.parameters.scheduler)) == [.karras] && Set(jobs.map(\.parameters.rng)) == [.cpu])
    #expect(jobs[0].axes.map(\.name) == ["cfg_scale", "sampler_name", "scheduler", "clip_skip", "rng"])
    let sigmas = try RecipeText("grid: {Sigma churn: [1], Sigma Min: [2], Sigma max: [3], Sigma noise: [0.5]}").jobs()
    let first = try #require(sigmas.first).parameters
    #expect([first.sChurn, first.sTmin, first.sTmax ?? 0, first.sNoise] == [1, 2, 3, 0.5])
    #expect(RecipeText("grid: {Steps: [1, 2], steps: [3]}").errors().count == 1)
  }

  @Test func `a plan of an earlier version is read with the usual emphasis and timelines`() throws {
    let data = try JSONEncoder().encode(JobParameters())
    var object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    #expect(object.removeValue(forKey: "emphasis") != nil)
    #expect(object.removeValue(forKey: "use_old_scheduling") as? Bool == false)
    let read = try JSONDecoder().decode(JobParameters.self, from: JSONSerialization.data(withJSONObject: object))
    #expect(read == JobParameters())
  }
}
