import Foundation
import JSON
import Testing

/// Recipes in 8 bits, from the command line to the manifest and back.
@Suite struct Int8Tests {
  @Test func `a run in 8 bits is marked in manifest and image, and is reproduced from the image`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml", "--precision", "int8", "--set", "seed=1")
    let manifest = try space.manifest()
    #expect(manifest["engine"]?["precision"]?.text == "int8")
    let job = try #require(try space.manifestJobs().first)
    #expect(job["infotext"]?.text?.contains("Precision: int8") == true)
    let file = try #require(job["file"]?.text)
    try await space.run("reproduce", "run/\(file)", "--set", "model=model.safetensors")
    // The same cell with another precision is another image.
    try await space.run("recipe.yaml", "--precision", "fp32", "--set", "seed=1")
    #expect(try space.manifestJobs().first?["id"]?.text != job["id"]?.text)
  }

  @Test func `a processor without products of 8 bits is reported once, and runs them`() async throws {
    let space = try Workspace()
    let child = try await space.run(
      "recipe.yaml", "--precision", "int8", "--set", "steps=1", environment: ["SDBATCH_ISA": "portable"])
    #expect(
      child.errors.components(separatedBy: "note: precision: int8 saves memory here, not time").count == 2,
      "\(child.errors)")
    #expect(try space.images().count == 4)
  }
}
