import Foundation
import JSON
import Testing
import TestSupport

/// `sdbatch inspect`: images of this program and of the webui, and other files.
@Suite struct InspectTests {
  @Test func `an image's settings and its recipe are shown, and the recipe makes the same bytes`() async throws {
    let space = try Workspace(
      recipe: """
        model: model.safetensors
        prompt: "a (small:1.2) boat\\n# and a comment\\nin [red:blue:0.5]"
        negative_prompt: noise
        width: 64
        height: 72
        steps: 3
        sampler_name: DPM++ 2S a
        scheduler: sgm_uniform
        eta: 0.5
        s_noise: 1.02
        subseed_strength: 0.25
        seed: 5
        output: run

        """)
    try await space.run("recipe.yaml")
    let file = try #require(space.images().keys.first)
    let child = try await space.run("inspect", "run/images/\(file)", "--json")
    let json = try JSONValue(parsing: child.output)
    let job = try #require(space.manifestJobs().first)
    #expect(json["width"] == 64 && json["height"] == 72 && json["complete"] == true && json["remarks"] == [])
    #expect(json["infotext"] == job["infotext"] && json["program"]?.text?.hasPrefix("sdbatch ") == true)
    #expect(json["settings"]?["Schedule type"] == "SGM Uniform" && json["settings"]?["Eta"] == "0.5")
    // A recipe's eta also sets DDIM's, which this sampler does not read.
    for name in try #require(job["parameters"]).names where !["model", "eta_ddim"].contains(name) {
      #expect(json["parameters"]?[name] == job["parameters"]?[name], "\(name)")
    }
    let recipe = try #require(json["recipe"]?.text)
    try space.write(recipe.replacing("model: \"model\"", with: "model: model.safetensors"), to: "again.yaml")
    try await space.run("again.yaml", "--output", "again")
    #expect(try space.images() == space.images("again"))

    let text = try await space.run("inspect", "run/images/\(file)").output
    #expect(text.contains("\nSampler") && text.contains("DPM++ 2S a\n") && text.hasSuffix(recipe))
  }

  @Test(arguments: ["tEXt", "zTXt"])
  func `a webui image is read, whatever chunk its text is in`(name: String) async throws {
    let space = try Workspace()
    let output = try await space.run("inspect", Fixtures.path("Infotext/\(name).png"), "--json").output
    let json = try JSONValue(parsing: output)
    #expect(json["program"] == "webui v1.5.1" && json["prompt"] == "a café, (red:1.2)")
    #expect(json["negative_prompt"] == "blurry,\nugly")
    #expect(json["model"] == ["name": "v1-5-pruned-emaonly", "hash": "6ce0161689"])
    let parameters = try #require(json["parameters"])
    #expect(parameters["sampler_name"] == "DPM++ 2M" && parameters["scheduler"] == "karras")
    #expect(parameters["clip_skip"] == 2 && parameters["eta_noise_seed_delta"] == 31337 && parameters["rng"] == "nv")
    #expect(parameters["use_downcasted_alpha_bar"] == true && parameters["width"] == 16 && parameters["height"] == 8)
  }

  @Test(arguments: ["iTXt", "iTXt-compressed"])
  func `text of any script is read, and unknown keys are reported`(name: String) async throws {
    let space = try Workspace()
    let path = Fixtures.path("Infotext/\(name).png")
    let json = try JSONValue(parsing: try await space.run("inspect", path, "--json").output)
    #expect(json["prompt"] == "日本の海 “waves”")
    #expect(json["settings"]?["Some Extension"] == "a: 1, b: \"2\"")
    #expect(json["remarks"]?.elements?.map { $0["kind"] } == ["unknown"] && json["complete"] == true)
    let text = try await space.run("inspect", path).output
    #expect(text.contains("unknown: Some Extension: ") && text.contains("prompt: \"日本の海 “waves”\"\n"))
  }

  @Test func `what is no image with an infotext is an error that says what it is`() async throws {
    let space = try Workspace()
    func errors(_ file: String) async throws -> String { try await space.run("inspect", file, exits: 10).errors }
    #expect(try await errors("recipe.yaml").contains("recipe.yaml is not a PNG, JPEG or WebP file"))
    #expect(try await errors(".").contains("is not a PNG, JPEG or WebP file"))
    #expect(try await errors("nothing.png").contains("cannot read nothing.png: No such file"))
    let other = try await errors(Fixtures.path("Infotext/other.png"))
    #expect(other.contains("no text under \"parameters\"") && other.contains("\"workflow\""))
    #expect(try await errors(Fixtures.path("Imaging/empty.png")).contains("no line of settings"))
    try space.write(try Fixtures.data("Infotext/tEXt.png").dropLast(20), to: "cut.png")
    #expect(try await errors("cut.png").contains("cut.png: not an intact PNG file"))
    try space.write(Data(), to: "none.png")
    #expect(try await errors("none.png").contains("is not a PNG, JPEG or WebP file"))
    #expect(try await space.run("inspect", exits: 64).output.isEmpty)
  }
}
