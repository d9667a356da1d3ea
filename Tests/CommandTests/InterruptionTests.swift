import Foundation
import JSON
import Settings
import Testing
import TestSupport

/// Runs that are killed, stopped or locked out, and the work that is left for the next run.
@Suite struct InterruptionTests {
  static let recipe = """
    model: model.safetensors
    prompt: a small boat
    width: 64
    height: 64
    steps: 12
    sampler_name: DPM++ 2M SDE
    grid:
      seed: 1, 2, ..., 8
    output: run

    """

  /// The files of an undisturbed run.
  static let whole = Task {
    let space = try Workspace(recipe: recipe)
    try await space.run("recipe.yaml")
    return try space.images()
  }

  // MARK: SIGKILL

  @Test func `a run killed around the switch to a refiner continues from its checkpoint, to the same bytes`()
    async throws
  {
    let recipe = """
      model: sdxl.safetensors
      refiner_checkpoint: refiner.safetensors
      refiner_switch_at: 0.5
      prompt: a small boat
      width: 64
      height: 64
      steps: 12
      sampler_name: DPM++ 2M SDE
      grid: {seed: [1, 2]}
      output: run
      """
    let models = ["SDBATCH_MODELS": RandomModels.folder]
    let undisturbed = try Workspace(recipe: recipe)
    try await undisturbed.run("recipe.yaml", environment: models)
    let space = try Workspace(recipe: recipe)
    for step in [3, 9] {
      let child = try space.start(
        "recipe.yaml", "--json", "--checkpoint-every", "0", environment: models)
      try child.wait { child.output.contains(#""step":\#(step),"#) }
      child.kill(SIGKILL)
      #expect(try await child.wait() == .killed(by: SIGKILL))
    }
    try await space.run("recipe.yaml", environment: models)
    #expect(try space.images() == undisturbed.images())
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func `a run killed inside and between images repeats and loses nothing`(seed: UInt64) async throws {
    let space = try Workspace(recipe: Self.recipe)
    let whole = try await Self.whole.value
    var random = SplitMix64(state: seed)
    var kills = 0
    for _ in 0..<6 {
      let before = try published(space)
      let child = try space.start("recipe.yaml", "--json")
      // One image more than there are, or a step of the image after it; then up to five milliseconds.
      let marker =
        Bool.random(using: &random) ? #""event":"image_done""# : #""step":\#(Int.random(in: 0...12, using: &random)),"#
      try child.wait { child.output.contains(marker) }
      usleep(UInt32.random(in: 0...5000, using: &random))
      child.kill(SIGKILL)
      if try await child.wait() == .killed(by: SIGKILL) { kills += 1 }
      let after = try published(space)
      for (name, file) in before { #expect(after[name] == file, "\(name) was made again") }
      for name in after.keys { #expect(try space.data("run/images/" + name) == whole[name]) }
    }
    #expect(kills >= 3)
    let before = try published(space)
    let child = try await space.run("recipe.yaml")
    #expect(child.output.contains("8 jobs, \(before.count) done, "))
    let after = try published(space)
    for (name, file) in before { #expect(after[name] == file, "\(name) was made again") }
    try await expectWhole(space)
  }

  /// The images with their final names, each with what changes when it is written again.
  private func published(_ space: Workspace) throws -> [String: [Int]] {
    guard space.exists("run/images") else { return [:] }
    var files: [String: [Int]] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: space.path + "/run/images")
    where !name.hasPrefix(".") {
      var status = stat()
      #expect(stat("\(space.path)/run/images/\(name)", &status) == 0)
      files[name] = [Int(status.st_ino), Int(status.st_mtim.tv_sec), Int(status.st_mtim.tv_nsec)]
    }
    return files
  }

  /// The same images as in an undisturbed run, each once in the journal, and correct in the manifest.
  private func expectWhole(_ space: Workspace, at location: SourceLocation = #_sourceLocation) async throws {
    #expect(try await space.images() == Self.whole.value, sourceLocation: location)
    let ids = space.journal().filter { $0["event"] == "done" }.compactMap { $0["id"]?.text }
    #expect(ids.count == 8 && Set(ids).count == 8, sourceLocation: location)
    let jobs = try space.manifestJobs()
    #expect(jobs.count == 8, sourceLocation: location)
    for job in jobs {
      let file = try #require(job["file"]?.text)
      #expect(job["sha256"]?.text == digest(try space.data("run/" + file)), sourceLocation: location)
    }
    #expect(try space.manifest()["run"]?["status"] == "done", sourceLocation: location)
  }

  // MARK: Signals

  @Test(arguments: [(SIGINT, 130), (SIGTERM, 75), (SIGUSR1, 75), (SIGHUP, 75)] as [(Int32, Int32)])
  func `a signal ends the run after the current step, and the same command continues`(
    signal: Int32, code: Int32
  ) async throws {
    let space = try Workspace(recipe: Self.recipe)
    let child = try space.start("recipe.yaml")
    try child.wait { space.journal().count >= 2 }
    child.kill(signal)
    #expect(try await child.wait() == .exited(code), "\(child.output)\(child.errors)")
    let run = try #require(space.manifest()["run"])
    #expect(run["status"] == "stopped")
    let done = try #require(run["counts"]?["done"]?.integerValue)
    #expect(done >= 2 && done < 8)
    #expect(run["counts"]?["pending"] == .integer(8 - done))
    #expect(child.output.contains("Stopped (\(signal == SIGINT ? "Ctrl-C" : "SIG")"))
    #expect(child.output.contains("\(done) of 8 done, \(8 - done) to do"))
    #expect(child.output.contains(". Run the same command to continue.\n"))
    #expect(try space.manifestJobs().map { $0["status"]?.text }.count { $0 == "pending" } == 8 - Int(done))

    #expect(try await space.run("recipe.yaml").output.contains("8 jobs, \(done) done, \(8 - done) to make"))
    try await expectWhole(space)
  }

  @Test(arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
  func `a second signal ends the run at once`(signal: Int32, code: Int32) async throws {
    // The second image's steps take long enough to send two signals within one.
    let space = try Workspace(
      recipe: Self.recipe.replacingOccurrences(of: "seed: 1, 2, ..., 8", with: "width: [64, 1536]"))
    let child = try space.start("recipe.yaml", "--set", "height=1024", "--set", "steps=2", "--json")
    try child.wait { child.output.contains(#""number":2,"count":2,"index":1"#) && child.output.hasSuffix("\n") }
    usleep(50_000)
    child.kill(signal)
    usleep(50_000)
    child.kill(signal)
    #expect(try await child.wait() == .exited(code))
    #expect(!space.exists("run/manifest.json"))
    let again = try await space.run("recipe.yaml", "--set", "height=1024", "--set", "steps=2", "--set", "width=64")
    #expect(again.output.contains("1 job, 1 done, nothing to do"))
  }

  @Test func `a hang-up is no reason to stop under nohup`() async throws {
    let space = try Workspace(recipe: Self.recipe)
    let child = try space.startShell("trap '' HUP; exec \"$0\" recipe.yaml")
    try child.wait { space.journal().count >= 1 }
    child.kill(SIGHUP)
    #expect(try await child.wait() == .exited(0))
    try await expectWhole(space)
  }

  // MARK: Two at once

  @Test func `a second run leaves a folder that is in use, and a dead owner's lock is free`() async throws {
    let space = try Workspace(recipe: Self.recipe.replacingOccurrences(of: "steps: 12", with: "steps: 100"))
    let first = try space.start("recipe.yaml")
    try first.wait { first.output.contains("to make") }
    // Suspended, so it exists while the test looks at it, however slow the rest is.
    first.kill(SIGSTOP)
    let lock = try space.text("run/run.lock")
    let second = try await space.run("recipe.yaml", exits: 11)
    #expect(second.output.isEmpty)
    #expect(second.errors.contains("\(space.path)/run") && second.errors.contains("pid \(first.process), started "))
    #expect(try space.text("run/run.lock") == lock)
    // Reading is allowed.
    #expect(try await space.run("status", "run").output.contains("\nrunning: host "))
    try await space.run("plan", "recipe.yaml")
    let status = try await JSONValue(
      parsing: space.run("status", "run", "--json").output.trimmingCharacters(in: .newlines))
    #expect(status["running"] == true)
    #expect(status["holder"]?.text?.contains("pid \(first.process)") == true)

    first.kill(SIGKILL)
    #expect(try await first.wait() == .killed(by: SIGKILL))
    #expect(try await space.run("status", "run").output.contains("\nnot running\n"))
    try space.write(Self.recipe, to: "recipe.yaml")
    try await space.run("recipe.yaml")
    #expect(try space.manifest()["run"]?["status"] == "done")
  }
}
