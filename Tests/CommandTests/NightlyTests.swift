import Foundation
import JSON
import Testing

/// Nights with the clocks of two time zones that never have the same date.
@Suite struct NightlyTests {
  private static let recipe = Workspace.recipe.replacingOccurrences(of: "grid:\n  seed: 1, 2, ..., 4\n", with: "")
    .replacingOccurrences(of: "steps: 4", with: "steps: 1\nseed: nightly 2")
  /// Twelve hours behind UTC, and fourteen ahead.
  private static let (early, late) = (["TZ": "<-12>12"], ["TZ": "<+14>-14"])

  @Test func `each date makes its images once, and older nights stay`() async throws {
    let space = try Workspace(recipe: Self.recipe)
    let plan = try await space.run("plan", "recipe.yaml", environment: Self.early)
    #expect(plan.output.contains("jobs         2\n") && plan.output.contains("examples") && !space.exists("run"))
    try await space.run("recipe.yaml", "--summary", environment: Self.early)
    let first = try space.images()
    #expect(first.count == 2)
    let idle = try await space.run("recipe.yaml", "--summary", environment: Self.early)
    #expect(idle.output.contains("2 of 2 done, 0 failed (nothing to do)"))
    let second = try await space.run("recipe.yaml", "--summary", environment: Self.late)
    #expect(second.output.contains("4 of 4 done, 0 failed (2 made in "))
    let images = try space.images()
    #expect(images.count == 4 && first.allSatisfy { images[$0.key] == $0.value })
    // The clock goes back to the previous date; and other seeds are drawn again.
    for arguments in [["recipe.yaml", "--summary"], ["recipe.yaml", "--summary", "--new-seeds"]] {
      let child = try space.start([Child.program] + arguments, environment: Self.early)
      #expect(try await child.wait() == .exited(0))
      #expect(child.output.contains("4 of 4 done, 0 failed (nothing to do)"))
    }
    #expect(try space.images() == images)
    try await space.run("verify", "run")
  }

  @Test func `a night that was not finished comes before a new one`() async throws {
    let space = try Workspace(recipe: Self.recipe)
    try await space.run("plan", "recipe.yaml", "--freeze", environment: Self.early)
    let first = try seeds(space)
    let child = try await space.run("recipe.yaml", "--json", environment: Self.late)
    let made = try child.outputLines.map { try JSONValue(parsing: $0) }.filter { $0["event"] == "image_done" }
    #expect(made.map { $0["index"] } == [0, 1, 2, 3])
    #expect(first.count == 2)
    #expect(try seeds(space).prefix(2) == first[...])
  }

  /// The seeds in the plan of a run.
  private func seeds(_ space: Workspace) throws -> [JSONValue?] {
    try space.text("run/plan.jsonl").split(separator: "\n").map {
      try JSONValue(parsing: String($0))["parameters"]?["seed"]
    }
  }

  @Test func `nights are listed, kept by the recipe, forgotten by the command and not made again`() async throws {
    let recipe = Self.recipe.replacingOccurrences(of: "seed: nightly 2", with: "nightly: {count: 2, keep: 1}")
    let space = try Workspace(recipe: recipe)
    try await space.run("recipe.yaml", environment: Self.early)
    let first = try space.images()
    let second = try await space.run("recipe.yaml", environment: Self.late)
    #expect(second.errors.contains("note: \(space.path)/run: 2 images of nights that the recipe no longer keeps"))
    #expect(second.output.contains("2 of 2 done, 0 failed (2 made in "))
    #expect(try space.images().keys.allSatisfy { first[$0] == nil })
    for (name, data) in first { #expect(try space.data("run/trash/" + name) == data) }
    let list = try await space.run("nights", "run")
    #expect(list.outputLines[0] == "night       images  failed  to do  forgotten  starred  time")
    #expect(list.outputLines.count == 3)
    #expect(list.outputLines[1].contains(/^\d{4}-\d\d-\d\d     2\/2       -      -          -        -  \d+\.\ds$/))
    #expect(list.outputLines[2].contains(/^\d{4}-\d\d-\d\d     0\/0       -      -          2        -  0\.0s$/))
    let json = try JSONValue(parsing: try await space.run("nights", "run", "--json", "--last", "1").output)
    #expect(json["series"] == true && json["nights"]?.elements?.count == 1)
    #expect(json["nights"]?.elements?[0]["done"] == 2)
    try await space.run("verify", "run")
    let status = try await space.run("status", "recipe.yaml")
    #expect(status.output.contains("2 of 2 done, 0 failed, 0 to do\n") && status.output.contains("last night: "))
    // The newest night is the first on the page, and marked.
    let page = try space.text("run/index.html")
    let night = String(list.outputLines[1].prefix(10))
    #expect(page.contains("\"\(night) (new)\""))

    let preview = try await space.run("forget", "run", "--keep", "picks", "--dry-run")
    #expect(preview.output.contains("2 images, 1 KiB, would move to trash/") || preview.output.contains("would move"))
    #expect(try space.images().count == 2)
    try await space.run("forget", "run", "--keep-last", "1")
    #expect(try space.images().count == 2)
    try await space.run("forget", "run", exits: 64)
    try await space.run("forget", "run", "--keep-last", "0", exits: 64)
    try await space.run("forget", "nowhere", "--keep-last", "1", exits: 10)
    let emptied = try await space.run("forget", "run", "--empty-trash")
    #expect(emptied.output.hasPrefix("2 images, "))
    #expect(try FileManager.default.contentsOfDirectory(atPath: space.path + "/run/trash").isEmpty)
    try await space.run("recipe.yaml", "--set", "nightly=2", environment: Self.late)
    #expect(try space.images().count == 2)
    // With a changed recipe, images have other ids, and the forgotten night stays forgotten.
    let changed = try await space.run(
      "plan", "recipe.yaml", "--set", "nightly=2", "--set", "cfg_scale=3", environment: Self.late)
    #expect(changed.output.contains("jobs         2\n"))
    let plan = try await space.run("plan", "recipe.yaml", "--set", "nightly=2", "--remake", environment: Self.late)
    #expect(plan.output.contains("jobs         4\n"))
    let made = try await space.run(
      "recipe.yaml", "--set", "nightly=2", "--remake", "--summary", environment: Self.late)
    #expect(made.output.contains("4 of 4 done, 0 failed (2 made in "))
    #expect(try space.images().filter { first[$0.key] == nil }.count == 2)
    for (name, data) in first { #expect(try space.images()[name] == data) }
  }

  @Test func `a series of which every image was deleted goes on, and makes them again if asked`() async throws {
    let recipe = Self.recipe.replacingOccurrences(of: "seed: nightly 2", with: "nightly: 2")
    let space = try Workspace(recipe: recipe)
    try await space.run("recipe.yaml", environment: Self.early)
    let first = try space.images()
    for name in first.keys { try space.remove("run/images/" + name) }
    let idle = try await space.run("recipe.yaml", "--summary", environment: Self.early)
    #expect(idle.output.contains("0 of 0 done, 0 failed (nothing to do)"))
    #expect(try space.images().isEmpty)
    for command in ["status", "verify", "why", "nights"] { try await space.run(command, "run") }
    try await space.run("recipe.yaml", "--remake", environment: Self.early)
    #expect(try space.images() == first)
  }

  @Test func `the recipe for nights is one, and its files start it as the manual says`() async throws {
    let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let folder = package.appendingPathComponent("Recipes/nightly")
    let space = try Workspace(recipe: nil)
    try FileManager.default.copyItem(
      at: folder.appendingPathComponent("nightly.yaml"), to: URL(fileURLWithPath: space.path + "/nightly.yaml"))
    let plan = try await space.run("plan", "nightly.yaml")
    #expect(plan.output.contains("jobs         8\n") && plan.errors.isEmpty)
    // Cron and systemd start command lines that the program accepts.
    for file in ["crontab", "sdbatch-nightly.service"] {
      let text = try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
      let words = try #require(text.firstMatch(of: /\/sdbatch (nightly\.yaml[^\n]*)\n/)?.1).split(separator: " ")
      let child = try space.start(
        [Child.program] + words.map(String.init) + ["--set", "model=none"], environment: [:])
      #expect(try await child.wait() == .exited(10))
      #expect(child.errors.contains("model: found \"none\""))
    }
  }
}
