import Foundation
import JSON
import Settings
import Testing
import TestSupport

/// One plan in several processes, with the program itself.
@Suite struct ShardCommandTests {
  /// Seeds are drawn, so that all shards have to agree on them.
  static let recipe = """
    model: model.safetensors
    prompt: a small boat
    width: 64
    height: 64
    sampler_name: Euler a
    grid:
      seed: [-1, -1, -1]
      steps: [2, 4, 6]
    output: run

    """

  @Test func `shards that start at once agree on seeds and plan, and make the whole`() async throws {
    let space = try Workspace(recipe: Self.recipe)
    let children = try ["0/3", "1/3", "2/3", "1/3"].map {
      try space.start("recipe.yaml", "--shard", $0, "--checkpoint-every", "0")
    }
    for child in children { #expect(try await child.wait() == .exited(0), "\(child.errors)") }
    try await space.run("collect", "run", "--no-sheet")
    try await space.run("verify", "run")
    let images = try space.images()
    #expect(images.count == 9)
    // The same seeds in a folder of a single run.
    try space.makeFolder("alone")
    try space.write(try space.data("run/seeds.json"), to: "alone/seeds.json")
    try await space.run("recipe.yaml", "--output", "alone", "--no-sheet")
    #expect(try space.images("alone") == images)
  }

  @Test func `what is packed small is so in every shard`() async throws {
    let space = try Workspace(recipe: Self.recipe.replacingOccurrences(of: "[-1, -1, -1]", with: "[1]"))
    for shard in ["0/2", "1/2"] {
      try await space.run("recipe.yaml", "--shard", shard, "--set", "weight_packing=small")
    }
    try await space.run("collect", "run", "--no-sheet")
    let jobs = try space.manifestJobs()
    #expect(jobs.count == 3)
    for job in jobs { #expect(job["infotext"]?.text?.contains("Weight packing: small") == true) }
  }

  @Test func `shards killed at random and run again anywhere make the same images`() async throws {
    let whole = try Workspace(recipe: Self.recipe)
    try await whole.run("recipe.yaml", "--no-sheet")
    let space = try Workspace(recipe: Self.recipe)
    try space.makeFolder("run")
    try space.write(try whole.data("run/seeds.json"), to: "run/seeds.json")
    var random = SplitMix64(state: 7)
    for _ in 0..<6 {
      let shard = Int.random(in: 0..<2, using: &random)
      let child = try space.start("recipe.yaml", "--shard", "\(shard)/2", "--checkpoint-every", "0", "--json")
      let marker = #""step":\#(Int.random(in: 0...3, using: &random)),"#
      try child.wait { child.output.contains(marker) }
      child.kill(Bool.random(using: &random) ? SIGKILL : SIGTERM)
      _ = try await child.wait()
    }
    for shard in ["1/2", "0/2"] {
      try await space.run("recipe.yaml", "--shard", shard)
    }
    #expect(try space.images() == whole.images())
    try await space.run("collect", "run")
    #expect(space.exists("run/manifest.json") && space.exists("run/contact-sheet.png"))
    try await space.run("verify", "run")
  }

  @Test func `a shard that is asked to stop ends with 75, and collect says what is left`() async throws {
    let space = try Workspace(recipe: Self.recipe)
    let child = try space.start("recipe.yaml", "--shard", "0/2", "--json")
    try child.wait { child.output.contains(#""step":1,"#) }
    child.kill(SIGUSR1)
    #expect(try await child.wait() == .exited(75))
    let collected = try await space.run("collect", "run", "--no-sheet", exits: 75)
    #expect(collected.output.contains("to do"))
    let status = try JSONValue(parsing: try await space.run("status", "run", "--json").output)
    #expect(status["counts"]?["total"]?.integerValue == 9)
  }

  @Test func `a shard of another recipe or instruction set is refused with 10 and the reason`() async throws {
    let space = try Workspace(recipe: Self.recipe)
    try await space.run("recipe.yaml", "--shard", "0/2")
    let images = try space.images()
    let edited = try await space.run("recipe.yaml", "--shard", "1/2", "--set", "prompt=a large boat", exits: 10)
    #expect(edited.errors.contains("prompt: \"a small boat\", now \"a large boat\""), "\(edited.errors)")
    let portable = try await space.run(
      "recipe.yaml", "--shard", "1/2", environment: ["SDBATCH_ISA": "portable"], exits: 10)
    #expect(portable.errors.contains("isa: "), "\(portable.errors)")
    #expect(try space.images() == images)
    // The new plan can replace it.
    try await space.run("plan", "recipe.yaml", "--freeze", "--set", "prompt=a large boat")
    try await space.run("recipe.yaml", "--shard", "1/2", "--set", "prompt=a large boat")
  }

  @Test(arguments: [
    ["--shard", "2/2"], ["--shard", "x"], ["--shard", "0/2", "--new-seeds"], ["--shard", "0/2", "--lock-wait", "1m"],
  ])
  func `a shard that cannot be is refused with 64`(arguments: [String]) async throws {
    let space = try Workspace(recipe: Self.recipe)
    let child = try space.start([Child.program, "recipe.yaml"] + arguments, environment: [:])
    #expect(try await child.wait() == .exited(64))
    #expect(!space.exists("run"))
  }

  // MARK: Slurm

  /// The input of `sbatch`: the script, as the fake program recorded it.
  private func submitted(_ space: Workspace) throws -> [String] {
    let names = try FileManager.default.contentsOfDirectory(atPath: space.path).filter { $0.hasPrefix("submitted-") }
    return try names.sorted().map { try space.text($0) }
  }

  @Test func `the script of a run submits an array and a collector after it, quoting what needs it`() async throws {
    let space = try Workspace(recipe: Self.recipe)
    let result = try await space.run(
      "slurm", "recipe.yaml", "--shards", "4", "--cpus", "2", "--time", "0:30:00", "--partition", "short",
      "--output", "it's a run", "--set", "prompt=a 'big' $(boat)")
    #expect(!space.exists("it's a run"))
    // Instead of Slurm: records its input, and answers with a number.
    try space.makeFolder("bin")
    try space.writeProgram(
      """
      #!/bin/sh
      n=1; while [ -e "\(space.path)/submitted-$n" ]; do n=$((n + 1)); done
      { echo "arguments: $*"; cat; } >"\(space.path)/submitted-$n"
      echo "10$n;cluster"
      """, to: "bin/sbatch")
    try space.write(result.output, to: "job.sh")
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/bin/sh")
    shell.arguments = ["job.sh"]
    shell.currentDirectoryURL = URL(fileURLWithPath: space.path)
    shell.environment = ["PATH": space.path + "/bin:/usr/bin:/bin"]
    try shell.run()
    shell.waitUntilExit()
    #expect(shell.terminationStatus == 0)
    let scripts = try submitted(space)
    #expect(scripts.count == 2)
    let array = try #require(scripts.first)
    for line in [
      "#SBATCH --array=0-3", "#SBATCH --cpus-per-task=2", "#SBATCH --time=0:30:00", "#SBATCH --partition=short",
      "#SBATCH --signal=B:USR1@120", "#SBATCH --requeue", "#SBATCH --open-mode=append",
    ] {
      #expect(array.split(separator: "\n").contains(Substring(line)), "\(line)")
    }
    #expect(array.contains(#"--shard "$SLURM_ARRAY_TASK_ID/4""#))
    #expect(array.contains("export SDBATCH_ISA="))
    #expect(scripts[1].contains("arguments: --parsable --dependency=afterany:101"))

    // As a task of the array.
    let task = try space.start(
      ["/bin/bash", "-c", String(array.split(separator: "\n", maxSplits: 1)[1])],
      environment: ["SLURM_ARRAY_TASK_ID": "1", "SLURM_CPUS_PER_TASK": "1", "SLURM_JOB_ID": "7"])
    #expect(try await task.wait() == .exited(0), "\(task.errors)")
    #expect(try space.images("it's a run").count > 0)
    #expect(try space.text("it's a run/recipe.yaml").contains("a 'big' $(boat)"))
  }

  @Test func `a task that is warned of its limit stops the shard and is queued again`() async throws {
    let space = try Workspace(recipe: Self.recipe.replacing("[2, 4, 6]", with: "[400, 401]"))
    let script = try await space.run("slurm", "recipe.yaml", "--shards", "2", "--cpus", "1", "--time", "10").output
    let array = try #require(script.firstRange(of: "#!/bin/bash\n"))
    let end = try #require(script.firstRange(of: "\nSDBATCH_SHARDS\n"))
    try space.makeFolder("bin")
    try space.writeProgram("#!/bin/sh\necho \"$@\" >>'\(space.path)/scontrol'\n", to: "bin/scontrol")
    // SIGTERM goes to all processes of a task, and a task that was cancelled must not be queued again.
    for (restarts, signal, isQueued) in [("3", SIGUSR1, true), ("20", SIGUSR1, false), ("3", SIGTERM, false)] {
      try? FileManager.default.removeItem(atPath: space.path + "/scontrol")
      let task = try space.start(
        ["/bin/bash", "-c", String(script[array.lowerBound..<end.lowerBound])],
        environment: [
          "PATH": space.path + "/bin:/usr/bin:/bin", "SLURM_ARRAY_TASK_ID": "0", "SLURM_CPUS_PER_TASK": "1",
          "SLURM_JOB_ID": "77", "SLURM_RESTART_COUNT": restarts,
        ])
      // In the middle of an image: before the first step there is nothing to save.
      try task.wait {
        ((try? space.text("run/progress-0-of-2.json")) ?? "").contains(/"step":[1-9]/)
      }
      // As Slurm does it: USR1 only to the shell.
      task.kill(signal)
      if signal == SIGTERM {
        let progress = try JSONValue(parsing: space.text("run/progress-0-of-2.json"))
        kill(pid_t(try #require(progress["pid"]?.integerValue)), signal)
      }
      #expect(try await task.wait() == .exited(75), "\(task.errors)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: space.path + "/run/checkpoints").count == 1)
      #expect(space.exists("scontrol") == isQueued)
      if isQueued { #expect(try space.text("scontrol") == "requeue 77\n") }
    }
  }
}
