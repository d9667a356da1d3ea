import Foundation
import Imaging
import JSON
import Testing

/// Requests in, response documents out, through the program.
@Suite struct RequestTests {
  /// A small request in an envelope.
  static func envelope(_ fields: String = "", _ around: String = "") -> String {
    #"{\#(around)"input": {"api": {"method": "POST", "endpoint": "/sdapi/v1/txt2img"}, "payload": {"prompt": "a small boat", "steps": 2, "width": 64, "height": 64, "override_settings": {"sd_model_checkpoint": "model"}\#(fields)}}}"#
  }

  static func response(_ space: Workspace, _ id: String, in run: String = "Output/request") throws -> JSONValue {
    try JSONValue(parsing: space.text("\(run)/responses/\(id).json"))
  }

  @Test func `a request is answered with the document that serverless platforms send`() async throws {
    let space = try Workspace(recipe: nil)
    try space.write(Self.envelope(#", "seed": 7, "n_iter": 2, "cfg_scale": 7"#, #""id": "mine", "#), to: "request.json")
    try await space.run("request.json")
    let document = try Self.response(space, "mine")
    #expect(document.names == ["delayTime", "executionTime", "id", "input", "output", "status"])
    #expect(document["status"] == "COMPLETED" && document["id"] == "mine")
    #expect(try #require(document["executionTime"]?.integerValue) > 0 && document["delayTime"]?.integerValue != nil)
    #expect(document["input"]?["payload"]?["cfg_scale"] == 7 && document["input"]?["api"]?["method"] == "POST")
    let output = try #require(document["output"])
    #expect(output.names == ["images", "info", "parameters"])
    #expect(output["parameters"]?["cfg_scale"]?.jsonText == "7.0" && output["parameters"]?["seed"] == 7)
    #expect(output["parameters"]?["steps"] == 2 && output["parameters"]?["sampler_index"] == "Euler")

    // The images are the run's own files, and the info describes them as their texts do.
    let images = try (output["images"]?.elements ?? []).map { try #require(Data(base64Encoded: $0.text ?? "")) }
    let files = try space.manifestJobs("Output/request").map {
      try space.data("Output/request/\($0["file"]?.text ?? "")")
    }
    #expect(images == files && images.count == 2)
    let info = try JSONValue(parsing: try #require(output["info"]?.text))
    let reference = try #require(
      JSONSerialization.jsonObject(with: Data((output["info"]?.text ?? "").utf8)) as? [String: Any])
    #expect(reference.count == info.names.count)
    #expect(info["all_seeds"] == [7, 8] && info["batch_size"] == 1 && info["seed"] == 7)
    #expect(
      info["infotexts"]?.elements?.map(\.text)
        == (try images.map { try PNGFile(decoding: [UInt8]($0)).text("parameters") }))
    #expect(info["job_timestamp"]?.text?.count == 14 && info["sd_model_name"] == "model")
    #expect(info["subseed"]?.integerValue != nil && info["version"] == .null && info["clip_skip"] == 1)
    let manifest = try space.manifest("Output/request")
    #expect(manifest["recipe"]?["requests"]?.elements?.first?["defaults"] == "a1111")
    #expect(!space.exists("Output/request/recipe.yaml"))
  }

  @Test func `what is answered is not answered again, and what is missing is`() async throws {
    let space = try Workspace(recipe: nil)
    try space.write(Self.envelope() + "\n" + Self.envelope() + "\n", to: "request.jsonl")
    try await space.run("request.jsonl")
    let names = try FileManager.default.contentsOfDirectory(atPath: space.path + "/Output/request/responses").sorted()
    #expect(names.count == 2)
    let before = try space.times("Output/request")
    try await space.run("request.jsonl")
    var after = try space.times("Output/request")
    for name in ["run.lock", "manifest.json"] { after[name] = before[name] }
    #expect(after.filter { before[$0.key] != $0.value }.isEmpty && after.count == before.count)

    // One document is lost, the images exist: only the document is written.
    let document = try space.data("Output/request/responses/\(names[0])")
    try FileManager.default.removeItem(atPath: space.path + "/Output/request/responses/\(names[0])")
    try await space.run("request.jsonl")
    let again = try JSONValue(parsing: space.text("Output/request/responses/\(names[0])"))
    #expect(again["output"] == (try JSONValue(parsing: String(decoding: document, as: UTF8.self))["output"]))
    #expect(try space.times("Output/request")["responses/" + names[1]] == before["responses/" + names[1]])
    #expect(try space.times("Output/request")["journal.jsonl"] == before["journal.jsonl"])
  }

  @Test func `images are sent, or not, or with a grid before them`() async throws {
    let space = try Workspace(recipe: nil)
    let lines = [
      Self.envelope(#", "seed": 1, "send_images": false"#, #""id": "a", "#),
      Self.envelope(#", "seed": 1, "save_images": true, "batch_size": 3"#, #""id": "b", "#),
    ]
    try space.write(lines.joined(separator: "\n"), to: "request.jsonl")
    try await space.run("request.jsonl")
    let silent = try Self.response(space, "a")
    #expect(
      silent["output"]?["images"] == [] && silent["output"]?["info"]?.text?.contains("\"all_seeds\": [1]") == true)
    let loud = try #require(try Self.response(space, "b")["output"])
    let images = try (loud["images"]?.elements ?? []).map {
      try PNGFile(decoding: [UInt8](#require(Data(base64Encoded: $0.text ?? ""))))
    }
    #expect(images.map(\.image.width) == [128, 64, 64, 64] && images.map(\.image.height) == [128, 64, 64, 64])
    let info = try JSONValue(parsing: loud["info"]?.text ?? "")
    #expect(info["index_of_first_image"] == 1 && info["infotexts"]?.elements?.count == 4)
    #expect(images.map { $0.text("parameters") } == info["infotexts"]?.elements?.map(\.text))
    // The second image is to the right of the first; empty cells are white.
    func pixel(_ image: RGBImage, _ x: Int, _ y: Int) -> ArraySlice<UInt8> {
      image.pixels[((y * image.width + x) * 3)..<((y * image.width + x) * 3 + 3)]
    }
    #expect(pixel(images[0].image, 64 + 5, 9).elementsEqual(pixel(images[2].image, 5, 9)))
    #expect(pixel(images[0].image, 5, 64 + 9).elementsEqual(pixel(images[3].image, 5, 9)))
    #expect(pixel(images[0].image, 100, 100).elementsEqual([255, 255, 255]))
  }

  @Test func `a deadline ends a request as timed out, keeps its checkpoint, and the next run continues from there`()
    async throws
  {
    let space = try Workspace(recipe: nil)
    let body = Self.envelope(#", "seed": 1, "sampler_name": "Euler a""#)
      .replacingOccurrences(of: #""steps": 2"#, with: #""steps": 10000"#)
    let late = body.replacingOccurrences(
      of: #"{"input""#, with: #"{"id": "late", "policy": {"executionTimeout": 4000}, "input""#)
    // The quick request comes first, so loading the model does not use up the other's time.
    try space.write(Self.envelope(#", "seed": 2"#, #""id": "quick", "#) + "\n" + late, to: "request.jsonl")
    let child = try await space.run("request.jsonl", exits: 3)
    let document = try Self.response(space, "late")
    #expect(
      document["status"] == "TIMED_OUT"
        && document.names == ["delayTime", "error", "executionTime", "id", "input", "status"])
    #expect(document["error"]?.text?.contains("policy.executionTimeout of 4000 ms") == true)
    #expect(try Self.response(space, "quick")["status"] == "COMPLETED")
    #expect(try FileManager.default.contentsOfDirectory(atPath: space.path + "/Output/request/checkpoints").count == 1)
    #expect(child.errors.contains("timed out"))
    // Each run gives it the same time again.
    let again = try await space.run("request.jsonl", exits: 3)
    #expect(again.output.contains("continues after step"), "\(again.output)")
  }

  @Test func `a request that cannot be run is reported before anything is written`() async throws {
    let space = try Workspace(recipe: nil)
    try space.write(#"{"input": {"payload": {"prompt": "a", "script_name": "x"}}}"#, to: "request.json")
    let child = try await space.run("request.json", exits: 10)
    #expect(child.errors.hasPrefix("request.json:1:54: error: script_name: found "), "\(child.errors)")
    #expect(!space.exists("Output"))
  }

  @Test func `secrets of the envelope get into no file and no message`() async throws {
    let space = try Workspace(recipe: nil)
    try space.write(
      Self.envelope(
        "",
        #""webhook": "http://name:passw0rd@127.0.0.1:1/done?token=t0ken#fr4gment", "s3Config": {"accessSecret": "s3cr3t"}, "#
      ),
      to: "request.json")
    let child = try await space.run("request.json", "--json", "--no-webhook")
    for secret in ["passw0rd", "t0ken", "s3cr3t", "fr4gment"] {
      #expect(!child.output.contains(secret) && !child.errors.contains(secret))
      for name in try FileManager.default.subpathsOfDirectory(atPath: space.path + "/Output") {
        guard let data = FileManager.default.contents(atPath: space.path + "/Output/" + name) else { continue }
        #expect(data.range(of: Data(secret.utf8)) == nil, "\(secret) in \(name)")
      }
    }
  }

  @Test func `the example among the recipes is one`() async throws {
    let space = try Workspace(recipe: nil)
    let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let plan = try await space.run("plan", package.path + "/Recipes/request.json", "--json")
    #expect(plan.errors.isEmpty)
    #expect(try JSONValue(parsing: plan.output)["jobs"] == 4)
  }
}
