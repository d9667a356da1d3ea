import Foundation
import Imaging
import JSON
import Testing
import TestSupport

/// Names that the user chose, with the program.
@Suite struct NameCommandTests {
  private func files(_ space: Workspace, _ run: String = "run") throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: "\(space.path)/\(run)/images").filter { $0.contains(".") }
      .sorted()
  }

  @Test func `a pattern names images in folders, and every command finds them`() async throws {
    let space = try Workspace()
    let pattern = #"file_name="[model_name]/[seed] [prompt_words<2>]""#
    try await space.run("recipe.yaml", "--set", "seed=1")
    let before = try #require(try space.images().values.first)
    try await space.run("recipe.yaml", "--set", "seed=1", "--set", pattern)
    let file = "model/1 a small.png"
    #expect(try files(space) == [file])
    #expect(try space.data("run/images/\(file)") == before)
    #expect(try space.text("run/trace.tsv").split(separator: "\n").count == 2)
    #expect(try await space.run("verify", "run").output.contains("all correct"))
    #expect(try await space.run("why", "run", "run/images/\(file)").output.contains("will be skipped"))
    #expect(try await space.run("reproduce", "run/images/\(file)").output.contains("equal"))
    #expect(try space.text("run/index.html").contains("images/\(file)"))
    #expect(try await space.run("upscale", "run").outputLines.last == "1 made, 0 existed")
    #expect(space.exists("run/upscaled/\(file)"))
    let manifest = try JSONValue(parsing: try space.text("run/manifest.json"))
    #expect(manifest["jobs"]?.elements?.first?["file"]?.text == "images/\(file)")
    try await space.run("run", "run")
    #expect(try files(space) == [file])
    try await space.run("recipe.yaml", "--set", "seed=1")
    #expect(try files(space).count == 1 && files(space)[0].hasPrefix("00000-1-"))
  }

  @Test func `requests have the webui's option`() async throws {
    let space = try Workspace(recipe: nil)
    let body = RequestTests.envelope(#", "seed": 3, "n_iter": 2"#).replacing(
      #""override_settings": {"#, with: #""override_settings": {"samples_filename_pattern": "[seed]-[prompt_spaces]", "#
    )
    try space.write(body, to: "request.json")
    try await space.run("request.json")
    #expect(try files(space, "Output/request") == ["3-a small boat.png", "4-a small boat.png"])
  }
}
