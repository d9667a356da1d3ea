import Infotext
import JSON
import Settings
import SettingsTestSupport
import Testing
import TestSupport

/// Checks the `info` of a response against Python's output of the webui's object, see `Tests/Fixtures/Requests`.
@Suite struct RequestInfoTests {
  @Test(arguments: [false, true])
  func `the info of several images is the webui's, letter for letter`(hasSecondPass: Bool) throws {
    let expected = try Fixtures.text("Requests/info.json").split(separator: "\n")[hasSecondPass ? 1 : 0]
    let reference = try JSONValue(parsing: String(expected))
    var settings = ImageSettings()
    settings.prompt = reference["prompt"]?.text ?? ""
    settings.negativePrompt = "blurry"
    settings.steps = 4
    settings.sampler = .dpmPPSDE
    (settings.width, settings.height) = (64, 128)
    settings.clipSkip = 2
    if hasSecondPass {
      settings.rho = 3
      var hires = HiresSettings()
      hires.scale = 1.5
      hires.steps = 2
      hires.upscaler = UpscalerReference(name: "Latent (nearest)")
      hires.sampler = .eulerAncestral
      hires.prompt = "another"
      settings.hires = hires
    }
    let images = (0..<3).map { (number: Int64) in
      var image = settings
      image.seed = 5 + number
      image.subseed = 4_294_967_293 + number
      return image
    }
    let info = GenerationInfo.json(
      images, sampleIngredients, infotexts: reference["infotexts"]?.elements?.compactMap(\.text) ?? [],
      request: GenerationInfo.Request(batchSize: 3, styles: ["ink"], denoisingStrength: 0.7), version: "1",
      timestamp: "20260102030405")
    #expect(PythonJSON.text(info) == expected)
  }

  @Test func `texts, numbers and empty values are written as Python writes them`() throws {
    for item in try JSONValue(parsing: Fixtures.text("Requests/dumps.json")).elements ?? [] {
      let value = try #require(item["value"])
      #expect(PythonJSON.text(value) == item["text"]?.text)
    }
  }

  @Test func `a grid comes before the images, with the first one's text`() {
    let info = GenerationInfo.json(
      [ImageSettings(), ImageSettings()], sampleIngredients, infotexts: ["a", "b"],
      request: GenerationInfo.Request(hasGrid: true), version: "1", timestamp: "")
    #expect(info["index_of_first_image"] == 1)
    #expect(info["infotexts"] == ["a", "a", "b"])
  }
}
