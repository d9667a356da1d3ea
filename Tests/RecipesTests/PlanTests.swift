import Foundation
import Recipes
import Settings
import Testing
import TestSupport

@Suite struct PlanTests {
  /// The titles of each job's axes, separated by spaces.
  private func cells(_ text: RecipeText) throws -> [String] {
    try text.jobs().map { $0.axes.map(\.title).joined(separator: " ") }
  }

  @Test func `grid axes multiply in the written order, the last fastest, and zip groups follow`() throws {
    #expect(
      try cells("grid: {steps: [1, 2], cfg_scale: [5, 6]}\nzip: [{eta: [0, 1], width: [64, 72]}, {seed: [7, 8]}]")
        == [
          "1 5 0 64 7", "1 5 0 64 8", "1 5 1 72 7", "1 5 1 72 8", "1 6 0 64 7", "1 6 0 64 8", "1 6 1 72 7",
          "1 6 1 72 8",
          "2 5 0 64 7", "2 5 0 64 8", "2 5 1 72 7", "2 5 1 72 8", "2 6 0 64 7", "2 6 0 64 8", "2 6 1 72 7",
          "2 6 1 72 8",
        ])
    // The same, even if zip comes first in the file.
    #expect(try cells("zip: [{eta: [0, 1]}]\ngrid: {steps: [1, 2]}") == ["1 0", "1 1", "2 0", "2 1"])
  }

  @Test func `cells are excluded by value, by title and by lists, and included cells come last`() throws {
    let grid = "grid: {steps: [1, 2, 3], cfg_scale: [5, 9.5], look: [{title: ink, eta: 0.5}, {title: oil}]}\n"
    #expect(
      try cells(RecipeText(grid + "exclude: [{cfg_scale: 9.50, steps: [1, 3]}, {look: oil}]"))
        == ["1 5 ink", "2 5 ink", "2 9.5 ink", "3 5 ink"])
    #expect(
      try cells(
        RecipeText(
          grid
            + "exclude: [{steps: \"1, 2\"}, {eta: 0.5, cfg_scale: 5}]\ninclude: [{steps: 1}, {}, {look: ink, seed: 4}]")
      )
        == ["3 5 oil", "3 9.5 ink", "3 9.5 oil", "1", "", "ink 4"])
    let jobs = try RecipeText(grid + "exclude: [{steps: 2}]\ninclude: [{steps: 2}, {look: ink}]").jobs()
    #expect(jobs.suffix(2).map(\.settings.steps) == [2, 20])
    #expect(jobs.suffix(2).map(\.settings.eta) == [1, 0.5])
    #expect(jobs.suffix(2).map { $0.axes.map(\.name) } == [["steps"], ["look"]])
  }

  @Test func `excludes compare a cell's resolved values, including defaults and appended text`() throws {
    let styles =
      "prompt: fish\ngrid: {cfg_scale: [5, 7], style: [{title: a}, {title: b, cfg_scale: 9, prompt_append: \" in oil\"}]}\n"
    #expect(try cells(RecipeText(styles + "exclude: [{cfg_scale: 9}]")) == ["5 a", "7 a"])
    #expect(try cells(RecipeText(styles + "exclude: [{prompt: fish in oil}]")) == ["5 a", "7 a"])
    #expect(
      try cells(RecipeText(styles + "exclude: [{prompt_append: \" in oil\", cfg_scale: 9, width: 512}]")) == [
        "5 a", "7 a",
      ])
    let samplers = "grid: {sampler_name: [Euler, DPM++ 2M Karras, DPM++ 2M], scheduler: [automatic, exponential]}\n"
    #expect(
      try cells(RecipeText(samplers + "exclude: [{sampler_name: dpm++ 2m}]")) == [
        "Euler automatic", "Euler exponential",
      ])
    #expect(
      try cells(RecipeText(samplers + "exclude: [{sampler_name: DPM++ 2M Karras}]")) == [
        "Euler automatic", "Euler exponential", "DPM++ 2M Karras exponential", "DPM++ 2M automatic",
        "DPM++ 2M exponential",
      ])
    #expect(try cells("vae:\ngrid: {steps: [1, 2]}\nexclude: [{vae: automatic, steps: 1}]") == ["2"])
    // Also a title that looks like a number.
    #expect(
      try cells("grid: {steps: [{title: few, value: 4}, {title: \"9\", value: 30}]}\nexclude: [{steps: few}]") == ["9"])
    #expect(
      try cells("grid: {steps: [{title: few, value: 4}, {title: \"9\", value: 30}]}\nexclude: [{steps: 9}]") == ["few"])
  }

  @Test func `excludes that leave no cell are an error`() {
    #expect(
      RecipeText("steps: 5\nexclude: [{steps: 5}]").errors()
        == ["fish.yaml:2:11: error: exclude: no cell is left, expected at least one"])
  }

  @Test func `appended texts of base, axes and included cells are joined after the prompt`() throws {
    let jobs = try RecipeText(
      """
      prompt: fish
      prompt_append: ", wet"
      negative_prompt: fog
      grid:
        ink: [{title: a, prompt_append: ", ink"}]
        prompt: [cat, dog]
        negative_prompt_append: [", rain", ""]
      include: [{prompt_append: "!", negative_prompt: ""}]
      """
    ).jobs()
    #expect(
      jobs.map(\.settings.prompt) == [
        "cat, wet, ink", "cat, wet, ink", "dog, wet, ink", "dog, wet, ink", "fish, wet!",
      ])
    #expect(jobs.map(\.settings.negativePrompt) == ["fog, rain", "fog", "fog, rain", "fog", ""])
  }

  @Test func `text is never split at commas, numbers and names are, and bars split anything`() throws {
    #expect(try cells("grid: {prompt: \"a, b\"}") == ["a, b"])
    #expect(try cells("grid:\n  prompt: a fish, red || a cat, blue") == ["a fish, red", "a cat, blue"])
    #expect(try cells("grid:\n  prompt: a, b ||c||  d ") == ["a, b", "c", "d"])
    #expect(try cells("grid: {prompt: ['a || b', c]}") == ["a || b", "c"])
    #expect(try cells("grid: {prompt: '\"a || b\" || '' c ''|| d\"'}") == ["a || b", " c ", "d\""])
    #expect(try cells("grid: {prompt_append: '|| , oil'}") == ["", ", oil"])
    #expect(try cells("grid:\n  sampler_name: Euler a, \"Heun\" ,LMS Karras") == ["Euler a", "Heun", "LMS Karras"])
    #expect(try cells("grid: {sampler_name: Euler a || Heun}") == ["Euler a", "Heun"])
    #expect(try cells("grid: {cfg_scale: 5 || 7.0}") == ["5", "7.0"])
    #expect(try cells("grid: {steps: 5}") == ["5"])
    #expect(try cells("grid:\n  steps: 5, 7,9") == ["5", "7", "9"])
    #expect(try cells("grid: {s_tmax: [~, 0, 3]}") == ["none", "0", "3"])
  }

  @Test func `a long-form axis of a key may add a title and more settings`() throws {
    let text = RecipeText(
      """
      grid:
        cfg_scale:
          - 5
          - {title: strong, value: 12, steps: 40}
          - {value: 3}
          - {eta: 0, steps: 30}
      """)
    let jobs = try text.jobs()
    #expect(jobs.map(\.axes[0].title) == ["5", "strong", "3", "eta: 0, steps: 30"])
    #expect(jobs.map(\.axes[0].value) == ["5", "12", "3", "eta: 0, steps: 30"])
    #expect(jobs.map(\.settings.cfgScale) == [5, 12, 3, 7])
    #expect(jobs.map(\.settings.steps) == [20, 40, 20, 30])
  }

  @Test func `a schedule in a sampler's name holds until a later scheduler or sampler`() throws {
    func schedules(_ text: RecipeText) throws -> [ScheduleID] { try text.jobs().map(\.settings.scheduler) }
    #expect(
      try schedules("sampler_name: DPM++ 2M Karras\ngrid: {scheduler: [exponential, karras]}") == [
        .exponential, .karras,
      ])
    #expect(
      try schedules("sampler_name: DPM++ 2M Karras\ngrid: {sampler_name: [Heun, LMS Exponential]}") == [
        .automatic, .exponential,
      ])
    #expect(
      try schedules("scheduler: uniform\ngrid: {sampler_name: [Heun, LMS Exponential]}") == [.uniform, .exponential])
    #expect(try schedules("scheduler: automatic\nsampler_name: DPM++ SDE Karras") == [.karras])
    #expect(try schedules("scheduler: Karras\nsampler_name: DPM++ SDE Karras") == [.karras])
    #expect(try schedules("scheduler: Polyexponential") == [.polyexponential])
  }

  @Test func `cells with the demo model have its size unless the recipe sets another`() throws {
    let folder = try TemporaryFolder(["other.safetensors"])
    let environment = PlanningEnvironment(modelFolders: [folder.path], demoWidth: 64, demoHeight: 96)
    func sizes(_ text: String) throws -> [String] {
      try RecipeText(text, environment: environment).jobs().map { "\($0.settings.width)x\($0.settings.height)" }
    }
    #expect(try sizes("prompt: a") == ["64x96"])
    #expect(try sizes("width: 128") == ["128x96"])
    #expect(try sizes("grid: {model: [demo, other], height: [8, 16]}") == ["64x8", "64x16", "512x8", "512x16"])
    #expect(try sizes("grid: {model: [demo, other]}\nexclude: [{width: 512}]") == ["64x96"])
    #expect(try sizes("model: other\ninclude: [{model: demo}]") == ["512x512", "64x96"])
  }

  @Test func `seeds of -1 are drawn once for the base and one by one in lists`() throws {
    var seeds = SeedDraws()
    let text = RecipeText(
      """
      seed: -1
      grid:
        steps: [1, 2]
        style: [{title: a}, {title: b, seed: -1}, {title: c, seed: 5}]
      include: [{seed: -1}, {steps: 3}, {seed: 6}]
      """)
    let plan = try text.plan(seeds: &seeds)
    let drawn = plan.jobs.map(\.settings.seed)
    #expect(drawn.allSatisfy { (0...4_294_967_293).contains($0) })
    let (base, styled, included) = (drawn[0], drawn[1], drawn[6])
    #expect(drawn == [base, styled, 5, base, styled, 5, included, base, 6])
    #expect(Set([base, styled, included]).count == 3)
    #expect(seeds.seeds == ["seed": base, "style[1].seed": styled, "include[0].seed": included])
  }

  @Test func `draws survive a run, a file and an edit of the recipe`() throws {
    var seeds = SeedDraws()
    let first = try RecipeText("grid: {seed: [-1, 3, -1]}").plan(seeds: &seeds).jobs.map(\.settings.seed)
    #expect(first[1] == 3)
    #expect(first[0] != first[2])
    let file = try JSONEncoder().encode(seeds)
    #expect(try JSONSerialization.jsonObject(with: file) is [String: Int64])
    var again = try JSONDecoder().decode(SeedDraws.self, from: file)
    #expect(try RecipeText("grid: {seed: [-1, 3, -1]}").plan(seeds: &again).jobs.map(\.settings.seed) == first)
    #expect(again == seeds)
    let edited = try RecipeText("zip: [{seed: [-1, 4, -1, -1], steps: [1, 2, 3, 4]}]").plan(seeds: &again)
    #expect(Array(edited.jobs.map(\.settings.seed).prefix(3)) == [first[0], 4, first[2]])
    #expect(again.seeds.count == seeds.seeds.count + 1)
    #expect(throws: DecodingError.self) { try JSONDecoder().decode(SeedDraws.self, from: Data(#"{"seed": -1}"#.utf8)) }
  }

  @Test func `the axis shows the drawn seed`() throws {
    let jobs = try RecipeText("grid: {seed: -1 || 7}").jobs()
    #expect(jobs.map { $0.axes[0].title } == jobs.map { "\($0.settings.seed)" })
    #expect(jobs[1].axes[0].value == "7")
    #expect(try RecipeText("grid: {seed: [{title: any, value: -1}]}").jobs()[0].axes[0].title == "any")
  }
}
