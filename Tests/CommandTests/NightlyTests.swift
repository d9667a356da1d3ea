import Foundation
import JSON
import Testing

/// Nights by the clock of two time zones that never have the same date.
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
    // The clock goes back to the date before; and other seeds are drawn anew.
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
    try await space.run("recipe.yaml", environment: Self.early)
    let first = try space.images()
    for name in first.keys { try FileManager.default.removeItem(atPath: "\(space.path)/run/images/\(name)") }
    let child = try await space.run("recipe.yaml", "--json", environment: Self.late)
    let made = try child.outputLines.map { try JSONValue(parsing: $0) }.filter { $0["event"] == "image_done" }
    #expect(made.map { $0["index"] } == [0, 1, 2, 3])
    #expect(Set(made.prefix(2).compactMap { $0["file"]?.text?.dropFirst(7) }.map(String.init)) == Set(first.keys))
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
    // What cron and systemd start are command lines that the program takes.
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
