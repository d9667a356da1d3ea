import Foundation
import Infotext
import JSON
import Testing
import TestSupport

/// Dynamic prompts and prompts from files, with the program itself.
@Suite struct DynamicPromptCommandTests {
  private static let recipe = """
    model: model.safetensors
    prompt: "a {small|large|wide} boat, __sky__"
    negative_prompt: "{2$$, $$blur|noise|text}"
    dynamic_prompts: random
    width: 64
    height: 64
    sampler_name: Euler a
    steps: 2
    grid:
      seed: [-1, -1, -1, -1]
      cfg_scale: [3, 7]
    output: run

    """

  private func workspace(_ recipe: String = recipe) throws -> Workspace {
    let space = try Workspace(recipe: recipe)
    try space.makeFolder("wildcards")
    try space.write("red\nblue\n{gold|brown}\n", to: "wildcards/sky.txt")
    return space
  }

  private func prompts(_ space: Workspace, _ run: String = "run") throws -> [String] {
    try space.manifestJobs(run).map { job in
      "\(job["parameters"]?["prompt"]?.text ?? "") - \(job["parameters"]?["negative_prompt"]?.text ?? "")"
    }
  }

  @Test func `shards and interrupted runs have the same prompts and images, and images are made again from their text`()
    async throws
  {
    let whole = try workspace()
    try await whole.run("recipe.yaml", "--no-sheet")
    let expected = try prompts(whole)
    #expect(expected.count == 8 && expected.allSatisfy { !$0.contains("{") && !$0.contains("__") })

    let space = try workspace()
    try space.makeFolder("run")
    try space.write(try whole.data("run/seeds.json"), to: "run/seeds.json")
    let child = try space.start("recipe.yaml", "--checkpoint-every", "0", "--json")
    try child.wait { child.output.contains(#""step":1,"#) }
    child.kill(SIGKILL)
    _ = try await child.wait()
    try await space.run("recipe.yaml", "--no-sheet")
    #expect(try prompts(space) == expected)
    #expect(try space.images() == whole.images())

    let shards = try workspace()
    try shards.makeFolder("run")
    try shards.write(try whole.data("run/seeds.json"), to: "run/seeds.json")
    for shard in ["1/2", "0/2"] { try await shards.run("recipe.yaml", "--shard", shard) }
    try await shards.run("collect", "run", "--no-sheet")
    #expect(try prompts(shards) == expected)
    #expect(try shards.images() == whole.images())
    try await shards.run("verify", "run")

    let job = try #require(try whole.manifestJobs().first)
    let text = try #require(job["infotext"]?.text)
    let prompt = try #require(job["parameters"]?["prompt"]?.text)
    #expect(text.hasPrefix(prompt + "\nNegative prompt: "))
    #expect(
      text.contains(#"Template: "a {small|large|wide} boat, __sky__", Negative Template: "{2$$, $$blur|noise|text}""#))
    #expect(job["parameters"]?["prompt_template"]?.text == "a {small|large|wide} boat, __sky__")
    let file = try #require(job["file"]?.text)
    let again = try await whole.run("reproduce", "run/\(file)")
    #expect(!again.errors.contains("Template") && !again.output.contains("Template"), "\(again.output)\(again.errors)")
  }

  @Test func `all prompts are the axis of a run, its sheet and its page`() async throws {
    let space = try workspace(
      """
      model: model.safetensors
      prompt: "a {small|large} boat, __sky__"
      dynamic_prompts: combinatorial
      width: 64
      height: 64
      steps: 1
      output: run
      sheet: {y: dynamic_prompts}

      """)
    try await space.run("recipe.yaml")
    let jobs = try space.manifestJobs()
    #expect(
      jobs.compactMap { $0["parameters"]?["prompt"]?.text } == [
        "a small boat, blue", "a small boat, red", "a small boat, gold", "a small boat, brown", "a large boat, blue",
        "a large boat, red", "a large boat, gold", "a large boat, brown",
      ])
    #expect(jobs.last?["axes"]?.elements?.first?["name"]?.text == "dynamic_prompts")
    #expect(jobs.last?["axes"]?.elements?.first?["title"]?.text == "a large boat, brown")
    #expect(space.exists("run/contact-sheet.png") && space.exists("run/index.html"))
  }

  @Test func `a request's images have prompts of their own, with the templates in their text`() async throws {
    let space = try workspace("prompt: x\n")
    try space.write(
      #"""
      {"id": "a", "input": {"prompt": "a {small|large|wide} boat, __sky__", "negative_prompt": "{blur|noise}", "seed": 3,
       "n_iter": 3, "steps": 2, "width": 64, "height": 64, "enable_hr": true, "denoising_strength": 0.5, "hr_scale": 1.25,
       "hr_prompt": "{near|far}", "hr_negative_prompt": "{dark|bright}",
       "override_settings": {"sd_model_checkpoint": "model", "dynamic_prompts": "random"}}}
      """#, to: "request.json")
    try await space.run("request.json", "--output", "run")
    let jobs = try space.manifestJobs()
    let info = try JSONValue(
      parsing: try #require(JSONValue(parsing: try space.text("run/responses/a.json"))["output"]?["info"]?.text))
    #expect(jobs.count == 3 && info["all_prompts"]?.elements?.count == 3)
    for (number, job) in jobs.enumerated() {
      let text = try #require(job["infotext"]?.text)
      let prompt = try #require(job["parameters"]?["prompt"]?.text)
      #expect(!prompt.contains("{") && !prompt.contains("__") && text.hasPrefix(prompt + "\n"))
      #expect(info["all_prompts"]?.elements?[number].text == prompt)
      #expect(info["infotexts"]?.elements?[number].text == text)
      let templates =
        #"Template: "a {small|large|wide} boat, __sky__", Negative Template: {blur|noise}, "#
        + "Hires template: {near|far}, Hires negative template: {dark|bright}, "
      #expect(text.contains(templates), "\(text)")
      #expect(text.contains(/Hires prompt: (near|far), Hires negative prompt: (dark|bright),/), "\(text)")
      let again = try await space.run("reproduce", "run/\(try #require(job["file"]?.text))")
      #expect(!again.errors.contains("emplate") && !again.output.contains("emplate"), "\(again.output)\(again.errors)")
    }
    let idle = try await space.run("request.json", "--output", "run", "--summary")
    #expect(idle.output.contains("3 of 3 done, 0 failed (nothing to do)"), "\(idle.output)")
    try await space.run("verify", "run")
  }

  @Test func `prompts come from the standard input`() async throws {
    let space = try workspace(
      "model: model.safetensors\nprompts_from: '-'\nwidth: 64\nheight: 64\nsteps: 1\noutput: run\n")
    let child = try space.startShell(
      #"printf 'a boat\n--prompt "a fish" --steps 2 --seed 5\n' | exec "$0" recipe.yaml --no-sheet"#)
    #expect(try await child.wait() == .exited(0), "\(child.errors)")
    let jobs = try space.manifestJobs()
    #expect(jobs.compactMap { $0["parameters"]?["prompt"]?.text } == ["a boat", "a fish"])
    #expect(jobs[1]["parameters"]?["steps"]?.integerValue == 2 && jobs[1]["parameters"]?["seed"]?.integerValue == 5)
  }
}
