import Foundation
import JSON
import Settings
import Testing
import TestSupport

/// Runs that were done before, completely or partly.
@Suite struct ResumeTests {
  @Test func `a second run makes nothing and changes no file`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml")
    let (images, times) = (try space.images(), try space.times())
    let child = try await space.run("recipe.yaml")
    #expect(child.output.contains("4 jobs, 4 done, nothing to do"))
    #expect(!child.output.contains("loading"))
    #expect(try space.images() == images)
    let changed = try space.times().filter { times[$0.key] != $0.value }.keys.sorted()
    // The lock names its holder, and the manifest the last run.
    #expect(changed == ["manifest.json", "run.lock"])
    #expect(space.journal().count == 4)
  }

  @Test func `an edited recipe makes the new cells only`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml")
    let images = try space.images()
    try space.write(
      Workspace.recipe.replacingOccurrences(of: "1, 2, ..., 4", with: "[9, 4, 2]\n  cfg_scale: [7, 3]"),
      to: "recipe.yaml")
    let child = try await space.run("recipe.yaml")
    #expect(child.output.contains("6 jobs, 2 done, 4 to make, 16 steps"))
    let jobs = try space.manifestJobs()
    #expect(jobs.map { $0["parameters"]?["seed"] } == [9, 9, 4, 4, 2, 2])
    // Re-used images keep their names; the manifest says which cell they are.
    #expect(jobs[2]["file"]?.text?.hasPrefix("images/00003-4-") == true)
    #expect(jobs[4]["file"]?.text?.hasPrefix("images/00001-2-") == true)
    #expect(space.journal().count == 8)
    let after = try space.images()
    for (name, data) in images { #expect(after[name] == data) }
    #expect(after.count == 8)

    // The first recipe's images still exist.
    try space.write(Workspace.recipe, to: "recipe.yaml")
    #expect(try await space.run("recipe.yaml").output.contains("4 jobs, 4 done, nothing to do"))
    #expect(try space.manifestJobs().count == 4)
  }

  @Test func `images that are deleted, cut short or altered are made again, the same`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml")
    let images = try space.images()
    let names = images.keys.sorted()
    try FileManager.default.removeItem(atPath: "\(space.path)/run/images/\(names[0])")
    try space.write(try #require(images[names[1]]).dropLast(100), to: "run/images/\(names[1])")
    var altered = try #require(images[names[2]])
    altered[altered.count / 2] ^= 1
    try space.write(altered, to: "run/images/\(names[2])")
    // Written again with the same bytes: a copy, not a change.
    try space.write(try #require(images[names[3]]), to: "run/images/\(names[3])")

    let child = try await space.run("recipe.yaml")
    #expect(child.output.contains("4 jobs, 1 done, 3 to make"))
    #expect(try space.images() == images)
    for job in try space.manifestJobs() {
      #expect(job["sha256"]?.text == digest(try space.data("run/" + (job["file"]?.text ?? ""))))
    }
    #expect(try await space.run("recipe.yaml").output.contains("nothing to do"))
  }

  @Test func `seeds of -1 are drawn once, and again with --new-seeds`() async throws {
    let space = try Workspace(
      recipe: Workspace.recipe.replacingOccurrences(of: "1, 2, ..., 4", with: "[-1, 5, -1]")
        .replacingOccurrences(of: "steps: 4", with: "steps: 1"))
    func seeds() throws -> [Int64] {
      try space.manifestJobs().compactMap { $0["parameters"]?["seed"]?.integerValue }
    }
    try await space.run("recipe.yaml")
    let first = try seeds()
    #expect(first.count == 3 && first[1] == 5 && first[0] != first[2] && first.allSatisfy { $0 >= 0 })
    #expect(try await space.run("recipe.yaml").output.contains("nothing to do"))
    #expect(try seeds() == first)
    #expect(try await space.run("recipe.yaml", "--new-seeds").output.contains("3 jobs, 1 done, 2 to make"))
    let second = try seeds()
    #expect(second[1] == 5 && second[0] != first[0] && second[2] != first[2])
    #expect(try await space.run("recipe.yaml").output.contains("nothing to do"))
    #expect(try seeds() == second)
  }

  @Test func `--set replaces a value and removes its axis, and the recipe that ran is kept`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml", "--set", "seed=77", "--set", "steps=2", "--set", "prompt=a, b: c")
    let jobs = try space.manifestJobs()
    #expect(jobs.count == 1)
    #expect(jobs[0]["parameters"]?["seed"] == 77 && jobs[0]["parameters"]?["steps"] == 2)
    #expect(jobs[0]["parameters"]?["prompt"] == "a, b: c")
    try await space.run("run/recipe.yaml", "--output", "again")
    #expect(try space.images() == space.images("again"))
  }
}
