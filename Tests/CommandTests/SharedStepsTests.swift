import Foundation
import JSON
import Testing
import TestSupport

/// Grids whose cells have steps in common, with the program and the engine.
@Suite struct SharedStepsTests {
  /// A grid, and how many steps it takes if common steps are taken once.
  struct Grid: CustomTestStringConvertible, Sendable {
    let name: String
    let settings: String
    /// Each axis with its values as YAML.
    let axes: [(key: String, values: [String])]
    let steps: Int

    var testDescription: String { name }

    private static let head = """
      model: model.safetensors
      prompt: a small boat
      size: 64x64

      """

    /// The recipe of the whole grid.
    var recipe: String {
      let axes = axes.map { "  \($0.key): [\($0.values.joined(separator: ", "))]\n" }.joined()
      return Self.head + settings + "\noutput: run\ngrid:\n" + axes
    }

    /// A recipe with one image for each cell, in the grid's order.
    var cells: [String] {
      let cells = axes.reduce([""]) { cells, axis in
        cells.flatMap { cell in axis.values.map { cell + "\(axis.key): \($0)\n" } }
      }
      // A key of an axis replaces the one of the settings.
      let prompt = Self.head.replacingOccurrences(of: "prompt: a small boat\n", with: "")
      let head = axes.contains { $0.key == "prompt" } ? prompt : Self.head
      return cells.map { head + settings + "\n" + $0 }
    }
  }

  static let grids = [
    Grid(
      name: "VAEs: the steps of one",
      settings: "steps: 3\nsampler_name: Euler a",
      axes: [("vae", ["model.safetensors", "taesd_decoder.safetensors"]), ("seed", ["1", "2", "3"])], steps: 3 * 3),
    Grid(
      name: "hires fix: one first pass",
      settings: "steps: 4\nsampler_name: DPM++ 2M\nhr_second_pass_steps: 2\nenable_hr: true\nhr_scale: 1.5\nseed: 1",
      axes: [("hr_upscaler", ["Latent", "Lanczos"]), ("denoising_strength", ["0.4", "0.7"])], steps: 4 + 4 * 2),
    Grid(
      name: "edits at a call, with a sampler of two calls a step",
      settings: "steps: 6\nsampler_name: Heun\nseed: 1",
      axes: [("prompt", ["\"a [boat:ship:0.5]\"", "\"a [boat:tree:0.5]\"", "a boat"])], steps: 6 + 3 + 3),
    Grid(
      name: "guidance that begins later",
      settings: "steps: 5\nsampler_name: DPM++ 2M SDE\nseed: 1", axes: [("skip_early_cond", ["0.2", "0.4"])],
      steps: 5 + 3),
    Grid(
      name: "guidance that ends",
      settings: "steps: 10\nsampler_name: DPM++ 2M\nseed: 1",
      axes: [("guidance_interval", ["[0, 0.5]", "[0, 0.8]", "[0.2, 0.8]"])], steps: 10 + 5 + 10),
    Grid(
      name: "changed guidance: equal until guidance begins",
      settings: "steps: 8\nsampler_name: DPM++ 2M\nseed: 1\nguidance_interval: [0.5, 1]",
      axes: [("cfg_rescale", ["0", "0.7"]), ("apg_eta", ["1", "0"])], steps: 8 + 3 * 4),
    Grid(
      name: "changed guidance of the second pass: equal until guidance begins there",
      settings: """
        steps: 4
        sampler_name: Euler
        seed: 1
        enable_hr: true
        hr_scale: 1.5
        hr_second_pass_steps: 4
        denoising_strength: 0.99
        hr_guidance_interval: [0.5, 1]
        """,
      axes: [("hr_cfg_rescale", ["0", "0.7"]), ("hr_apg_momentum", ["null", "-0.5"])], steps: 4 + 2 + 4 * 2),
    Grid(
      name: "momentum: what later calls need of earlier ones is in the shared state",
      settings: "steps: 6\nsampler_name: Euler\nseed: 1\napg_momentum: -0.5",
      // In the webui, the step after half of them still has the first text.
      axes: [("prompt", ["\"a [boat:ship:0.5]\"", "\"a [boat:tree:0.5]\""])], steps: 6 + 2),
    Grid(
      name: "forecasts with other intervals: equal until the first call that differs",
      settings: "steps: 9\nsampler_name: Euler\nseed: 1",
      axes: [("feature_forecast", ["1", "2", "3"])], steps: 9 + 9 + 5),
    Grid(
      name: "forecasts of which the guidance ends, with a sampler of two calls a step, and a second pass",
      settings: """
        steps: 8
        sampler_name: Heun
        seed: 1
        feature_forecast: 2
        enable_hr: true
        hr_scale: 1.5
        hr_second_pass_steps: 2
        """,
      axes: [("guidance_interval", ["[0, 0.75]", "[0, 1]"]), ("hr_feature_forecast", ["1", "2"])], steps: 8 + 2 + 4 * 2),
    Grid(
      name: "edits in the second pass, whose calls are counted on",
      settings: "steps: 2\nsampler_name: Euler a\nseed: 1\nenable_hr: true\nhr_scale: 1.5\nhr_second_pass_steps: 4",
      axes: [("hr_prompt", ["\"a [boat:ship:1.5]\"", "\"a [boat:tree:1.5]\"", "a boat", "a tree"])],
      // The edit is at "step" 2 of the pass, which in the webui still has the first text.
      steps: 2 + 4 + 1 + 1 + 4),
    Grid(
      name: "guidance of the second pass that ends, and another cfg_scale over the same enlarged image",
      settings: """
        steps: 2
        sampler_name: DPM++ 2M
        seed: 1
        enable_hr: true
        hr_scale: 1.5
        hr_second_pass_steps: 4
        hr_upscaler: Lanczos
        """,
      axes: [("hr_guidance_interval", ["[0, 0.5]", "[0, 1]"]), ("hr_cfg", ["3", "9"])], steps: 2 + 2 * (4 + 2)),
    Grid(
      name: "feature cache: resumable calls only",
      settings: "steps: 6\nsampler_name: DPM++ 2M\nseed: 1\nfeature_cache: 3",
      axes: [("prompt", ["\"a [boat:ship:0.7]\"", "a boat"])], steps: 6 + 3),
    Grid(
      name: "weights in an edited prompt: nothing, because of emphasis",
      settings: "steps: 4\nsampler_name: Euler\nseed: 1",
      axes: [("prompt", ["\"a (b:1.3) [boat:ship:0.5]\"", "\"a (b:1.3) [boat:tree:0.5]\""])], steps: 8),
  ]

  /// A folder with the model and a tiny VAE.
  private func space(_ recipe: String) throws -> Workspace {
    let space = try Workspace(recipe: recipe)
    for name in ["model.safetensors", "vocab.json", "merges.txt", "taesd_decoder.safetensors"] {
      try space.write(RandomModels.data(name), to: name)
    }
    return space
  }

  @Test(arguments: grids)
  func `images are those that each cell makes alone, and common steps are taken once`(_ grid: Grid) async throws {
    let space = try space(grid.recipe)
    let plan = try JSONValue(parsing: try await space.run("plan", "recipe.yaml", "--json").output)
    try await space.run("recipe.yaml", "--no-sheet")
    let jobs = try space.manifestJobs()
    #expect(jobs.count == grid.cells.count)
    for (index, (cell, job)) in zip(grid.cells, jobs).enumerated() {
      try space.write(cell + "output: alone\(index)\n", to: "cell.yaml")
      try await space.run("cell.yaml", "--no-sheet", "--no-reuse")
      let image = try #require(try space.manifestJobs("alone\(index)").first)
      #expect(image["id"] == job["id"])
      #expect(image["sha256"] == job["sha256"])
    }
    let trace = try space.text("run/trace.tsv").split(separator: "\n").map {
      $0.split(separator: "\t", omittingEmptySubsequences: false)
    }
    let shared = try #require(trace[0].firstIndex(of: "steps_shared"))
    let asked = try #require(trace[0].firstIndex(of: "steps"))
    let taken = trace.dropFirst().reduce(0) { $0 + (Int($1[asked]) ?? 0) - (Int($1[shared]) ?? 0) }
    #expect(taken == grid.steps)
    // With a feature cache, fewer steps may be shared than planned: images continue at calls that compute everything.
    let isExact = !grid.settings.contains("feature_cache")
    #expect(plan["estimate"]?["steps_to_make"]?.integerValue == Int64(grid.steps) || !isExact)
    #expect(try FileManager.default.contentsOfDirectory(atPath: space.path + "/run/checkpoints").isEmpty)
  }
}
