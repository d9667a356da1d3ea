import Foundation
import JSON
import Settings
import Testing

/// What the commands print, and to which stream.
@Suite struct OutputTests {
  // MARK: run

  @Test func `--json prints one object per line for everything that happens`() async throws {
    let space = try Workspace(recipe: ExitCodeTests.oneOfThreeFails)
    let child = try await space.run("recipe.yaml", "--json", exits: 3)
    let events = try child.outputLines.map { try JSONValue(parsing: $0) }
    let names = events.compactMap { $0["event"]?.text }
    #expect(names.count == events.count)
    #expect(names.first == "started" && names.last == "finished")
    #expect(
      names.filter { $0 != "progress" } == [
        "started", "job_started", "image_done", "job_started", "job_failed", "job_started", "image_done", "finished",
      ])
    let running = ["event", "number", "count", "index", "id"]
    for event in events {
      switch event["event"]?.text {
      case "started":
        #expect(
          event.names == [
            "event", "folder", "counts", "images_to_make", "steps_to_make", "steps_shared", "images_reused",
            "images_converted",
          ])
        #expect(event["folder"]?.text == space.path + "/run")
        #expect(event["images_to_make"] == 3 && event["steps_to_make"] == 3)
      case "job_started": #expect(event.names == running)
      case "image_done":
        #expect(event.names == running + ["file", "seconds"])
        #expect(space.exists("run/" + (event["file"]?.text ?? "?")))
      case "job_failed":
        #expect(event.names == running + ["error"])
        #expect(event["index"] == 1 && event["error"]?.text?.contains("clip_skip is 4") == true)
      case "progress":
        #expect(event.names.starts(with: running + ["stage"]))
        #expect(event.names.suffix(2) == ["seconds_per_step", "seconds_left"])
      case "finished":
        #expect(event.names == ["event", "folder", "counts", "images_made", "seconds", "stopped_by", "exit_code"])
        #expect(event["counts"] == ["total": 3, "done": 2, "failed": 1, "pending": 0])
        #expect(event["images_made"] == 2 && event["exit_code"] == 3)
      default: Issue.record("unknown event: \(event.jsonText)")
      }
    }
    let stages = events.filter { $0["event"] == "progress" && $0["index"] == 0 }.compactMap { $0["stage"]?.text }
    #expect(stages == ["loading", "encoding", "sampling", "sampling", "decoding"])
  }

  @Test func `--profile writes a table of where the time went, and no run without it does`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml", "--set", "seed=1", "--quiet")
    #expect(!space.exists("run/profile.tsv"))
    try await space.run("recipe.yaml", "--quiet", "--profile")
    let lines = try space.text("run/profile.tsv").split(separator: "\n").map {
      $0.split(separator: "\t", omittingEmptySubsequences: false)
    }
    #expect(lines[0] == ["stage", "layer", "kind", "shape", "calls", "seconds", "share", "gflops_per_second"])
    #expect(lines.allSatisfy { $0.count == 8 } && lines.count > 50)
    let shares = lines.dropFirst().compactMap { Double($0[6]) }
    #expect(shares.count == lines.count - 1 && abs(shares.reduce(0, +) - 1) < 0.001)
    let seconds = lines.dropFirst().compactMap { Double($0[5]) }
    #expect(seconds == seconds.sorted(by: >))
    // Three images of four steps; the fourth image existed.
    #expect(lines.contains { $0[0] == "sampling" && $0[1] == "conv_in" && $0[4] == "12" })
  }

  @Test func `--quiet prints nothing as long as all is well, and prints failures`() async throws {
    let space = try Workspace()
    let child = try await space.run("recipe.yaml", "--quiet")
    #expect(child.output.isEmpty && child.errors.isEmpty)
    try space.write(ExitCodeTests.oneOfThreeFails, to: "recipe.yaml")
    let failing = try await space.run("recipe.yaml", "--quiet", exits: 3)
    #expect(failing.output.isEmpty)
    #expect(failing.errors.split(separator: "\n").count == 1 && failing.errors.contains("clip_skip is 4"))
  }

  @Test func `without a terminal there are plain lines, with the folder first and the sum last`() async throws {
    let space = try Workspace()
    let child = try await space.run("recipe.yaml")
    #expect(child.errors.isEmpty)
    let lines = child.outputLines
    #expect(lines.count == 7)
    for line in lines {
      #expect(line.prefixMatch(of: #/20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ /#) != nil, "\(line)")
      #expect(line.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F })
    }
    #expect(lines[0].hasSuffix(" \(space.path)/run: 4 jobs, 0 done, 4 to make, 16 steps"))
    #expect(lines[1].hasSuffix(" loading model"))
    for (index, line) in lines[2..<6].enumerated() {
      #expect(line.contains(" [\(index + 1)/4] images/0000\(index)-\(index + 1)-"))
    }
    #expect(lines[6].contains(" 4 of 4 done, 0 failed (4 made in "))
  }

  @Test(arguments: ["| head -n 1", "| true", ">&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full"])
  func `a run continues when its streams are closed`(redirection: String) async throws {
    let space = try Workspace()
    let child = try space.startShell("{ \"$0\" recipe.yaml; echo $? >code; } \(redirection)")
    _ = try await child.wait()
    #expect(try space.text("code") == "0\n")
    #expect(try space.images().count == 4)
    // Text for a closed stream did not get into a file that has its number.
    #expect(space.journal().count == 4)
    #expect(try space.text("run/journal.jsonl").split(separator: "\n").count == 4)
    #expect(try space.text("run/recipe.yaml") == Workspace.recipe)
    try await space.run("recipe.yaml", "--output", "undisturbed")
    #expect(try space.images() == space.images("undisturbed"))
  }

  @Test func `warnings go to standard error and do not end the run`() async throws {
    let space = try Workspace(recipe: Workspace.recipe + "sheet: {x: steps}\nexclude: [{seed: 17}]\n")
    for arguments in [["plan", "recipe.yaml"], ["run", "recipe.yaml"], ["run", "recipe.yaml", "--quiet"]] {
      let child = try space.start([Child.program] + arguments, environment: [:])
      #expect(try await child.wait() == .exited(0))
      let lines = child.errors.split(separator: "\n")
      #expect(lines.count == 2)
      #expect(lines.first?.hasPrefix("recipe.yaml:10:12: warning: x: ") == true, "\(child.errors)")
      #expect(lines.last?.hasPrefix("recipe.yaml:11:") == true && child.errors.contains("warning: exclude: "))
    }
  }

  // MARK: plan

  @Test func `plan shows jobs, steps, axes and cells, and writes nothing`() async throws {
    let recipe = Workspace.recipe.replacingOccurrences(of: "steps: 4\n", with: "").replacingOccurrences(
      of: "seed: 1, 2, ..., 4",
      with: "seed: 1, 2, ..., 4\n  steps: [10, 20]\nzip:\n  - {cfg_scale: [1, 2], eta: [0, 1]}")
    let space = try Workspace(recipe: recipe)
    let before = try FileManager.default.subpathsOfDirectory(atPath: space.path)
    let child = try await space.run("plan", "recipe.yaml")
    #expect(child.errors.isEmpty)
    let lines = child.outputLines
    let words = lines.map { $0.split(separator: " ").joined(separator: " ") }
    #expect(words[..<3] == ["jobs 16", "total steps 240", "output \(space.path)/run"])
    #expect(words[7..<10] == ["axis seed: 4 values", "axis steps: 2 values", "axis cfg_scale + eta: 2 values"])
    #expect(
      lines[3..<5] == [
        "to make      16 images, 240 steps",
        "time         unknown (this model, size and precision has not been timed on this machine yet)",
      ])
    #expect(lines[5] == "memory       unknown" && lines[6].hasPrefix("disk         at most "))
    #expect(lines[10] == "00000  seed=1  steps=10  cfg_scale=1  eta=0  10 steps, 64x64")
    #expect(lines[13] == "00003  seed=1  steps=20  cfg_scale=2  eta=1  20 steps, 64x64")
    #expect(lines.count == 21 && lines[20] == "... and 6 more")
    #expect(try await space.run("plan", "recipe.yaml", "--cells", "16").outputLines.count == 26)
    let shorter = try await space.run("plan", "recipe.yaml", "--set", "seed=9", "--output", "other", "--cells", "0")
    #expect(shorter.output.contains("jobs         4\n") && shorter.output.contains("\(space.path)/other\n"))
    let after = try FileManager.default.subpathsOfDirectory(atPath: space.path)
    #expect(
      Set(after).subtracting(before).allSatisfy { ["output-", "errors-", "cache"].contains(where: $0.hasPrefix) })
  }

  @Test func `plan shows what is left, and the time estimated from earlier images on this machine`() async throws {
    let space = try Workspace()
    func estimate(_ arguments: String...) async throws -> JSONValue {
      let child = try space.start([Child.program, "plan", "recipe.yaml", "--json"] + arguments, environment: [:])
      #expect(try await child.wait() == .exited(0))
      let json = try JSONValue(parsing: child.output)
      #expect(
        json.names == ["jobs", "total_steps", "output", "axes", "estimate", "seeds_are_examples", "cells"])
      return try #require(json["estimate"])
    }
    let before = try await estimate()
    #expect(before["images_to_make"] == 4 && before["images_unmeasured"] == 4 && before["steps_to_make"] == 16)
    #expect(before["seconds"] == .null && before["memory_bytes"] == .null && before["disk_is_upper_bound"] == true)
    try await space.run("recipe.yaml", "--threads", "2", "--set", "seed=1")

    // The made images exist; the images that are left are of the same kind.
    let after = try await estimate("--threads", "2")
    #expect(after["images_done"] == 1 && after["images_to_make"] == 3 && after["images_unmeasured"] == 0)
    let row = try #require(space.text("run/trace.tsv").split(separator: "\n").last).split(
      separator: "\t", omittingEmptySubsequences: false)
    let seconds = try #require(Double(row[1]))
    let expected = try #require(after["seconds"]?.numberValue)
    #expect(abs(expected - 3 * seconds) <= 0.001 + seconds / 100, "\(expected) of \(seconds)")
    #expect(after["memory_bytes"]?.integerValue == Int64(row[7]).map { $0 << 20 })
    #expect(after["disk_is_upper_bound"] == false)

    // Another folder knows it from the cache, other samplers by their calls; other sizes and threads are unknown.
    let elsewhere = try await estimate("--output", "elsewhere", "--threads", "2")
    #expect(elsewhere["images_to_make"] == 4 && elsewhere["images_unmeasured"] == 0)
    let heun = try await estimate("--output", "elsewhere", "--threads", "2", "--set", "sampler_name=Heun")
    #expect(try #require(heun["seconds"]?.numberValue) >= #require(elsewhere["seconds"]?.numberValue))
    for other in [["--set", "width=72"], ["--threads", "3"], ["--set", "sampler_name=DPM adaptive"]] {
      let child = try space.start(
        [Child.program, "plan", "recipe.yaml", "--output", "elsewhere", "--json", "--threads", "2"] + other,
        environment: [:])
      #expect(try await child.wait() == .exited(0))
      let json = try JSONValue(parsing: child.output)
      #expect(json["estimate"]?["images_unmeasured"] == 4 && json["estimate"]?["seconds"] == .null, "\(other)")
    }
    #expect(
      try await space.run("plan", "recipe.yaml", "--threads", "2").output.contains("; 1 done\ntime         about ")
    )
  }

  @Test(.timeLimit(.minutes(20)))
  func `a plan of a million jobs is made, and one of 10^12 is refused`() async throws {
    let space = try Workspace(
      recipe: Workspace.recipe.replacingOccurrences(of: "..., 4", with: "..., 1000\n  cfg_scale: 1, 2, ..., 1000"))
    #expect(try await space.run("plan", "recipe.yaml").output.contains("jobs         1000000\ntotal steps  4000000\n"))
    try space.write(
      Workspace.recipe.replacingOccurrences(
        of: "..., 4", with: "..., 1000000\n  cfg_scale: 0.001, 0.002, ..., 1000"), to: "recipe.yaml")
    #expect(try await space.run("plan", "recipe.yaml", exits: 10).errors.contains("1000000000000 jobs"))
  }

  // MARK: status

  @Test func `status describes runs that are finished, unfinished or not there`() async throws {
    let space = try Workspace()
    #expect(try await space.run("status", "run", exits: 10).errors.contains("\(space.path)/run is not a run folder"))
    try await space.run("recipe.yaml")
    let times = try space.times()
    let finished = try await space.run("status", "run")
    #expect(
      finished.output.hasPrefix("\(space.path)/run: 4 of 4 done, 0 failed, 0 to do\nnot running\nlast activity: 20"))
    let name = try #require(try space.images().keys.max())
    try FileManager.default.removeItem(atPath: "\(space.path)/run/images/\(name)")
    #expect(try await space.run("status", "run").output.contains(": 3 of 4 done, 0 failed, 1 to do\n"))
    let json = try await JSONValue(parsing: space.run("status", "run", "--json").output)
    #expect(
      json.names == [
        "folder", "counts", "reused", "running", "holder", "last_activity", "current", "shards", "failures",
        "failure_reasons",
      ])
    #expect(json["counts"] == ["total": 4, "done": 3, "failed": 0, "pending": 1])
    #expect(json["running"] == false && json["holder"] == .null && json["failures"] == [])
    #expect(try space.times() == times.filter { $0.key != "images/" + name })
  }
}
