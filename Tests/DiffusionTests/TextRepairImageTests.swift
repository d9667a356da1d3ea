import Diffusion
import Settings
import Testing
import TestSupport

/// Text is cleaned before it becomes tokens, for each text encoder as its tokenizer does it.
@Suite struct TextRepairImageTests {
  private func settings(_ prompt: String, model: String = "model.safetensors") -> ImageSettings {
    var settings = ImageSettings()
    settings.model = ModelReference(name: "m", path: RandomModels.folder + "/" + model)
    (settings.prompt, settings.width, settings.height, settings.steps, settings.seed) = (prompt, 64, 64, 1, 1)
    return settings
  }

  @Test(
    arguments: [
      ("don’t", "don't"), ("red，blue", "red,blue"), ("ａｎｉｍｅ (ｇirl:1.3)", "anime (girl:1.3)"), ("cafÃ©", "café"),
      ("&eacute;", "é"), ("a\u{7} b\u{FEFF}", "a b"),
    ])
  func `a text and its repaired form make one image, and only the first has a new identity`(
    text: String, plain: String
  ) throws {
    let engine = try Engine.forTests()
    let images = try [text, plain].map { try engine.generate(settings($0), resuming: nil) { _, _ in }.pixels }
    #expect(images[0] == images[1])
    #expect(try engine.ingredients(for: settings(text)).textRepair == 1)
    #expect(try engine.ingredients(for: settings(plain)).textRepair == nil)
    var negative = settings("a")
    negative.negativePrompt = text
    #expect(try engine.ingredients(for: negative).textRepair == 1)
  }

  @Test func `OpenCLIP reads HTML without semicolons, CLIP does not`() throws {
    let engine = try Engine.forTests()
    func pixels(_ prompt: String, _ model: String) throws -> [UInt8] {
      try engine.generate(settings(prompt, model: model), resuming: nil) { _, _ in }.pixels
    }
    #expect(try pixels("a &lt b", "sd2.safetensors") == pixels("a < b", "sd2.safetensors"))
    #expect(try pixels("a &lt b", "model.safetensors") != pixels("a < b", "model.safetensors"))
    // The encoders of SDXL get different tokens, and a different number of chunks.
    let long = String(repeating: "a ", count: 70) + "&ltimes&lt&lt&lt&lt&lt&lt"
    #expect(try pixels(long, "sdxl.safetensors") != pixels(String(repeating: "a ", count: 70), "sdxl.safetensors"))
    #expect(try engine.ingredients(for: settings("a &lt b")).textRepair == nil)
    #expect(try engine.ingredients(for: settings("a &lt b", model: "sdxl.safetensors")).textRepair == 1)
  }
}
