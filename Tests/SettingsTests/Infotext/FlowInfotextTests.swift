import Infotext
import JSON
import Settings
import Testing

/// Infotexts of models that are trained by flow matching, as Forge writes and reads them.
@Suite struct FlowInfotextTests {
  private func ingredients(_ settings: ImageSettings) -> JobIngredients {
    func file(_ name: String, _ family: String) -> ModelIdentity {
      ModelIdentity(
        name: name, path: "/models/" + name, sha256: String(repeating: "1", count: 64), family: family)
    }
    return JobIngredients(
      model: file("flux1-dev", "flux1"), vae: file("ae.safetensors", "vae"),
      textEncoders: [file("clip_l.safetensors", "text_encoder"), file("t5xxl_fp16.safetensors", "text_encoder")],
      vocabularySHA256: "", precision: "fp32", isa: "avx512", numerics: 2)
  }

  private func settings(_ family: FamilyID) -> ImageSettings {
    var settings = ImageSettings()
    settings.model = ModelReference(name: "model", path: "/model", family: family)
    (settings.sampler, settings.prompt, settings.cfgScale) = (.euler, "a fish", 1)
    return settings
  }

  private func text(_ settings: ImageSettings) -> String {
    Infotext(settings, ingredients(settings), version: "1").text
  }

  @Test func `Flux dev's text has Forge's keys in Forge's order`() {
    var dev = settings(.flux1Dev)
    dev.hires = HiresSettings()
    dev.hires?.cfgScale = 2
    dev.hires?.distilledCFGScale = 4
    let text = text(dev)
    #expect(
      text.contains(
        "Steps: 20, Sampler: Euler, Schedule type: Simple, CFG scale: 1.0, Distilled CFG Scale: 3.5, Seed: 0, Size: 512x512"
      ))
    #expect(text.contains("Hires CFG Scale: 2.0, Hires Distilled CFG Scale: 4.0"))
    #expect(text.contains("Module 1: ae, Module 2: clip_l, Module 3: t5xxl_fp16"))
    #expect(!text.contains("Shift:"))
    dev.shift = 2
    #expect(self.text(dev).contains("Shift: 2.0"))
    #expect(!self.text(settings(.flux1Schnell)).contains("Distilled"))
    #expect(self.text(settings(.zImageTurbo)).contains("Shift: 3.0"))
    #expect(
      self.text(settings(.klein)).contains("Schedule type: Flux2") && !self.text(settings(.klein)).contains("Shift"))
    #expect(!self.text(settings(.stableDiffusion)).contains("Module"))
  }

  @Test func `a text of Forge is read back`() {
    let text = """
      a castle
      Steps: 20, Sampler: Euler, Schedule type: Simple, CFG scale: 1, Distilled CFG Scale: 2.7, Seed: 31415, Size: 896x1152, \
      Model hash: 0123456789, Model: flux1-dev-fp8, Denoising strength: 0.5, Hires CFG Scale: 1, \
      Hires Distilled CFG Scale: 3.2, Hires upscale: 1.5, Hires upscaler: Latent, Version: f2.0.1v1.10.1-previous-664-gd557aef9, \
      Diffusion in Low Bits: bnb-nf4 (fp16 LoRA), Module 1: ae, Module 2: clip_l, Module 3: t5xxl_fp16
      """
    let read = InfotextSettings(ParsedInfotext(text))
    #expect(read.isComplete && read.settings.distilledCFGScale == 2.7 && read.settings.cfgScale == 1)
    #expect(read.settings.scheduler == .simple && read.settings.hires?.distilledCFGScale == 3.2)
    #expect(read.vae?.name == "ae" && read.modules == ["clip_l", "t5xxl_fp16"])
    #expect(read.program == "Forge f2.0.1v1.10.1-previous-664-gd557aef9")
    #expect(!read.remarks.contains { $0.kind == .unknown || $0.kind == .unsupported }, "\(read.remarks)")
    #expect(read.remarks.contains { $0.key == "Diffusion in Low Bits" && $0.kind == .note })
  }

  @Test func `a text of Civitai's generator has the distilled guidance under CFG scale`() {
    let text = """
      a castle
      Steps: 28, Sampler: Undefined, CFG scale: 3.5, Seed: 5, Size: 832x1216, Clip skip: 2, Created Date: 2024-08-30, \
      Model: FLUX, Civitai resources: [{"type":"checkpoint","modelVersionId":691639,"modelName":"FLUX","modelVersionName":"Dev"}]
      """
    let read = InfotextSettings(ParsedInfotext(text)).settings
    #expect(read.sampler == .euler && read.scheduler == .simple && read.steps == 28)
    #expect(read.distilledCFGScale == 3.5 && read.cfgScale == 1 && read.clipSkip == 1)
  }
}
