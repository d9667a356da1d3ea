import Foundation
import Imaging
import JSON
import Testing
import TestSupport

/// Images in other formats, through the program.
@Suite struct FormatCommandTests {
  @Test func `another format converts, and every command reads it`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml", "--set", "seed=1")
    let before = try space.images()
    let converted = try await space.run("recipe.yaml", "--set", "seed=1", "--set", "format=jpeg", "--set", "also=webp")
    #expect(converted.output.contains("1 converted from another format"))
    #expect(try space.images().keys.map { ($0 as NSString).pathExtension }.sorted() == ["jpg", "png", "webp"])
    // One image was made, in the first run.
    #expect(try space.text("run/trace.tsv").split(separator: "\n").count == 2)
    let name = try #require(before.keys.first).replacing(".png", with: "")
    for (ending, format) in [("jpg", "JPEG"), ("webp", "WebP")] {
      let file = "run/images/\(name).\(ending)"
      let inspected = try JSONValue(parsing: try await space.run("inspect", "--json", file).output)
      let original = try JSONValue(parsing: try await space.run("inspect", "--json", "run/images/\(name).png").output)
      #expect(inspected["format"]?.text == format)
      for key in ["infotext", "recipe", "settings", "width"] { #expect(inspected[key] == original[key]) }
      #expect(try await space.run("reproduce", file).output.contains("equal: all 12288 values are the same"))
    }
    #expect(try await space.run("verify", "run").output.contains("all correct"))
    let enlarged = try await space.run("upscale", "run", "--output", "large")
    #expect(enlarged.outputLines.last == "1 made, 0 existed")
    let large = try PNGFile(decoding: Array(space.data("large/\(name).png")))
    #expect(large.image.width == 128 && large.text("parameters")?.contains("Steps: 4") == true)
    try await space.run("sheet", "run")
    #expect(try space.text("run/index.html").contains("images/\(name).jpg"))
    let pruned = try await space.run("verify", "--prune", "run")
    #expect(pruned.output.contains("images/\(name).png: deleted"))
  }

  @Test func `a lossy image alone is decoded again from its latent, without a step`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml", "--set", "seed=1", "--set", "format=webp", "--set", "quality=50")
    try await space.run("recipe.yaml", "--set", "seed=1")
    let lines = try space.text("run/trace.tsv").split(separator: "\n").map {
      $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    }
    let column = try #require(lines[0].firstIndex(of: "evaluations"))
    #expect(lines.count == 3 && lines[1][column] != "0" && lines[2][column] == "0")
    let other = try Workspace()
    try await other.run("recipe.yaml", "--set", "seed=1")
    let name = try #require(try other.images().keys.first)
    #expect(try space.images()[name] == other.images()[name])
  }

  @Test func `requests get their images in the format that each asks for`() async throws {
    let space = try Workspace(recipe: nil)
    let line = { (id: String, options: String) in
      #"{"id": "\#(id)", "input": {"prompt": "a boat", "steps": 2, "width": 64, "height": 64, "seed": 5, "override_settings": {"sd_model_checkpoint": "model", \#(options)}}}"#
    }
    let lines = [
      line("a", #""samples_format": "jpg", "jpeg_quality": 70"#), line("b", #""samples_format": "webp""#),
      line("c", #""samples_format": "png""#), line("d", #""samples_format": "jpeg", "jpeg_quality": 95"#),
    ]
    try space.write(lines.joined(separator: "\n") + "\n", to: "requests.jsonl")
    try await space.run("requests.jsonl")
    var pictures: [String: PictureFile] = [:]
    var sizes: [String: Int] = [:]
    for id in ["a", "b", "c", "d"] {
      let document = try RequestTests.response(space, id, in: "Output/requests")
      let bytes = try #require(
        (document["output"]?["images"]?.elements?.first?.text).flatMap { Data(base64Encoded: $0) })
      pictures[id] = try PictureFile(decoding: Array(bytes))
      sizes[id] = bytes.count
    }
    #expect(["a", "b", "c", "d"].map { pictures[$0]?.format } == [.jpeg, .webp, .png, .jpeg])
    #expect(Set(pictures.values.map { $0.text("parameters") }).count == 1)
    #expect(try #require(sizes["d"]) > #require(sizes["a"]))
    // Each is encoded from the pixels, and not from another response's file.
    let png = try #require(pictures["c"]?.image)
    #expect(try pictures["d"]?.image == PictureFile(decoding: PictureFile.jpeg(png, quality: 95, text: nil)).image)
    #expect(try await space.run("status", "Output/requests").output.contains("4 of 4 done"))
  }

  @Test func `formats are no axes, and mistakes are reported where they are`() async throws {
    let space = try Workspace(recipe: nil)
    try space.write(
      "prompt: x\nformat: gif\nalso: [webp, tiff]\nquality: 0\ngrid: {format: [png, webp]}\n", to: "r.yaml")
    let child = try space.start([Child.program, "plan", "r.yaml"], environment: [:])
    #expect(try await child.wait() == .exited(10))
    for words in [
      "r.yaml:2:9: error: format: found \"gif\"", "r.yaml:3:7: error: also: found \"tiff\"", "r.yaml:4:10",
      "r.yaml:5:8: error: found format here",
    ] {
      #expect(child.errors.contains(words), "\(child.errors)")
    }
  }
}
