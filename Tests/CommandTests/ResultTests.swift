import Foundation
import Imaging
import JSON
import Settings
import Testing
import TestSupport

/// The results of a run, compared with PyTorch's images and the format of the manifest.
@Suite struct ResultTests {
  /// Every case of `Tests/Fixtures/Engine` as one value of an axis, in JSON, which is YAML too.
  static func fixtureRecipe() throws -> (recipe: String, files: [String]) {
    let cases = try JSONValue(parsing: String(decoding: Fixtures.data("Engine/cases.json"), as: UTF8.self))
    var lines = ["output: run", "precision: fp32", "grid:", "  case:"]
    var files: [String] = []
    for case .object(let members) in cases.elements ?? [] {
      let file = members.first { $0.name == "file" }?.value.text ?? ""
      let isDemo = members.contains { $0.name == "model" }
      var settings = members.filter { !["file", "calls", "model"].contains($0.name) }
      settings.append(JSONMember("model", isDemo ? "demo" : "model.safetensors"))
      settings.append(JSONMember("title", .string(file)))
      lines.append("    - " + JSONValue.object(settings).jsonText)
      files.append(file)
    }
    return (lines.joined(separator: "\n") + "\n", files)
  }

  @Test func `a recipe of every case makes the images that PyTorch makes`() async throws {
    let (recipe, files) = try Self.fixtureRecipe()
    #expect(files.count > 15)
    let space = try Workspace(recipe: recipe)
    try await space.run("recipe.yaml", "--precision", "fp32")
    let jobs = try space.manifestJobs()
    #expect(jobs.count == files.count)
    for (job, file) in zip(jobs, files) {
      #expect(job["axes"]?.elements?.first?["title"]?.text == file)
      let path = try #require(job["file"]?.text)
      let image = try PNGFile(decoding: [UInt8](space.data("run/" + path))).image
      let expected = try PNGFile(decoding: [UInt8](Fixtures.data("Engine/" + file))).image
      #expect((image.width, image.height) == (expected.width, expected.height))
      let differences = zip(image.pixels, expected.pixels).map { abs(Int($0) - Int($1)) }
      #expect(differences.max() ?? 0 <= 3, "\(file)")
      #expect(differences.count { $0 > 1 } * 1000 <= differences.count, "\(file)")
    }
    let models = try #require(space.manifest()["models"]?.elements)
    #expect(models.map { $0["name"]?.text } == ["model", "demo"])
  }

  @Test func `the manifest holds what its format promises and nothing else`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml")
    let manifest = try space.manifest()
    #expect(manifest.names == ["schema", "run", "recipe", "models", "engine", "jobs", "checksum"])
    let run = try #require(manifest["run"])
    #expect(run.names == ["started", "finished", "host", "status", "counts"])
    #expect(run["status"] == "done")
    #expect(run["counts"] == ["total": 4, "done": 4, "failed": 0, "pending": 0])
    #expect(manifest["recipe"]?["prompt"] == "a small boat")
    let model = try #require(manifest["models"]?.elements?.first)
    #expect(model.names == ["name", "path", "sha256", "family"])
    #expect(model["sha256"]?.text == digest(try RandomModels.data("model.safetensors")))
    #expect(model["path"]?.text == RandomModels.path("model.safetensors"))
    #expect(manifest["engine"]?.names == ["version", "numerics", "isa", "precision", "threads"])

    let jobs = try #require(manifest["jobs"]?.elements)
    #expect(jobs.count == 4)
    for (index, job) in jobs.enumerated() {
      #expect(
        job.names == [
          "id", "index", "axes", "status", "file", "sha256", "pixels_sha256", "parameters", "infotext", "info",
          "seconds", "error",
        ])
      let id = try #require(job["id"]?.text)
      #expect(id.count == 64 && id.allSatisfy { "0123456789abcdef".contains($0) })
      #expect(job["index"] == .integer(Int64(index)))
      #expect(job["axes"] == [["name": "seed", "value": .string("\(index + 1)"), "title": .string("\(index + 1)")]])
      #expect(job["file"]?.text == "images/0000\(index)-\(index + 1)-\(id.prefix(8)).png")
      #expect(job["status"] == "done" && job["error"] == .null)
      #expect(job["seconds"]?.numberValue ?? 0 > 0)
      #expect(job["parameters"]?["seed"] == .integer(Int64(index + 1)))

      let bytes = try space.data("run/" + (job["file"]?.text ?? ""))
      #expect(job["sha256"]?.text == digest(bytes))
      let png = try PNGFile(decoding: [UInt8](bytes))
      #expect(job["pixels_sha256"]?.text == digest(png.image.pixels))
      #expect(png.texts.map(\.keyword) == ["parameters"])
      #expect(png.text("parameters") == job["infotext"]?.text)
      #expect(job["info"]?["infotexts"] == [job["infotext"] ?? .null])
      #expect(
        png.text("parameters")?.hasPrefix("a small boat\nSteps: 4, Sampler: Euler a, Schedule type: ") == true)
    }
    #expect(try Set(space.images().keys) == Set(jobs.compactMap { $0["file"]?.text?.dropFirst(7) }.map(String.init)))
  }

  @Test func `the folder has the files of a run, with the recipe as it was written`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml")
    let names = try FileManager.default.contentsOfDirectory(atPath: space.path + "/run")
    for name in [
      "images", "contact-sheet.png", "manifest.json", "plan.jsonl", "seeds.json", "journal.jsonl", "trace.tsv",
      "recipe.yaml",
    ] {
      #expect(names.contains(name))
    }
    #expect(try space.text("run/recipe.yaml") == Workspace.recipe)
  }

  @Test func `threads, output folder and the name of the instruction set do not change the bytes`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml", "--threads", "1")
    try await space.run("recipe.yaml", "--threads", "3", "--output", "elsewhere/deep")
    #expect(try space.images() == space.images("elsewhere/deep"))
    #expect(try space.manifest("elsewhere/deep")["engine"]?["threads"] == 3)
    let isa = try #require(space.manifest()["engine"]?["isa"]?.text)
    try await space.run("recipe.yaml", "--output", "named", environment: ["SDBATCH_ISA": isa])
    #expect(try space.images() == space.images("named"))
  }

  @Test func `the portable instruction set makes nearly the same image under another identity`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml", "--precision", "fp32", "--set", "seed=1")
    try await space.run(
      "recipe.yaml", "--precision", "fp32", "--set", "seed=1", "--output", "portable",
      environment: ["SDBATCH_ISA": "portable"])
    #expect(try space.manifest("portable")["engine"]?["isa"] == "portable")
    let images = try [space.images(), space.images("portable")].map { images in
      try PNGFile(decoding: [UInt8](#require(images.values.first))).image.pixels
    }
    #expect(images[0].count == images[1].count)
    #expect(zip(images[0], images[1]).allSatisfy { abs(Int($0) - Int($1)) <= 3 })
    let isa = try space.manifest()["engine"]?["isa"]
    let ids = try [space.manifestJobs(), space.manifestJobs("portable")].map { $0[0]["id"] }
    #expect((ids[0] == ids[1]) == (isa == "portable"))
  }

  @Test func `the demo model makes images without a word about models`() async throws {
    let space = try Workspace(recipe: "prompt: a red circle\nsteps: 1\nwidth: 64\nheight: 64\nseed: 3\n")
    try await space.run("recipe.yaml")
    let job = try #require(space.manifestJobs("Output/recipe").first)
    #expect(job["parameters"]?["model"] == "demo")
    #expect(job["infotext"]?.text?.contains("Model: demo") == true)
  }
}
