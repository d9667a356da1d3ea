import Foundation
import JSON
import Testing
import TestSupport

/// LoRAs and embeddings in recipes, run folders and images.
@Suite struct AdapterTests {
  private static let recipe = """
    model: model.safetensors
    prompt: "a bluestar on a lake <lora:plain:0.5>, __which__"
    negative_prompt: easynoise
    styles: [ink]
    size: 64x64
    steps: 1
    sampler_name: Euler
    precision: fp32
    output: run
    grid:
      seed: [1, 2]
      Prompt S/R: ["<lora:plain:0.5>", "<lora:plain:1:0.3><lora:loha:0.4>", ""]
    """

  private func space() throws -> Workspace {
    let space = try Workspace(recipe: Self.recipe)
    for (folder, names) in [
      ("adapters/lora", ["plain.safetensors", "loha.safetensors", "lokr.safetensors"]),
      ("inversions/embeddings", ["bluestar.pt", "EasyNoise.bin", "tree.safetensors"]),
    ] {
      let target = "models/" + (folder.split(separator: "/").last ?? "")
      try space.makeFolder(target)
      for name in names { try space.write(Fixtures.data("Engine/\(folder)/\(name)"), to: "\(target)/\(name)") }
    }
    try space.makeFolder("wildcards")
    try space.write("a tree\na <lora:lokr:0.6> house\n", to: "wildcards/which.txt")
    try space.write("name,prompt,negative_prompt\nink,<lora:plain:0.25>,\n", to: "styles.csv")
    return space
  }

  @Test func `a grid over LoRAs runs, is in the images, and is made again from them`() async throws {
    let space = try space()
    let first = try await space.run("recipe.yaml")
    #expect(first.errors.contains("note: ") && first.errors.contains("its name stays a normal word"))
    let jobs = try space.manifestJobs()
    #expect(jobs.count == 12 && Set(jobs.compactMap { $0["pixels_sha256"]?.text }).count == 12)
    let models = try space.manifest()["models"]?.elements ?? []
    #expect(Set(models.compactMap { $0["family"]?.text }) == ["sd1", "lora", "embedding"])
    for job in jobs {
      let infotext = try #require(job["infotext"]?.text)
      #expect(
        infotext.contains("<lora:plain:0.25>")
          && infotext.firstMatch(of: #/Lora hashes: "[^"]*plain: [0-9a-f]{12}/#) != nil)
      #expect(infotext.contains("TI hashes: \"bluestar: "))
      let file = try #require(job["file"]?.text)
      let again = try await space.run("reproduce", "run/" + file)
      #expect(again.output.contains(": equal: all "), "\(again.output)\(again.errors)")
    }
    // No work is left: all images exist.
    let second = try await space.run("recipe.yaml", "--json")
    #expect(!second.output.contains("image_done"))
  }

  @Test func `all LoRAs that are missing are reported before anything is written`() async throws {
    let space = try space()
    let child = try await space.run(
      "recipe.yaml", "--set", "prompt=<lora:gone:1> <lora:plain:0.5> __which__", exits: 10)
    #expect(child.errors.contains(#"found no LoRA called "gone""#))
    #expect(child.errors.contains("models/lora"))
    #expect(!FileManager.default.fileExists(atPath: space.path + "/run/images"))
    let plan = try await space.run("plan", "recipe.yaml", "--set", "prompt=<lora:gone:1> <lora:plain:0.5>", exits: 10)
    #expect(plan.output.contains(#"error        prompt: found no LoRA called "gone""#))
    let number = try await space.run("recipe.yaml", "--set", "prompt=<lora:plain:0.5><lora:loha:x>", exits: 10)
    #expect(number.errors.contains(#"in <lora:loha:x>: found "x", expected a number"#))
  }

  @Test func `a file that was replaced makes the jobs with it run again, and no others`() async throws {
    let space = try space()
    try await space.run("recipe.yaml")
    try space.write(Fixtures.data("Engine/adapters/lora/processors.safetensors"), to: "models/lora/loha.safetensors")
    let why = try JSONValue(parsing: try await space.run("why", "run", "--json").output)
    #expect(why["runs"] == 4)
    #expect(why["reasons"]?.elements?.first?["changes"]?.elements?.compactMap { $0["name"]?.text } == ["loras"])
    let file = try #require(
      space.manifestJobs().first { $0["infotext"]?.text?.contains("loha") == true }?["file"]?.text)
    let child = try await space.run("reproduce", "run/" + file, exits: 10)
    #expect(child.errors.contains(#"the LoRA "loha" ["#) && child.errors.contains("whose hash is"))
  }
}
