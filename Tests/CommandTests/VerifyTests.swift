import Foundation
import JSON
import Testing

/// `verify`, `why` and `status` as a user runs them.
@Suite struct VerifyTests {
  @Test func `verify ends with 0 for a run as it was left, 3 for differences, 10 where there is none`() async throws {
    let space = try Workspace()
    #expect(try await space.run("verify", "run", exits: 10).errors.contains("is not a run folder"))
    #expect(!space.exists("run"))
    #expect(try await space.run("verify", "run", "--repair", exits: 10).errors.contains("is not a run folder"))
    #expect(!space.exists("run"))
    try await space.run("recipe.yaml")
    let times = try space.times()
    let clean = try await space.run("verify", "run")
    #expect(clean.output == "\(space.path)/run: 4 images read, all correct\n" && clean.errors.isEmpty)
    #expect(try space.times() == times)

    let before = try space.images()
    let name = try #require(before.keys.min())
    var bytes = try space.data("run/images/" + name)
    bytes[bytes.count - 20] ^= 1
    try space.write(bytes, to: "run/images/" + name)
    let found = try await space.run("verify", "run", exits: 3)
    #expect(found.outputLines.count == 2)
    #expect(found.outputLines[0].hasPrefix("images/\(name) (job 0): has other bytes than were written"))
    let json = try JSONValue(parsing: await space.run("verify", "run", "--json", exits: 3).output)
    #expect(
      json.names == [
        "folder", "status", "live", "images_read", "bytes_read", "counts", "findings", "unasked", "pruned",
      ])
    #expect(json["findings"]?.elements?.map { $0["kind"] } == ["digest"])
    try await space.run("verify", "run", "--repair", exits: 3)
    #expect(try await space.run("verify", "run").output.contains("3 images read, all correct, 1 of 4 jobs"))
    try await space.run("recipe.yaml")
    #expect(try space.images() == before)
    try await space.run("verify", "run")

    try await space.run("recipe.yaml", "--set", "seed=2")
    let pruned = try await space.run("verify", "run", "--prune")
    #expect(pruned.outputLines.count == 4)
    #expect(try space.images().count == 1)
    try await space.run("verify", "run")
  }

  @Test func `during a run one may look but not repair, and status shows the current image`() async throws {
    let space = try Workspace()
    try space.write(
      Workspace.recipe.replacingOccurrences(of: "steps: 4", with: "steps: 10000").replacingOccurrences(
        of: ": 64", with: ": 256"), to: "long.yaml")
    let child = try space.start("long.yaml")
    try child.wait { (try? space.text("run/progress.json"))?.contains("\"sampling\"") == true }
    // On a busy machine, it would finish the image between two of the commands below.
    child.kill(SIGSTOP)
    let status = try JSONValue(parsing: await space.run("status", "run", "--json").output)
    #expect(status["running"] == true)
    let current = try #require(status["current"])
    #expect(current["stage"] == "sampling" && current["steps"] == 10000 && current["index"] == 0)
    #expect(current["number"] == 1 && current["count"] == 4)
    #expect(
      try await space.run("status", "run").outputLines.last?.hasPrefix("making image 1 of 4 (job 0): ") == true)
    #expect(try await space.run("verify", "run").output.contains("a run is active"))
    for flag in ["--repair", "--prune"] {
      #expect(try await space.run("verify", "run", flag, exits: 11).errors.contains("another run is using"))
    }
    child.kill(SIGKILL)
    #expect(try await child.wait() == .killed(by: SIGKILL))
    let after = try JSONValue(parsing: await space.run("status", "run", "--json").output)
    #expect(after["running"] == false && after["current"] == .null)
  }

  @Test func `why names the parts of an identity that changed, and what became of an image`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml")
    let isa = try #require(space.manifest()["engine"]?["isa"]?.text)
    #expect(
      try await space.run("why", "run").output == "\(space.path)/run: 0 of 4 jobs will run, the others exist\n")
    #expect(try await space.run("why", "run", "2").output.hasPrefix("job 2 ("))
    let json = try JSONValue(parsing: await space.run("why", "run", "2", "--json").output)
    #expect(json["reasons"]?.elements?.map { $0["cause"] } == ["done"])

    try space.write(Workspace.recipe.replacingOccurrences(of: "steps: 4", with: "steps: 5"), to: "edited.yaml")
    let edited = try await space.run("why", "run", "--recipe", "edited.yaml")
    #expect(edited.output.contains("  steps: 4, now 5\n") && edited.output.contains("4 of 4 jobs will run"))
    if isa != "portable" {
      let other = try await space.run("why", "run", "0", environment: ["SDBATCH_ISA": "portable"])
      #expect(other.output.contains("  isa: \"\(isa)\", now \"portable\""))
    }
    let missing = try await space.run("why", "run", environment: ["SDBATCH_MODELS": "/nowhere"])
    #expect(missing.output.contains("0 of 4 jobs will run"))
    let name = try #require(try space.images().keys.max())
    try FileManager.default.removeItem(atPath: "\(space.path)/run/images/\(name)")
    #expect(try await space.run("why", "run", name).output.hasSuffix("will run: images/\(name) is missing\n"))
    #expect(try await space.run("why", "run", "77", exits: 10).errors.contains("from 0 to 3"))
    #expect(try await space.run("why", "none", exits: 10).errors.contains("is not a run folder"))
  }

  // MARK: run's options for nights

  @Test func `--summary is one line, whether there was much to do or nothing`() async throws {
    let space = try Workspace()
    let first = try await space.run("recipe.yaml", "--summary")
    #expect(first.errors.isEmpty && first.outputLines.count == 1)
    #expect(first.output.contains(" \(space.path)/run: 4 of 4 done, 0 failed (4 made in "))
    let second = try await space.run("recipe.yaml", "--summary")
    #expect(second.outputLines.count == 1 && second.output.hasSuffix("4 of 4 done, 0 failed (nothing to do)\n"))
    let failing = try Workspace(recipe: ExitCodeTests.oneOfThreeFails)
    let third = try await failing.run("recipe.yaml", "--summary", exits: 3)
    #expect(third.outputLines.count == 1 && third.errors.split(separator: "\n").count == 1)
    for flags in [["--json", "--summary"], ["--quiet", "--summary"], ["--nice", "20"], ["--nice=-1"]] {
      let child = try space.start([Child.program, "recipe.yaml"] + flags, environment: [:])
      #expect(try await child.wait() == .exited(64))
    }
  }

  @Test func `--nice lets others go first, with every thread`() async throws {
    let space = try Workspace()
    try space.write(
      Workspace.recipe.replacingOccurrences(of: "steps: 4", with: "steps: 10000"), to: "long.yaml")
    let child = try space.start("long.yaml", "--nice", "7", "--threads", "2")
    try child.wait { (try? space.text("run/progress.json"))?.contains("\"sampling\"") == true }
    let tasks = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(child.process)/task")
    #expect(tasks.count >= 2)
    let own = getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)
    for task in tasks {
      let niceness = getpriority(__priority_which_t(PRIO_PROCESS.rawValue), id_t(task) ?? 0)
      #expect(niceness == max(own, 7))
    }
    child.kill(SIGKILL)
    _ = try await child.wait()
  }
}
