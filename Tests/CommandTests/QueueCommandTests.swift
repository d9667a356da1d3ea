import Foundation
import JSON
import Settings
import TestSupport
import Testing

/// The queue from several shells.
@Suite struct QueueCommandTests {
  private static func recipe(_ name: String, steps: Int = 1, seeds: String = "1, 2") -> String {
    """
    model: model.safetensors
    prompt: a small boat
    width: 64
    height: 64
    steps: \(steps)
    sampler_name: Euler a
    grid: {seed: "\(seeds)"}
    output: \(name)

    """
  }

  private func queue(_ space: Workspace) async throws -> JSONValue {
    try JSONValue(parsing: try await space.run("queue", "list", "--all", "--json").output)
  }

  private func codes(_ space: Workspace) async throws -> [JSONValue?] {
    try await queue(space)["results"]?.elements?.map { $0["code"] } ?? []
  }

  @Test func `entries run in their order with one model, and mistakes do not stop the others`() async throws {
    let space = try Workspace(recipe: nil)
    for name in ["a", "b", "c"] { try space.write(Self.recipe(name), to: name + ".yaml") }
    try space.write("steps: none\n", to: "wrong.yaml")
    try await space.run("queue", "add", "a.yaml", "b.yaml", "wrong.yaml")
    try await space.run("queue", "add", "c.yaml", "--priority", "urgent", "--with", "--set", "steps=2")
    try await space.run("queue", "add", "missing.yaml", exits: 10)
    try await space.run("queue", "add", "a.yaml", "--with", "--stepz", exits: 64)
    let list = try await space.run("queue", "list")
    #expect(
      list.outputLines.dropFirst().map { $0.split(separator: " ").prefix(3).joined(separator: " ") } == [
        "4 waiting urgent", "1 waiting normal", "2 waiting normal", "3 waiting normal", "no process runs",
      ], "\(list.output)")
    let run = try await space.run("queue", "run", exits: 10)
    #expect(
      run.outputLines.filter { $0.hasPrefix("queue ") } == [
        "queue 4: \(space.path)/c.yaml", "queue 1: \(space.path)/a.yaml", "queue 2: \(space.path)/b.yaml",
        "queue 3: \(space.path)/wrong.yaml",
      ])
    #expect(run.errors.contains("wrong.yaml:1:8: error: steps:"))
    // The model was loaded once.
    #expect(run.output.components(separatedBy: "loading model").count == 2)
    for name in ["a", "b", "c"] { #expect(try space.images(name).count == 2) }
    #expect(try space.manifestJobs("c").allSatisfy { $0["parameters"]?["steps"] == 2 })
    #expect(try await codes(space) == [10, 0, 0, 0])
    #expect(try await space.run("queue", "list").output == "the queue is empty\n")
    try await space.run("queue", "run")
  }

  @Test func `an urgent entry interrupts at the next step and gives way again, to the same bytes`() async throws {
    let space = try Workspace(recipe: nil)
    try space.write(Self.recipe("slow", steps: 200), to: "slow.yaml")
    try space.write(Self.recipe("quick", seeds: "7"), to: "quick.yaml")
    try await space.run("slow.yaml", "--output", "whole")
    try await space.run("queue", "add", "slow.yaml")
    let child = try space.start("queue", "run", "--json")
    try child.wait { child.output.contains(#""step":30"#) }
    // It must not end before the other commands do.
    child.kill(SIGSTOP)
    try await space.run("queue", "run", exits: 11)
    try await space.run("queue", "add", "quick.yaml", "--priority", "urgent")
    child.kill(SIGCONT)
    #expect(try await child.wait() == .exited(0))
    let events = try child.outputLines.map { try JSONValue(parsing: $0) }
    let ends = events.filter { $0["event"] == "finished" }
    #expect(ends.map { $0["stopped_by"] } == ["the queue", .null, .null])
    try #require(ends.count == 3)
    #expect(ends[1]["folder"]?.text?.hasSuffix("/quick") == true)
    let resumed = events.first { $0["event"] == "resumed" }
    #expect(resumed?["step"]?.integerValue ?? 0 >= 30)
    #expect(try space.images("slow") == space.images("whole"))
    #expect(try await codes(space) == [0, 0])
  }

  @Test func `paused and removed entries stop at the next step, and what is paused waits`() async throws {
    let space = try Workspace(recipe: nil)
    try space.write(Self.recipe("slow", steps: 400), to: "slow.yaml")
    try space.write(Self.recipe("other"), to: "other.yaml")
    try await space.run("queue", "add", "slow.yaml", "other.yaml", "slow.yaml")
    try await space.run("queue", "pause", "2")
    let child = try space.start("queue", "run", "--json")
    try child.wait { child.output.contains(#""step":20"#) }
    // It must not end before the other commands do.
    child.kill(SIGSTOP)
    #expect(try await queue(space)["running"] == 1)
    try await space.run("queue", "remove", "1")
    try await space.run("queue", "remove", "1", exits: 10)
    child.kill(SIGCONT)
    // The third continues what the first began, until it is paused too.
    try child.wait { child.output.contains(#""event":"resumed""#) }
    child.kill(SIGSTOP)
    try await space.run("queue", "pause", "3")
    child.kill(SIGCONT)
    #expect(try await child.wait() == .exited(0))
    let state = try await queue(space)
    #expect(state["entries"]?.elements?.map { $0["paused"] } == [true, true] && state["running"] == .null)
    try await space.run("queue", "remove", "3")
    try await space.run("queue", "pause")
    try await space.run("queue", "resume", "2")
    try await space.run("queue", "run")
    #expect(!space.exists("other"))
    try await space.run("queue", "resume")
    try await space.run("queue", "run")
    #expect(try space.images("other").count == 2)
    #expect(try await codes(space) == [0, .null, .null])
  }

  @Test func `a watching process takes dropped recipes and requests, and a stop leaves the rest to the next`()
    async throws
  {
    let space = try Workspace(recipe: nil)
    let environment = ["XDG_STATE_HOME": space.path + "/state"]
    let child = try space.start("queue", "run", "--watch", "--json", environment: environment)
    let spool = "state/sdbatch/spool"
    try child.wait { space.exists(spool + "/done") }
    let request = #"{"input": {"prompt": "a small boat", "steps": 2, "width": 64, "height": 64, "seed": 5}}"#
    try space.write(request, to: "request.json")
    try space.write(Self.recipe("dropped"), to: "dropped.yaml")
    for name in ["request.json", "dropped.yaml"] {
      try FileManager.default.moveItem(atPath: space.path + "/" + name, toPath: "\(space.path)/\(spool)/\(name)")
    }
    try child.wait { space.exists(spool + "/done/request.json") && space.exists(spool + "/done/dropped.yaml") }
    #expect(try space.images("dropped").count == 2)
    #expect(try FileManager.default.contentsOfDirectory(atPath: space.path + "/Output/request/responses").count == 1)
    child.kill(SIGTERM)
    #expect(try await child.wait() == .exited(75))
  }

  @Test func `an entry whose output cannot be written stays, and the next process continues it`() async throws {
    let space = try Workspace(recipe: nil)
    try space.write(Self.recipe("taken/a"), to: "a.yaml")
    try space.write(Self.recipe("b"), to: "b.yaml")
    // A file, where the run's folder has to be.
    try space.write("", to: "taken")
    try await space.run("queue", "add", "a.yaml", "--priority", "urgent")
    try await space.run("queue", "add", "b.yaml")
    let run = try await space.run("queue", "run", exits: 74)
    #expect(run.errors.contains("note: queue 1 stays: its output could not be written"), "\(run.errors)")
    #expect(try space.images("b").count == 2)
    #expect(try await codes(space) == [0])
    #expect(try await queue(space)["entries"]?.elements?.compactMap { $0["id"]?.integerValue } == [1])
    try await space.run("queue", "run", exits: 74)
    try space.remove("taken")
    try await space.run("queue", "run")
    #expect(try space.images("taken/a").count == 2)
    #expect(try await codes(space) == [0, 0])
  }

  @Test func `several recipes on the command line are a queue of the moment`() async throws {
    let space = try Workspace(recipe: nil)
    for name in ["a", "b"] { try space.write(Self.recipe(name), to: name + ".yaml") }
    try space.makeFolder("more")
    try space.write(Self.recipe("c"), to: "more/c.yaml")
    let run = try await space.run("b.yaml", "a.yaml", "more")
    #expect(
      run.outputLines.filter { $0.hasPrefix("recipe: ") } == [
        "recipe: b.yaml", "recipe: a.yaml", "recipe: more/c.yaml",
      ])
    #expect(run.output.components(separatedBy: "loading model").count == 2)
    for name in ["a", "b", "c"] { #expect(try space.images(name).count == 2) }
    try await space.run("a.yaml", "b.yaml", "--output", "x", exits: 64)
    try await space.run("a.yaml", "missing.yaml", exits: 10)
  }

  @Test func `an entry whose adding was killed is whole or not there`() async throws {
    let space = try Workspace(recipe: nil)
    for name in ["a", "b"] { try space.write(Self.recipe(name), to: name + ".yaml") }
    var random = SplitMix64(state: 3)
    let clock = ContinuousClock.now
    try await space.run("queue", "add", "a.yaml", "--with", "--set", "steps=3")
    // Other tests may have taken most of this time.
    let whole = min((ContinuousClock.now - clock) / .microseconds(1), 400_000)
    var acknowledged = 1
    var kills = 0
    for _ in 0..<40 {
      let children = try (0..<2).map { _ in
        try space.start("queue", "add", "a.yaml", "b.yaml", "--priority", "urgent", "--with", "--set", "steps=3")
      }
      usleep(UInt32.random(in: UInt32(whole / 3)...UInt32(whole * 1.3), using: &random))
      for child in children {
        child.kill(SIGKILL)
        if try await child.wait() == .killed(by: SIGKILL) { kills += 1 }
        // What was printed is in the queue.
        acknowledged += child.outputLines.count
      }
      let entries = try #require(try await queue(space)["entries"]?.elements)
      #expect(
        entries.count >= acknowledged && Set(entries.compactMap { $0["id"]?.integerValue }).count == entries.count)
      acknowledged = entries.count
      for entry in entries {
        #expect(["a", "b"].contains { entry["path"]?.text == "\(space.path)/\($0).yaml" })
        #expect(entry["arguments"] == ["--set", "steps=3"])
      }
    }
    #expect(acknowledged > 1 && kills > 0)
  }

  @Test(arguments: [1, 2] as [UInt64])
  func `killed again and again from three shells, nothing is lost and nothing done twice`(seed: UInt64) async throws {
    let space = try Workspace(recipe: nil)
    var random = SplitMix64(state: seed)
    let names = (0..<6).map { "r\($0)" }
    for (index, name) in names.enumerated() {
      try space.write(Self.recipe(name, steps: 3, seeds: "\(index * 10), \(index * 10 + 1)"), to: name + ".yaml")
    }
    var added = 0
    var kills = 0
    while added < names.count || kills < 25 {
      var children = try (0..<2).map { _ in try space.start("queue", "run", "--quiet") }
      if added < names.count {
        // An entry whose process is killed may have been added or not.
        let child = try space.start("queue", "add", names[added] + ".yaml")
        if Bool.random(using: &random) {
          usleep(UInt32.random(in: 0...60_000, using: &random))
          child.kill(SIGKILL)
        }
        if try await child.wait() == .exited(0) { added += 1 }
        children.append(child)
      }
      usleep(UInt32.random(in: 0...400_000, using: &random))
      for child in children {
        child.kill(SIGKILL)
        if try await child.wait() == .killed(by: SIGKILL) { kills += 1 }
      }
    }
    try await space.run("queue", "run")
    let state = try await queue(space)
    #expect(state["entries"]?.elements?.isEmpty == true)
    let results = state["results"]?.elements ?? []
    #expect(results.allSatisfy { $0["code"] == 0 })
    #expect(Set(results.compactMap { $0["entry"]?["path"]?.text }) == Set(names.map { "\(space.path)/\($0).yaml" }))
    for name in names {
      #expect(try space.images(name).count == 2)
      // One line for each image: none was made twice.
      #expect(space.journal(name).filter { $0["event"] == "done" }.count == 2)
      try await space.run("verify", name)
    }
  }
}
