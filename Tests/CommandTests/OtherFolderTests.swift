import Foundation
import JSON
import Testing
import TestSupport

/// Images that another run folder has, through the program.
@Suite struct OtherFolderTests {
  private func space() throws -> Workspace {
    let space = try Workspace()
    for name in ["model.safetensors", "vocab.json", "merges.txt"] { try space.write(RandomModels.data(name), to: name) }
    try space.allowReuse()
    return space
  }

  @Test func `a renamed output costs nothing, and plan, run, status and why say so`() async throws {
    let space = try space()
    try await space.run("recipe.yaml", "--no-sheet")
    let plan = try await space.run("plan", "recipe.yaml", "--output", "other").output
    #expect(plan.contains("0 images, 0 steps; 4 are in other folders"))
    let json = try JSONValue(
      parsing: try await space.run("plan", "recipe.yaml", "--output", "other", "--json").output)["estimate"]
    #expect(json?["images_elsewhere"] == 4 && json?["images_to_make"] == 0)
    let run = try await space.run("recipe.yaml", "--output", "other", "--no-sheet").output
    #expect(run.contains("4 done (4 taken from other folders), nothing to do"))
    #expect(try space.images("other") == space.images())
    #expect(try await space.run("status", "other").output.contains("4 taken from other run folders"))
    #expect(try await space.run("why", "other", "0").output.contains("(taken from \(space.path)/run/images/"))
    try await space.run("verify", "other")
    #expect(try space.manifestJobs("other").allSatisfy { $0["reused_from"] != nil })
    let made = try await space.run("recipe.yaml", "--output", "made", "--no-sheet", "--no-reuse").output
    #expect(made.contains("4 to make"))
    #expect(try space.images("made") == space.images())
    #expect(try space.manifestJobs("made").allSatisfy { $0["reused_from"] == nil })
  }

  @Test func `an image that is gone elsewhere is made, with its steps`() async throws {
    let space = try space()
    try await space.run("recipe.yaml", "--no-sheet")
    let names = try space.images().keys.sorted()
    try space.remove("run/images/" + names[1])
    let run = try await space.run("recipe.yaml", "--output", "other", "--no-sheet").output
    #expect(run.contains("3 done (3 taken from other folders), 1 to make, 4 steps"))
    #expect(try space.images("other").keys.sorted() == names)
  }
}
