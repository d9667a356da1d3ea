import Foundation
import Imaging
import Testing

/// Prompts that a recipe composes, as the images record them.
@Suite struct PromptTests {
  @Test func `styles, wildcards and prompt S/R are in the images as they were made`() async throws {
    let space = try Workspace(
      recipe: """
        model: model.safetensors
        prompt: "# __nothing__ yet\\na small boat under a __sky__ sky"
        negative_prompt: no __sky__
        size: 64x64
        steps: 1
        seed: 1
        sampler_name: k_euler_a
        styles: [ink, frame]
        grid:
          Prompt S/R: boat, ship
          CFG Scale: 3-5 (+2)
        output: run
        """)
    try space.write(
      "name,prompt,negative_prompt\nink,ink drawing,\"photo, blurry\"\nframe,\"{prompt}, in a frame\",\n",
      to: "styles.csv")
    try space.makeFolder("wildcards")
    try space.write("# Colours of skies\nred\nblue\n", to: "wildcards/sky.txt")
    let plan = try await space.run("plan", "recipe.yaml").output
    #expect(plan.contains("jobs         8\n") && plan.contains("axis         __sky__: 2 values\n"))
    try await space.run("recipe.yaml")
    let jobs = try space.manifestJobs()
    #expect(jobs.count == 8)
    var prompts: [String] = []
    for job in jobs {
      let png = try PNGFile(decoding: [UInt8](space.data("run/" + (job["file"]?.text ?? ""))))
      let lines = try #require(png.text("parameters")).split(separator: "\n", omittingEmptySubsequences: false)
      prompts.append(String(lines[0]))
      let sky = try #require(lines[0].split(separator: " ").dropFirst(5).first)
      #expect(lines[1] == "Negative prompt: no \(sky), photo, blurry")
      #expect(lines[2].hasPrefix("Steps: 1, Sampler: Euler a, Schedule type: Automatic, CFG scale: "))
      #expect(lines[2].contains("Seed: 1, Size: 64x64, ") && lines.count == 3)
      #expect(job["parameters"]?["prompt"]?.text?.contains("__") == false)
    }
    let names = jobs.map { $0["axes"]?.elements?.compactMap { $0["title"]?.text } ?? [] }
    #expect(names[0] == ["boat", "3", "red"] && names[7] == ["ship", "5", "blue"])
    #expect(
      prompts
        == ["boat", "ship"].flatMap { thing in
          ["red", "blue", "red", "blue"].map { "a small \(thing) under a \($0) sky, ink drawing, in a frame" }
        })
  }

  @Test func `a mistake in the recipe's lists ends with code 10 before anything is written`() async throws {
    let space = try Workspace(
      recipe: """
        prompt: a __sky__
        styles: ink
        steps: 1-3
        grid: {FP8 mode: [Enable], Prompt S/R: [x, y]}
        output: run

        """)
    let errors = try await space.run("recipe.yaml", exits: 10).errors
    let lines = errors.split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines[0].hasPrefix("recipe.yaml:2:9: error: styles: found \"ink\""))
    #expect(lines[1].hasPrefix("recipe.yaml:3:8: error: steps: found \"1-3\""))
    #expect(lines[2].hasPrefix("recipe.yaml:4:8: error: found FP8 mode as an axis, which is not supported"))
    #expect(!space.exists("run"))
  }
}
