import Foundation
import JSON
import Settings
import Testing
import TestSupport

/// Every exit code of the program, with its messages.
@Suite struct ExitCodeTests {
  // MARK: 10, the recipe

  @Test func `every mistake of a recipe is reported at once with its position, and nothing is written`() async throws {
    let space = try Workspace(
      recipe: """
        model: model.safetensors
        promt: a small boat
        steps: many
        width: 65
        grid:
          seed: 1, 2, ..., 4
          sampler_name: [Euler, Eular a]
          cfg_scale: []
        steps: 4
        output: run

        """)
    let child = try await space.run("recipe.yaml", exits: 10)
    #expect(child.output.isEmpty)
    let lines = child.errors.split(separator: "\n").map(String.init)
    let places = ["2:1", "3:8", "4:8", "7:25", "8:14", "9:1"]
    #expect(lines.count == places.count, "\(child.errors)")
    for (line, place) in zip(lines, places) { #expect(line.hasPrefix("recipe.yaml:\(place): error: "), "\(line)") }
    #expect(child.errors.contains("prompt"))
    #expect(child.errors.contains("Euler a"))
    #expect(!space.exists("run") && !space.exists("Output"))
    for command in ["run", "plan"] {
      #expect(try await space.run(command, "recipe.yaml", exits: 10).errors == child.errors)
    }
  }

  @Test func `a mistake in --set is reported with the option`() async throws {
    let space = try Workspace()
    let child = try await space.run("recipe.yaml", "--set", "steps=0", "--set", "colour=red", exits: 10)
    #expect(child.errors.contains("steps") && child.errors.contains("colour"))
    #expect(!space.exists("run"))
  }

  @Test(arguments: ["", "- a\n", "prompt: [\n", "\u{0}", "prompt: a\ngrid: {seed: \"1, 2, ..., 1000000000000\"}\n"])
  func `a file that is not a recipe is an error with a position`(text: String) async throws {
    let space = try Workspace(recipe: text)
    let child = try await space.run("recipe.yaml", exits: 10)
    #expect(child.errors.hasPrefix("recipe.yaml:"), "\(child.errors)")
    #expect(!space.exists("Output"))
  }

  @Test func `a recipe that is missing or a folder is an error that names it`() async throws {
    let space = try Workspace()
    #expect(try await space.run("nowhere.yaml", exits: 10).errors.contains("nowhere.yaml"))
    #expect(try await space.run("plan", "nowhere.yaml", exits: 10).errors.contains("nowhere.yaml"))
    try space.makeFolder("empty")
    #expect(try await space.run("empty", exits: 10).errors.contains("empty"))
  }

  // MARK: 10, models and other inputs

  @Test func `a missing model is an error that names the places looked in`() async throws {
    let space = try Workspace(recipe: "model: nothing.safetensors\noutput: run\n")
    let child = try await space.run("recipe.yaml", exits: 10)
    #expect(child.errors.hasPrefix("recipe.yaml:1:8: error: "))
    #expect(child.errors.contains("nothing.safetensors") && child.errors.contains(RandomModels.folder))
    #expect(!space.exists("run"))
  }

  @Test(arguments: [0, 7, 5000, 4_000_000])
  func `a truncated model is an error that names the file`(length: Int) async throws {
    let space = try Workspace(recipe: Workspace.recipe)
    try space.write(try RandomModels.data("model.safetensors").prefix(length), to: "model.safetensors")
    try space.write(try RandomModels.data("merges.txt"), to: "merges.txt")
    let child = try await space.run("recipe.yaml", exits: 10)
    #expect(child.errors.contains("\(space.path)/model.safetensors: the file is damaged"), "\(child.errors)")
    #expect(!space.exists("run"))
  }

  @Test func `a tensor that is missing is named`() async throws {
    let name = "model.diffusion_model.input_blocks.0.0.bias"
    let space = try Workspace()
    var bytes = try RandomModels.data("model.safetensors")
    // Another name of the same length: one tensor is missing, and another one is not used.
    let found = try #require(bytes.range(of: Data("\"\(name)\"".utf8)))
    bytes.replaceSubrange(found, with: Data("\"\(name.dropLast())t\"".utf8))
    try space.write(bytes, to: "model.safetensors")
    try space.write(try RandomModels.data("merges.txt"), to: "merges.txt")
    let child = try await space.run("recipe.yaml", exits: 10)
    #expect(child.errors.contains(name) && child.errors.contains("\(name.dropLast())t"), "\(child.errors)")
    #expect(!space.exists("run"))
  }

  @Test func `a missing vocabulary is an error that names the places looked in and the file to get`() async throws {
    let space = try Workspace()
    try space.write(try RandomModels.data("model.safetensors"), to: "model.safetensors")
    let child = try await space.run("recipe.yaml", exits: 10)
    #expect(child.errors.contains("\n  \(space.path)\n"))
    #expect(child.errors.contains("\n  \(space.path)/data/sdbatch/clip\n"))
    #expect(child.errors.contains("bpe_simple_vocab_16e6.txt.gz"))
    #expect(!space.exists("run"))

    try space.makeFolder("data/sdbatch/clip")
    for name in ["merges.txt", "vocab.json"] {
      try space.write(try RandomModels.data(name), to: "data/sdbatch/clip/\(name)")
    }
    try await space.run("recipe.yaml", "--set", "seed=1")
  }

  @Test func `a damaged model is reported before anything is written, wherever it is in the grid`() async throws {
    let space = try Workspace(
      recipe: """
        grid:
          model: [model.safetensors, broken.safetensors]
        prompt: a
        width: 64
        height: 64
        steps: 1
        output: run

        """)
    try space.write("no model", to: "broken.safetensors")
    #expect(try await space.run("recipe.yaml", exits: 10).errors.contains("broken.safetensors"))
    #expect(!space.exists("run"))
  }

  @Test func `an instruction set that this machine lacks is an error that names those it has`() async throws {
    let space = try Workspace()
    let child = try await space.run("recipe.yaml", environment: ["SDBATCH_ISA": "mmx"], exits: 10)
    #expect(child.errors.contains("mmx") && child.errors.contains("portable"))
    #expect(!space.exists("run"))
  }

  @Test func `seeds that cannot be read are an error that names the file`() async throws {
    let space = try Workspace()
    try space.makeFolder("run")
    try space.write("seeds", to: "run/seeds.json")
    #expect(try await space.run("recipe.yaml", exits: 10).errors.contains("run/seeds.json"))
  }

  // MARK: 3

  static let oneOfThreeFails = """
    model: model.safetensors
    prompt: a small boat
    width: 64
    height: 64
    steps: 1
    seed: 7
    grid:
      clip_skip: [1, 4, 2]
    output: run

    """

  @Test func `a job that fails does not keep the others from being made, and is tried again`() async throws {
    let space = try Workspace(recipe: Self.oneOfThreeFails)
    for made in ["00000", "00002"] {
      let child = try await space.run("recipe.yaml", exits: 3)
      #expect(child.errors.contains("clip_skip is 4"))
      #expect(try space.images().keys.contains { $0.hasPrefix(made) })
    }
    let jobs = try space.manifestJobs()
    #expect(jobs.map { $0["status"]?.text } == ["done", "failed", "done"])
    #expect(jobs[1]["error"]?.text?.contains("clip_skip is 4") == true)
    #expect(jobs[1]["file"] == .null && jobs[1]["sha256"] == .null && jobs[1]["info"] == .null)
    #expect(try space.manifest()["run"]?["status"] == "failed")
    #expect(space.journal().map { $0["event"]?.text } == ["done", "failed", "done", "failed"])
    let status = try await space.run("status", "run")
    #expect(status.output.contains("2 of 3 done, 1 failed, 0 to do") && status.output.contains("clip_skip is 4"))
  }

  @Test func `with --fail-fast nothing is made after a failure`() async throws {
    let space = try Workspace(recipe: Self.oneOfThreeFails)
    try await space.run("recipe.yaml", "--fail-fast", exits: 3)
    #expect(try space.manifestJobs().map { $0["status"]?.text } == ["done", "failed", "pending"])
    #expect(try space.manifest()["run"]?["status"] == "stopped")
    try await space.run("recipe.yaml", exits: 3)
    #expect(try space.manifestJobs().map { $0["status"]?.text } == ["done", "failed", "done"])
  }

  @Test func `a prompt whose weight is no number fails its own job only`() async throws {
    let recipe = Self.oneOfThreeFails.replacingOccurrences(
      of: "clip_skip: [1, 4, 2]", with: "prompt: [a, \"(b:1.1.1)\", c]")
    let space = try Workspace(recipe: recipe)
    try await space.run("recipe.yaml", exits: 3)
    #expect(try space.manifestJobs().map { $0["status"]?.text } == ["done", "failed", "done"])
  }

  // MARK: 64

  @Test(arguments: [
    [], ["--colour", "recipe.yaml"], ["recipe.yaml", "--threads"],
    ["recipe.yaml", "--threads", "many"], ["recipe.yaml", "--threads", "0"], ["recipe.yaml", "--json", "--quiet"],
    ["recipe.yaml", "--output", ""], ["recipe.yaml", "--until", "25:00"], ["recipe.yaml", "--max-time", "soon"],
    ["recipe.yaml", "--max-time", "-1"], ["recipe.yaml", "--lock-wait", "1h30"], ["recipe.yaml", "--lock-wait", ""],
    ["recipe.yaml", "--checkpoint-every", "1w"], ["recipe.yaml", "--until"], ["run"], ["plan"],
    ["plan", "recipe.yaml", "--cells", "-1"],
    ["status", "run", "--colour"],
  ])
  func `a command line that is not understood is reported with the correct form`(arguments: [String]) async throws {
    let space = try Workspace()
    let child = try space.start([Child.program] + arguments, environment: [:])
    #expect(try await child.wait() == .exited(64), "\(child.output)\(child.errors)")
    #expect(child.output.isEmpty)
    #expect(
      child.errors.hasPrefix("Error: ") && child.errors.lowercased().contains("usage: sdbatch"), "\(child.errors)")
    #expect(!space.exists("run"))
  }

  // MARK: 74

  @Test(
    arguments: [
      ("recipe.yaml", "/recipe.yaml: Not a directory"), ("recipe.yaml/run", "/recipe.yaml: Not a directory"),
      ("/proc/run", " /proc/run: "), ("/dev/full/run", " /dev/full: Not a directory"),
    ])
  func `an output folder that cannot be made is an error that names it`(folder: String, obstacle: String) async throws {
    let space = try Workspace()
    let child = try await space.run("recipe.yaml", "--output", folder, exits: 74)
    #expect(child.errors.hasPrefix("sdbatch: cannot create the folder ") && child.errors.contains(obstacle))
    #expect(try space.text("recipe.yaml") == Workspace.recipe)
  }

  @Test func `a disk that fills up ends the run, and what is published stays`() async throws {
    let space = try Workspace()
    // The shell's limit on the size of files, in blocks of 512 bytes: it allows small files and refuses images.
    let child = try space.startShell("ulimit -f 16; exec \"$0\" recipe.yaml")
    #expect(try await child.wait() == .exited(74), "\(child.output)\(child.errors)")
    #expect(child.errors.contains("run/images/") && child.errors.contains("File too large"), "\(child.errors)")
    #expect(try space.images().isEmpty)
    #expect(space.journal().isEmpty)
    try await space.run("recipe.yaml")
    #expect(try space.images().count == 4)
  }

  @Test func `a run folder that is deleted or replaced during a run ends it with 74, and is left alone`() async throws {
    let recipe = Workspace.recipe.replacingOccurrences(of: "..., 4", with: "..., 40")
    let space = try Workspace(recipe: recipe)
    let child = try space.start("recipe.yaml")
    try child.wait { space.journal().count >= 1 }
    child.kill(SIGSTOP)
    try FileManager.default.removeItem(atPath: space.path + "/run")
    try await space.run("recipe.yaml", "--set", "seed=1")
    let times = try space.times()
    child.kill(SIGCONT)
    #expect(try await child.wait() == .exited(74), "\(child.output)\(child.errors)")
    // At any point of its work: a step on the disk finds nothing, or the run sees that the folder is not its own.
    #expect(child.errors.contains("\(space.path)/run"))
    #expect(try space.times() == times)
    try await space.run("recipe.yaml")
    #expect(try space.images().count == 40)
  }

  @Test func `a folder that may only be read ends the run with 74`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml", "--set", "seed=1")
    let images = try space.images()
    // Root may write where permissions forbid it, but not to a read-only file system; without root, the permissions are enough.
    guard geteuid() != 0 else { return }
    for folder in ["run/images", "run/checkpoints", "run"] {
      chmod("\(space.path)/\(folder)", 0o555)
      let child = try await space.run("recipe.yaml", exits: 74)
      #expect(child.errors.hasPrefix("sdbatch: cannot ") && child.errors.contains("Permission denied"))
      chmod("\(space.path)/\(folder)", 0o755)
      #expect(try space.images() == images)
    }
    try await space.run("recipe.yaml")
  }

  @Test func `a folder that is taken away during a run ends it with 74`() async throws {
    let space = try Workspace(recipe: Workspace.recipe.replacingOccurrences(of: "..., 4", with: "..., 40"))
    let child = try space.start("recipe.yaml")
    try child.wait { space.journal().count >= 1 }
    try FileManager.default.moveItem(atPath: space.path + "/run/images", toPath: space.path + "/taken")
    #expect(try await child.wait() == .exited(74), "\(child.output)\(child.errors)")
    #expect(child.errors.contains("run/images"))
    #expect(try space.manifest()["run"]?["status"] == "aborted")
  }
}
