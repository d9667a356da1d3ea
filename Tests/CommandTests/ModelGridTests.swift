import Foundation
import Imaging
import JSON
import Testing
import TestSupport

/// Grids over models, VAEs and LoRAs: what is loaded, in which order, and what users see.
@Suite struct ModelGridTests {
  /// The model is the axis that varies fastest: the worst order for the work.
  private static let recipe = """
    prompt: a lake <lora:plain:0.5>
    size: 64x64
    steps: 1
    sampler_name: Euler
    output: run
    grid:
      Prompt S/R: ["<lora:plain:0.5>", "<lora:loha:0.4>"]
      vae: [one.safetensors, taesd_decoder.safetensors]
      model: [one.safetensors, two.safetensors, three.safetensors]
    """

  /// A folder with three models that differ in their numbers.
  private func space() throws -> Workspace {
    let space = try Workspace(recipe: Self.recipe)
    try space.makeFolder("models/lora")
    for name in ["plain", "loha"] {
      try space.write(Fixtures.data("Engine/adapters/lora/\(name).safetensors"), to: "models/lora/\(name).safetensors")
    }
    for name in ["vocab.json", "merges.txt", "taesd_decoder.safetensors"] {
      try space.write(RandomModels.data(name), to: "models/\(name)")
    }
    var bytes = try RandomModels.data("model.safetensors")
    for (index, name) in ["one", "two", "three"].enumerated() {
      // The signs of some weights of F16 numbers, whose second bytes have them.
      for byte in stride(from: bytes.count - 1, to: bytes.count - 1 - index * 20_000, by: -2) { bytes[byte] ^= 0x80 }
      try space.write(bytes, to: "models/\(name).safetensors")
    }
    return space
  }

  /// What was loaded, in order.
  private func loads(_ output: String) throws -> [String] {
    try output.split(separator: "\n").compactMap { line in
      let event = try JSONValue(parsing: String(line))
      return event["stage"] == "loading" ? event["model"]?.text : nil
    }
  }

  /// Two LoRAs for each of three models, and two VAEs for each of these.
  private static let allLoads = ["one", "two", "three"].flatMap { model in
    [model, "plain", "taesd_decoder.safetensors", "one.safetensors", "loha", "taesd_decoder.safetensors"]
  }

  @Test func `a model is loaded once though it is the fastest axis, and everything is shown as written`() async throws {
    let space = try space()
    let child = try await space.run("recipe.yaml", "--json")
    let loads = try loads(child.output)
    #expect(loads.filter { ["one", "two", "three"].contains($0) } == ["one", "two", "three"])
    #expect(loads.filter { ["plain", "loha"].contains($0) } == ["plain", "loha", "plain", "loha", "plain", "loha"])
    #expect(loads == Self.allLoads)

    // Manifest, page and sheets are in written order.
    let jobs = try space.manifestJobs()
    let models = try jobs.map { try #require($0["axes"]?.elements?[2]["title"]?.text) }
    #expect(models.map { $0.prefix(3) } == Array(repeating: ["one", "two", "thr"], count: 4).flatMap { $0 })
    #expect(jobs.map { $0["index"] } == (0..<12).map { .integer($0) })
    let files = try jobs.map { try #require($0["file"]?.text) }
    #expect(Set(files).count == 12)
    let page = try space.text("run/index.html")
    let places = try files.map { try #require(page.range(of: ($0 as NSString).lastPathComponent)).lowerBound }
    #expect(places == places.sorted())
    // The first axis puts whole blocks one below the other.
    let sheet = try PNGFile(decoding: Array(space.data("run/contact-sheet.png"))).image
    for number in 0..<2 {
      let corners = try files[number * 6..<number * 6 + 6].map { file in
        try #require(corner(of: try PNGFile(decoding: Array(space.data("run/" + file))).image, in: sheet), "\(file)")
      }
      // Rows are VAEs, columns models.
      #expect(corners.map(\.y) == [0, 0, 0, 3, 3, 3].map { corners[$0].y } && corners[0].y < corners[3].y)
      #expect(corners.map(\.x) == [0, 1, 2, 0, 1, 2].map { corners[$0].x })
      #expect(corners[0].x < corners[1].x && corners[1].x < corners[2].x)
    }

    // The same images as for each cell alone.
    for index in [1, 7, 11] {
      let again = try await space.run("reproduce", "run/" + files[index])
      #expect(again.output.contains(": equal: all "), "\(again.output)\(again.errors)")
    }
  }

  @Test func `a run that was killed continues with the model that it had, and loads none that is finished`()
    async throws
  {
    let space = try space()
    let first = try space.start("recipe.yaml", "--json")
    try first.wait { first.output.split(separator: "\n").count { $0.contains(#""event":"image_done""#) } >= 5 }
    first.kill(SIGKILL)
    _ = try await first.wait()
    let done = space.journal().count { $0["event"] == "done" }
    let child = try await space.run("recipe.yaml", "--json")
    let loads = try loads(child.output)
    // First the image of the loaded model at which it was killed, then the others in the usual order.
    #expect(done >= 5)
    let models = loads.filter { ["one", "two", "three"].contains($0) }
    #expect(models == Array(["one", "two", "three"].dropFirst(done / 4)))
    #expect(try space.manifestJobs().allSatisfy { $0["status"] == "done" })
  }

  @Test func `a grid of models takes the memory of one`() async throws {
    let folder = try TemporaryFolder()
    // A known architecture, four times as wide: 130 MB of numbers in memory for the UNet alone.
    let tensors = try ModelFixture("one-layer").singleFile().map { tensor in
      var tensor = tensor
      tensor.shape = tensor.shape.map { $0.isMultiple(of: 32) && $0 < 10_000 ? 4 * $0 : $0 }
      return tensor
    }
    let count = 4
    for number in 1...count {
      // Holes in the files read as zeros; one tensor that decoding does not read distinguishes the models.
      let different = SyntheticTensor("model_ema.decay", [1], floats: [Float(number)])
      try folder.write("models/\(number).safetensors", tensors + [different])
    }
    for name in ["vocab.json", "merges.txt", "taesd_decoder.safetensors"] {
      try folder.write("models/" + name, [UInt8](RandomModels.data(name)))
    }
    let space = try Workspace(
      recipe: """
        prompt: a lake
        vae: taesd_decoder.safetensors
        size: 64x64
        steps: 1
        sampler_name: Euler
        precision: fp32
        output: run
        grid:
          seed: [1, 2]
          model: [1.safetensors, 2.safetensors, 3.safetensors, 4.safetensors]
        """)
    let child = try await space.run(
      "recipe.yaml", "--json", "--no-sheet", environment: ["SDBATCH_MODELS": folder("models")])
    #expect(try loads(child.output) == (1...count).map(String.init))
    let trace = try space.text("run/trace.tsv").split(separator: "\n").map {
      $0.split(separator: "\t").map(String.init)
    }
    let column = try #require(trace[0].firstIndex(of: "peak_memory_mib"))
    let peaks = try trace.dropFirst().map { try #require(Int($0[column])) }
    try #require(peaks.count == 2 * count)
    // After two images of the first model, and after all of them.
    #expect(peaks[1] > 130 && peaks[2 * count - 1] < peaks[1] + 65, "\(peaks)")
  }

  private func corner(of picture: RGBImage, in sheet: RGBImage) -> (x: Int, y: Int)? {
    let width = picture.width * 3
    for y in 0...(sheet.height - picture.height) {
      for x in 0...(sheet.width - picture.width) {
        let start = (y * sheet.width + x) * 3
        guard sheet.pixels[start] == picture.pixels[0] else { continue }
        let isThere = (0..<picture.height).allSatisfy { line in
          let start = start + line * sheet.width * 3
          return sheet.pixels[start..<start + width].elementsEqual(picture.pixels[line * width..<(line + 1) * width])
        }
        if isThere { return (x, y) }
      }
    }
    return nil
  }
}
