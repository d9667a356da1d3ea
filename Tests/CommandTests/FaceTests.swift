import Foundation
import Imaging
import JSON
import Testing
import TestSupport

/// Restored faces through the program: runs, requests, `restore` and `upscale`.
@Suite struct FaceTests {
  private static let recipe = """
    model: model.safetensors
    prompt: a small boat
    size: 64x64
    steps: 2
    sampler_name: Euler a
    seed: 1
    output: run

    """

  /// A folder with networks that find one face in every image.
  private func space(_ keys: String = "", heads: [SyntheticTensor] = RandomFaces.eagerHeads) throws -> Workspace {
    let space = try Workspace(recipe: Self.recipe + keys)
    try RandomFaces.writeModels(to: space.path + "/models", heads: heads)
    return space
  }

  private func png(_ space: Workspace, _ name: String) throws -> PNGFile {
    try PNGFile(decoding: Array(space.data(name)))
  }

  @Test func `an axis of the webui's name restores by the network that it names`() async throws {
    let space = try space("grid: {Face restore: [None, CodeFormer, GFPGAN]}\n")
    try await space.run("recipe.yaml")
    let jobs = try space.manifestJobs()
    #expect(jobs.map { $0["faces"]?.integerValue } == [nil, 1, 1])
    #expect(jobs.map { $0["parameters"]?["code_former_weight"]?.numberValue } == [nil, 0.5, 0.5])
    #expect(jobs[2]["parameters"]?["face_restoration_model"] == "GFPGAN")
    let texts = jobs.map { $0["infotext"]?.text ?? "" }
    #expect(!texts[0].contains("Face"))
    #expect(texts[1].contains("Seed: 1, Face restoration: CodeFormer, Size: 64x64"))
    #expect(texts[2].contains("Face restoration: GFPGAN"))
    let info = jobs[1]["info"]
    #expect(info?["restore_faces"] == true && info?["face_restoration_model"] == "CodeFormer")
    #expect(jobs[0]["info"]?["restore_faces"] == false && jobs[0]["info"]?["face_restoration_model"] == .null)
    #expect(Set(jobs.map { $0["pixels_sha256"]?.text }).count == 3)
    let families = try space.manifest()["models"]?.elements?.compactMap { $0["family"]?.text } ?? []
    #expect(Set(families).isSuperset(of: ["codeformer", "gfpgan", "face-detector", "face-parser"]))
    let before = try space.images()
    try await space.run("recipe.yaml")
    #expect(try space.images() == before)
    #expect(try await space.run("verify", "run").output.contains("all correct"))
    // The text is enough to make the image again.
    let file = try #require(jobs[1]["file"]?.text)
    #expect(try await space.run("reproduce", "run/\(file)").output.contains("equal"))
  }

  @Test func `without a face the image is the same as without restoration`() async throws {
    let space = try space("grid: {restore_faces: [false, true]}\n", heads: RandomFaces.blindHeads)
    try await space.run("recipe.yaml")
    let jobs = try space.manifestJobs()
    #expect(jobs.map { $0["faces"]?.integerValue } == [nil, 0])
    #expect(jobs[0]["pixels_sha256"] == jobs[1]["pixels_sha256"] && jobs[0]["id"] != jobs[1]["id"])
    #expect(
      try png(space, "run/" + #require(jobs[1]["file"]?.text)).text("parameters")?.contains(
        "Face restoration: CodeFormer") == true)
  }

  @Test func `the image before is kept if asked for`() async throws {
    let space = try space("restore_faces: true\nsave_images_before_face_restoration: true\n")
    try await space.run("recipe.yaml")
    let names = try space.images().keys.sorted()
    #expect(names.count == 2)
    let (before, after) = (
      try #require(names.first { $0.contains("-before-face-restoration") }),
      try #require(names.first { !$0.contains("before") })
    )
    #expect(before == after.replacing(".png", with: "-before-face-restoration.png"))
    let (old, new) = (try png(space, "run/images/" + before), try png(space, "run/images/" + after))
    #expect(old.image != new.image)
    // Only the restored image has the number of faces.
    #expect(old.texts == new.texts.filter { $0.keyword != "faces" } && new.text("faces") != nil)
    #expect(try await space.run("verify", "run").output.contains("all correct"))
  }

  @Test func `missing files are refused before anything is written, all at once`() async throws {
    let space = try Workspace(recipe: Self.recipe + "restore_faces: true\n")
    for command in [["recipe.yaml"], ["run", "recipe.yaml"]] {
      let child = try space.start([Child.program] + command, environment: [:])
      #expect(try await child.wait() == .exited(10))
      for name in ["codeformer-v0.1.0.pth", "detection_Resnet50_Final.pth", "parsing_parsenet.pth"] {
        #expect(child.errors.contains(name), "\(child.errors)")
      }
    }
    #expect(!space.exists("run"))
    let plan = try await space.run("plan", "recipe.yaml", exits: 10)
    #expect((plan.output + plan.errors).contains("parsing_parsenet.pth"), "\(plan.output)")
  }

  @Test func `a damaged network is refused with code 10, and nothing is lost`() async throws {
    let space = try space("restore_faces: true\n")
    try await space.run("recipe.yaml", "--set", "restore_faces=false")
    let before = try space.images()
    let path = "models/GFPGAN/parsing_parsenet.safetensors"
    try space.write(space.data(path).prefix(5000), to: path)
    let child = try await space.run("recipe.yaml", exits: 10)
    #expect(child.errors.contains("parsing_parsenet"), "\(child.errors)")
    #expect(try space.images() == before)
  }

  @Test func `a request's images are restored, and its answer says so`() async throws {
    let space = try space()
    try space.write(
      RequestTests.envelope(
        #", "restore_faces": true, "n_iter": 2, "seed": 7"#, #""id": "mine", "#
      ).replacing(
        #""sd_model_checkpoint": "model""#,
        with: #""sd_model_checkpoint": "model", "code_former_weight": 0.25, "face_restoration_model": "CodeFormer""#),
      to: "request.json")
    try await space.run("request.json")
    let document = try RequestTests.response(space, "mine")
    let info = try JSONValue(parsing: try #require(document["output"]?["info"]?.text))
    #expect(info["restore_faces"] == true && info["face_restoration_model"] == "CodeFormer")
    #expect(document["output"]?["parameters"]?["restore_faces"] == true)
    let jobs = try space.manifestJobs("Output/request")
    #expect(jobs.map { $0["faces"]?.integerValue } == [1, 1])
    #expect(jobs.allSatisfy { $0["parameters"]?["code_former_weight"] == 0.25 })
  }

  @Test func `finished images are restored once, with their text`() async throws {
    let space = try space()
    try await space.run("recipe.yaml")
    let first = try await space.run("restore", "run")
    #expect(first.outputLines.last == "1 made, 0 existed" && first.output.contains(": 1 face"))
    let name = try #require(try space.images().keys.first)
    let (old, new) = (try png(space, "run/images/\(name)"), try png(space, "run/restored/\(name)"))
    #expect(old.image != new.image && new.image.width == 64)
    let text = try #require(old.text("parameters"))
    #expect(new.text("parameters") == text.replacing("Seed: 1, ", with: "Seed: 1, Face restoration: CodeFormer, "))
    #expect(
      new.text("postprocessing")?.hasPrefix(
        "Postprocess CodeFormer visibility: 1.0, Postprocess CodeFormer weight: 0.5, ") == true)
    #expect(try await space.run("restore", "run").outputLines.last == "0 made, 1 existed")
    // The same as in the run.
    try await space.run("recipe.yaml", "--set", "restore_faces=true", "--set", "output=other")
    let other = try png(space, "other/images/" + #require(try space.images("other").keys.first))
    #expect(other.image == new.image)

    // A visibility of a half gives the mean of both.
    try await space.run("restore", "run/images/\(name)", "--codeformer-visibility", "0.5", "--output", "half")
    let half = try png(space, "half/\(name)").image.pixels
    let expected = zip(old.image.pixels, new.image.pixels).map { (old, new) -> UInt8 in
      let difference = Float(Int(new) - Int(old))
      return UInt8(Float(old) + 0.5 * difference)
    }
    #expect(half == expected)
    let both = try await space.run(
      "restore", "run", "--gfpgan-visibility", "0.7", "--codeformer-visibility", "1", "--output", "both")
    #expect(both.outputLines.last == "1 made, 0 existed")
    #expect(
      try png(space, "both/\(name)").text("postprocessing")?.hasPrefix(
        "Postprocess GFPGAN visibility: 0.7, Postprocess CodeFormer visibility: 1.0, ") == true)
  }

  @Test func `images are enlarged and restored by one command`() async throws {
    let space = try space()
    try await space.run("recipe.yaml")
    let name = try #require(try space.images().keys.first)
    let once = try await space.run("upscale", "run", "--restore-faces")
    #expect(once.output.contains("128x128, 1 face"), "\(once.output)")
    let file = try png(space, "run/upscaled/\(name)")
    #expect(file.text("parameters")?.contains("Face restoration: CodeFormer") == true)
    #expect(
      file.text("postprocessing")?.hasPrefix(
        "Postprocess upscale by: 2.0, Postprocess upscaler: Lanczos, Postprocess CodeFormer visibility: 1.0, ") == true)
    // The same as one after the other.
    try await space.run("upscale", "run", "--output", "large")
    try await space.run("restore", "large/\(name)", "--output", "both")
    #expect(try png(space, "both/\(name)").image == file.image)
    #expect(try await space.run("upscale", "run", "--restore-faces").outputLines.last == "0 made, 1 existed")
  }

  @Test(arguments: [
    (["restore", "missing.png"], Int32(10), "there is no such file"),
    (["restore", "recipe.yaml"], 10, "codeformer-v0.1.0.pth"),
    (["restore", "recipe.yaml", "--codeformer-visibility", "2"], 64, "--codeformer-visibility takes 0 to 1"),
    (["restore", "recipe.yaml", "--codeformer-weight", "-1"], 64, "--codeformer-weight"),
    (["restore", "recipe.yaml", "--codeformer-visibility", "0"], 64, "nothing to do"),
    (["upscale", "recipe.yaml", "--restore-faces", "--gfpgan-visibility", "1"], 10, "GFPGANv1.4.pth"),
  ])
  func `what cannot be restored is refused with the reason`(arguments: [String], code: Int32, words: String)
    async throws
  {
    let space = try Workspace()
    let child = try space.start([Child.program] + arguments, environment: [:])
    #expect(try await child.wait() == .exited(code))
    #expect(child.errors.contains(words), "\(child.errors)")
  }

  @Test func `inspect describes each of the four networks`() async throws {
    let space = try space()
    for (file, family) in [
      ("Codeformer/codeformer-v0.1.0", "CodeFormer"), ("GFPGAN/GFPGANv1.4", "GFPGAN"),
      ("GFPGAN/detection_Resnet50_Final", "RetinaFace (ResNet-50)"), ("GFPGAN/parsing_parsenet", "ParseNet"),
    ] {
      let path = "models/\(file).safetensors"
      let json = try JSONValue(parsing: try await space.run("inspect", path, "--json").output)
      #expect(json["kind"]?.text == "face restoration" && json["family"]?.text == family, "\(json.jsonText)")
      #expect(json["usable"] == .bool(true) && json["hashes"]?["sha256"]?.text?.count == 64)
    }
  }

  @Test func `an image whose journal line was lost keeps its number of faces`() async throws {
    let space = try space("restore_faces: true\n")
    try await space.run("recipe.yaml")
    let whole = try space.manifestJobs().map { $0["faces"]?.integerValue }
    #expect(whole == [1])
    let image = try space.images()
    for file in ["journal.jsonl", "manifest.json"] {
      try FileManager.default.removeItem(atPath: "\(space.path)/run/\(file)")
    }
    try await space.run("recipe.yaml")
    #expect(try space.manifestJobs().map { $0["faces"]?.integerValue } == whole)
    #expect(try space.images() == image)
  }
}
