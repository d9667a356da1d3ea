import Foundation
import JSON
import Testing

/// What the first argument may be instead of a recipe: a run folder, a folder of recipes, or a typing mistake.
@Suite struct ContinuedRunTests {
  // MARK: A run folder

  @Test func `a run folder as argument continues that run, with the recipe gone and its models elsewhere`() async throws
  {
    let space = try Workspace()
    try await space.run("recipe.yaml", "--set", "steps=2", "--no-sheet")
    let before = try space.images()
    let plan = try space.data("run/plan.jsonl")
    let copy = try space.data("run/recipe.yaml")
    for name in before.keys.sorted().prefix(2) { try space.remove("run/images/\(name)") }
    try space.remove("recipe.yaml")
    try await space.run("plan", "./run")
    for argument in ["./run", "run/recipe.yaml"] {
      let child = try await space.run(argument, "--no-sheet")
      #expect(child.output.contains(argument == "./run" ? "2 made" : "nothing to do"))
      #expect(try space.images() == before)
    }
    #expect(try space.data("run/plan.jsonl") == plan && space.data("run/recipe.yaml") == copy)
    #expect(!space.exists("Output"))
  }

  @Test func `options that contradict a run folder are refused`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml", "--set", "seed=1", "--no-sheet")
    for options in [
      ["--set", "steps=9"], ["--precision", "fp32"], ["--memory-limit", "1GiB"], ["--new-seeds"],
    ] {
      let child = try space.start([Child.program, "run/recipe.yaml"] + options, environment: [:])
      #expect(try await child.wait() == .exited(64), "\(options)")
      #expect(child.errors.contains("run/recipe.yaml is a run folder") && child.errors.contains(options[0]))
    }
    let moved = try await space.run("./run", "--output", "other", exits: 64)
    #expect(moved.errors.contains("which cannot be continued in --output other") && !space.exists("other"))
    try await space.run("./run", "--output", "run", "--no-sheet")
    // The copy of the recipe, named as a file and with a separate output, is a recipe.
    try await space.run("run/recipe.yaml", "--output", "other", "--set", "steps=1", "--no-sheet")
    #expect(try space.images("other").count == 1)
  }

  @Test func `an edited recipe in the run folder is the recipe of the run`() async throws {
    let space = try Workspace(recipe: "prompt: a\nsteps: 1\nwidth: 64\nheight: 64\nseed: 1\noutput: run\n")
    try await space.run("recipe.yaml", "--no-sheet")
    let text = try space.text("run/recipe.yaml").replacingOccurrences(of: "seed: 1", with: "seed: 2")
    try space.write(text, to: "run/recipe.yaml")
    try await space.run("./run", "--no-sheet")
    #expect(try space.manifestJobs().map { $0["parameters"]?["seed"] } == [2])
    #expect(try space.text("run/recipe.yaml") == text)
    // The same without a plan.
    try space.remove("run/plan.jsonl")
    try await space.run("./run", "--no-sheet")
    try space.remove("run/plan.jsonl")
    try space.remove("run/recipe.yaml")
    #expect(try await space.run("./run", exits: 10).errors.contains("no readable plan"))
    #expect(try space.images().count == 2)
  }

  // MARK: A folder of recipes

  private static let small = "steps: 1\nwidth: 64\nheight: 64\nseed: 1\n"

  @Test func `a folder of recipes runs them in order, says what it skips, and ends with the worst code`() async throws {
    let space = try Workspace(recipe: nil)
    try space.makeFolder("jobs/old")
    try space.write("prompt: a\n" + Self.small, to: "jobs/b.yaml")
    try space.write("prompt: b\nmodle: x\n" + Self.small, to: "jobs/c.yaml")
    try space.write("prompt: c\n" + Self.small, to: "jobs/a.yml")
    try space.write("prompt: d\noutput: Output/b\n" + Self.small, to: "jobs/d.yaml")
    try space.write(#"{"prompt": "e", "steps": 1, "width": 64, "height": 64, "seed": 1}"#, to: "jobs/e.json")
    try space.write("buy milk", to: "jobs/notes.txt")
    let child = try await space.run("jobs", "--no-sheet", exits: 10)
    #expect(
      child.output.components(separatedBy: "recipe: ").dropFirst().map { $0.prefix { $0 != "\n" } }
        == ["jobs/a.yml", "jobs/b.yaml", "jobs"])
    #expect(child.errors.contains("not run: notes.txt, old/"))
    #expect(child.errors.contains("jobs/c.yaml:2:1: error: found the unknown"), "\(child.errors)")
    #expect(child.errors.contains("jobs/d.yaml: error: its run folder \(space.path)/Output/b belongs to jobs/b.yaml"))
    for run in ["a", "b", "jobs"] { #expect(try space.images("Output/\(run)").count == 1) }
    #expect(try await space.run("plan", "jobs", exits: 10).outputLines.count { $0.hasPrefix("recipe ") } == 3)

    for name in ["c", "d"] { try space.remove("jobs/\(name).yaml") }
    try await space.run("jobs", "--no-sheet", "--quiet")
    try await space.run("jobs", "--output", "one", exits: 64)
  }

  // MARK: Typing mistakes

  @Test(arguments: [("statsu", "status"), ("verfy", "verify"), ("Plan", "plan"), ("inspct", "inspect")])
  func `a mistyped command gets the nearest one as a suggestion`(_ typed: String, _ meant: String) async throws {
    let space = try Workspace(recipe: nil)
    for arguments in [[typed], [typed, "Output/fish"]] {
      let child = try space.start([Child.program] + arguments, environment: [:])
      #expect(try await child.wait() == .exited(64))
      #expect(child.errors.contains("did you mean \"\(meant)\"?"), "\(child.errors)")
    }
  }

  @Test func `a recipe may be called almost like a command, and a mistyped option gets a suggestion too`() async throws
  {
    let space = try Workspace(recipe: nil)
    try space.write("prompt: a\n" + Self.small, to: "plans")
    try await space.run("plans", "--no-sheet")
    #expect(try await space.run("plans", "--ouput", "x", exits: 64).errors.contains("--output"))
    #expect(try await space.run("nothing.yaml", exits: 10).errors.contains("no such file"))
    #expect(try await space.run("plans", "--set", "stpes=2", exits: 10).errors.contains("did you mean \"steps\"?"))
  }

  // MARK: Plan

  @Test func `plan exits with 10 where a run would, and makes nothing`() async throws {
    let space = try Workspace(recipe: "model: none.safetensors\nprompt: a\n" + Self.small)
    let missing = try await space.run("plan", "recipe.yaml", exits: 10)
    #expect((missing.output + missing.errors).contains("none.safetensors"))
    try space.write("prompt: a <lora:none:1>\n" + Self.small, to: "lora.yaml")
    try await space.run("plan", "lora.yaml", exits: 10)
    #expect(try await space.run("plan", "lora.yaml", "--json", exits: 10).output.hasPrefix("{"))
    // A file where the run folder should be.
    try space.write("prompt: a\noutput: .\n" + Self.small, to: "fish.yaml")
    try space.write("<h1>mine</h1>", to: "index.html")
    for command in ["plan", "run"] {
      let child = try await space.run(command, "fish.yaml", exits: 10)
      #expect(child.errors.contains("\(space.path)/index.html, \(space.path)/recipe.yaml: found in an output folder"))
    }
    #expect(try space.text("index.html") == "<h1>mine</h1>" && !space.exists("run.lock"))
    let wrong = ["SDBATCH_WEBHOOK_TIMEOUT": "never"]
    try await space.run("plan", "fish.yaml", "--output", "new", environment: wrong, exits: 10)
    try await space.run("plan", "fish.yaml", "--output", "new")
    #expect(!space.exists("new"))
  }

  @Test func `plan and run say so before images are made again on another machine`() async throws {
    let space = try Workspace(recipe: "prompt: a\noutput: run\n" + Self.small)
    try await space.run("recipe.yaml", "--no-sheet")
    let isa = try #require(space.manifest()["engine"]?["isa"]?.text)
    guard isa != "portable" else { return }
    let before = try space.images()
    let portable = ["SDBATCH_ISA": "portable"]
    for command in ["plan", "run"] {
      let child = try await space.run(command, "recipe.yaml", environment: portable, exits: 10)
      #expect((child.errors + child.output).contains("--accept-isa keeps them"), "\(child.errors)")
    }
    #expect(try await space.run("why", "run", environment: portable).output.contains("0 of 1 jobs will run"))
    let kept = try await space.run("recipe.yaml", "--accept-isa", "--no-sheet", environment: portable)
    #expect(kept.errors.contains("1 image exists with \(isa)") && kept.output.contains("nothing to do"))
    #expect(try space.images() == before && space.manifestJobs()[0]["isa"]?.text == isa)
    try await space.run("verify", "run")
    try await space.run("recipe.yaml", "--remake", "--no-sheet", environment: portable)
    #expect(try space.images().count == 2)
  }
}
