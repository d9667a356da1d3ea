import Foundation
import JSON
import Settings
import Testing
import TestSupport

/// Images that are stopped or killed before they are finished, with the real engine.
@Suite struct CheckpointTests {
  static func recipe(_ sampler: SamplerID) -> String {
    """
    model: model.safetensors
    prompt: a small [boat:(red bird:1.3):0.5] AND a [fish|dog]:0.6
    negative_prompt: big
    width: 64
    height: 64
    steps: 9
    seed: 31
    sampler_name: \(sampler.rawValue)
    eta: 0.9
    s_noise: 1.02
    output: run

    """
  }

  /// Steps that were taken, by image, with repetitions.
  private func steps(_ child: Child) -> [Int] {
    child.outputLines.compactMap { line in
      guard let event = try? JSONValue(parsing: line), event["event"] == "progress", event["stage"] == "sampling" else {
        return nil
      }
      return event["step"]?.integerValue.map { Int($0) }
    }
  }

  @Test(.timeLimit(.minutes(20)), arguments: SamplerID.allCases)
  func `an image that is killed and stopped again and again is the same`(sampler: SamplerID) async throws {
    try await stopAgainAndAgain(Self.recipe(sampler))
  }

  @Test(.timeLimit(.minutes(20)))
  func `an image of two passes that is killed and stopped in both is the same`() async throws {
    try await stopAgainAndAgain(
      Self.recipe(.eulerAncestral).replacingOccurrences(of: "steps: 9", with: "steps: 4")
        + "enable_hr: true\nhr_scale: 1.25\nhr_second_pass_steps: 5\nhr_upscaler: Latent (bicubic)\n")
  }

  @Test(.timeLimit(.minutes(20)))
  func `an image that a network enlarges between its passes is the same, however often it is stopped`() async throws {
    try await stopAgainAndAgain(
      Self.recipe(.dpmPP2M).replacingOccurrences(of: "steps: 9", with: "steps: 3")
        + "enable_hr: true\nhr_scale: 1.25\nhr_second_pass_steps: 4\n"
        + "hr_upscaler: \(Fixtures.path("Upscalers/compact.pth"))\n")
  }

  private func stopAgainAndAgain(_ recipe: String) async throws {
    let whole = try Workspace(recipe: recipe)
    try await whole.run("recipe.yaml")
    let space = try Workspace(recipe: recipe)
    var last = 0
    var runs = 0
    // Each run is ended one step after the last step that the previous run had on the disk, in one of three ways.
    while true {
      let child = try space.start("recipe.yaml", "--json", "--checkpoint-every", "0")
      // A step is reported after the checkpoint of the previous step was written.
      try child.wait { child.output.contains("\"step\":\(last + 2),") }
      let signal = [SIGKILL, SIGTERM, SIGUSR1][runs % 3]
      child.kill(signal)
      let end = try await child.wait()
      let taken = steps(child)
      // It continued from no earlier than what was certainly on the disk.
      // No step at all: the previous run was killed when the image existed already.
      #expect(taken.first.map { $0 >= last } ?? (end == .exited(0)), "\(child.output)\(child.errors)")
      #expect(child.errors.isEmpty)
      runs += 1
      if end == .exited(0) { break }
      #expect(end == (signal == SIGKILL ? .killed(by: SIGKILL) : .exited(75)), "\(child.output)\(child.errors)")
      // The last reported step may not be on the disk; after a requested stop, it is.
      last = max(last, (taken.last ?? 0) - (signal == SIGKILL ? 1 : 0))
    }
    #expect(try space.images() == whole.images())
    #expect(try FileManager.default.contentsOfDirectory(atPath: space.path + "/run/checkpoints").isEmpty)
    #expect(try space.manifestJobs()[0]["pixels_sha256"] == whole.manifestJobs()[0]["pixels_sha256"])
    #expect(!space.exists("run/crashes.log"))
  }

  @Test func `a stop saves the current image, and the next run reports where it continues`() async throws {
    let space = try Workspace(recipe: Self.recipe(.dpmPP2M).replacingOccurrences(of: "steps: 9", with: "steps: 150"))
    let child = try space.start("recipe.yaml", "--json")
    try child.wait { child.output.contains("\"step\":3,") }
    child.kill(SIGTERM)
    #expect(try await child.wait() == .exited(75))
    let step = try #require(steps(child).last)
    #expect(child.outputLines.last?.contains("\"stopped_by\":\"SIGTERM\"") == true)
    let names = try FileManager.default.contentsOfDirectory(atPath: space.path + "/run/checkpoints")
    #expect(names.count == 1)
    let size = try space.data("run/checkpoints/" + (names.first ?? "")).count
    // Two latents of 1 KiB, 151 sigmas, settings.
    #expect(size > 2048 && size < 16384)
    let again = try await space.run("recipe.yaml")
    #expect(again.output.contains("[1/1] job 0 continues after step \(step)\n"), "\(again.output)")
    #expect(again.errors.isEmpty)
  }

  @Test func `a damaged checkpoint is reported on standard error, and the image is the same`() async throws {
    let space = try Workspace(recipe: Self.recipe(.dpmPP3MSDE).replacingOccurrences(of: "steps: 9", with: "steps: 90"))
    let child = try space.start("recipe.yaml", "--json")
    try child.wait { child.output.contains("\"step\":3,") }
    child.kill(SIGUSR1)
    #expect(try await child.wait() == .exited(75))
    let name = try #require(FileManager.default.contentsOfDirectory(atPath: space.path + "/run/checkpoints").first)
    var bytes = try space.data("run/checkpoints/" + name)
    bytes[500] ^= 1
    try space.write(bytes, to: "run/checkpoints/" + name)
    let again = try await space.run("recipe.yaml", "--quiet")
    #expect(
      again.errors
        == "sdbatch: warning: job 0 (\(name.prefix(8))) restarts from step 0: its checkpoint cannot be used "
        + "(its checksum does not match: it is incomplete or damaged)\n")
    try await space.run("recipe.yaml", "--output", "whole")
    #expect(try space.images() == space.images("whole"))
  }

  // MARK: By the clock

  @Test func `a run whose time is over stops with 75 and loses nothing`() async throws {
    let space = try Workspace()
    let child = try await space.run("recipe.yaml", "--max-time", "0", exits: 75)
    #expect(child.errors == "sdbatch: stopped by --max-time before the work began\n")
    #expect(!space.exists("run"))
    try space.write(
      Self.recipe(.eulerAncestral).replacingOccurrences(of: "steps: 9", with: "steps: 150"), to: "long.yaml")
    // On a fast machine, it is done in the end; on a slow machine, each run ends.
    var runs = 0
    for milliseconds in sequence(first: 150, next: { $0 * 3 / 2 }) {
      let child = try space.start("long.yaml", "--max-time", "\(Double(milliseconds) / 1000)s", "--output", "long")
      let end = try await child.wait()
      runs += 1
      if end == .exited(0) { break }
      #expect(end == .exited(75), "\(child.output)\(child.errors)")
      // Or before the work began.
      #expect("\(child.output)\(child.errors)".contains(/Stopped \(--max-time\)|stopped by --max-time/))
      try #require(runs < 40)
    }
    try await space.run("long.yaml", "--output", "whole")
    #expect(try space.images("long") == space.images("whole"))
  }

  @Test func `a run stops at the time of day that it was given`() async throws {
    let space = try Workspace(
      recipe: Self.recipe(.heun).replacingOccurrences(
        of: "seed: 31", with: "grid: {seed: \"1, 2, ..., 3000\"}"))
    var soon = time(nil) + 8
    var fields = tm()
    gmtime_r(&soon, &fields)
    let text = [fields.tm_hour, fields.tm_min, fields.tm_sec].map { $0 < 10 ? "0\($0)" : "\($0)" }
    let child = try await space.run(
      "recipe.yaml", "--until", text.joined(separator: ":"), "--set", "steps=150", exits: 75)
    #expect("\(child.output)\(child.errors)".contains("Stopped (--until)"))
    // A time that is far away stops nothing.
    soon = time(nil) - 3600
    gmtime_r(&soon, &fields)
    try space.write(Workspace.recipe, to: "recipe.yaml")
    try await space.run("recipe.yaml", "--until", "\(fields.tm_hour):\(fields.tm_min < 10 ? "0" : "")\(fields.tm_min)")
  }

  // MARK: The lock

  @Test func `a second run waits for the first if it is asked to`() async throws {
    let space = try Workspace(recipe: Self.recipe(.euler).replacingOccurrences(of: "steps: 9", with: "steps: 100"))
    let first = try space.start("recipe.yaml")
    try first.wait { first.output.contains("to make") }
    // Suspended, so it exists while the test looks at it.
    first.kill(SIGSTOP)
    let waiting = "sdbatch: waiting for the run that is using \(space.path)/run (host "
    let second = try space.start("recipe.yaml", "--lock-wait", "1h")
    let third = try space.start("recipe.yaml", "--lock-wait", "1h")
    for child in [second, third] {
      try child.wait { child.errors.contains(waiting) }
      #expect(child.errors.contains("pid \(first.process), started"))
    }
    third.kill(SIGINT)
    #expect(try await third.wait() == .exited(130))
    try await space.run("recipe.yaml", "--lock-wait", "1", exits: 11)
    #expect(
      try await space.run("recipe.yaml", "--lock-wait", "1h", "--max-time", "1", exits: 75).errors
        .hasSuffix("sdbatch: stopped by --max-time before the work began\n"))
    // Killed while the other waits: the lock is free at once.
    first.kill(SIGKILL)
    #expect(try await second.wait() == .exited(0), "\(second.output)\(second.errors)")
    #expect(try space.manifest()["run"]?["status"] == "done")
  }

  // MARK: Crashes

  @Test func `a job that crashes the program twice is reported, and the others are made`() async throws {
    let space = try Workspace(
      recipe: Self.recipe(.euler).replacingOccurrences(of: "steps: 9", with: "steps: [150, 2]")
        .replacingOccurrences(of: "steps: [150, 2]", with: "grid: {steps: [150, 2]}"))
    for number in [SIGSEGV, SIGABRT] {
      let child = try space.start("recipe.yaml", "--json")
      try child.wait { child.output.contains("\"step\":1,") }
      child.kill(number)
      #expect(try await child.wait() == .killed(by: number))
    }
    let child = try await space.run("recipe.yaml", exits: 3)
    #expect(child.errors.contains(") counts as failed: it crashed the program 2 times (SIGSEGV, SIGABRT) and is not"))
    #expect(child.output.contains("1 of 2 done, 1 failed"))
    #expect(try space.manifestJobs().map { $0["status"]?.text } == ["failed", "done"])
    #expect(try await space.run("status", "run").output.contains("it crashed the program 2 times"))
    try await space.run("recipe.yaml", "--only-failed", exits: 3)
    try FileManager.default.removeItem(atPath: space.path + "/run/crashes.log")
    try await space.run("recipe.yaml", "--only-failed")
    #expect(try space.manifestJobs().map { $0["status"]?.text } == ["done", "done"])
  }
}
