import Foundation
import Imaging
import Networks
import Settings
import Testing
import TestSupport
import TensorFiles
import Weights

@testable import Diffusion

/// Second passes over enlarged images; `HiresImageTests` compares them with PyTorch.
@Suite struct ImageHandoverTests {
  private func settings(_ upscaler: String, strength: Double = 0.5) -> ImageSettings {
    var settings = ResumedImageTests.settings(.eulerAncestral)
    var hires = HiresSettings()
    hires.scale = 1.3
    hires.steps = 3
    hires.denoisingStrength = strength
    hires.upscaler = UpscalerReference(
      name: upscaler, path: upscaler.contains(".") ? Fixtures.path("Upscalers/" + upscaler) : nil)
    settings.hires = hires
    return settings
  }

  @Test(arguments: ["Lanczos", "compact.pth"], [0.5, 0])
  func `an image that is resumed anywhere is the same, to the last byte`(upscaler: String, strength: Double) throws {
    let settings = settings(upscaler, strength: strength)
    var states: [(stage: GenerationProgress, bytes: [UInt8])] = []
    let whole = try Engine.forTests().generate(settings, resuming: nil) { progress, state in
      if let state { states.append((progress, try state.encoded())) }
    }
    let stages = states.map(\.stage)
    let enlarging = stages.filter { if case .upscaling = $0 { true } else { false } }
    // Before the image is decoded, before each tile of it, and before it is encoded.
    #expect(
      enlarging
        == [.upscaling(piece: 0, of: 0)] + (upscaler == "Lanczos" ? [] : [.upscaling(piece: 0, of: 1)])
        + [.upscaling(piece: 0, of: 0)])
    #expect(stages.last == .decoding)
    let other = try Engine.forTests(threads: 1)
    for state in states {
      var isEnlarged = false
      let image = try other.generate(settings, resuming: state.bytes) { progress, _ in
        if case .upscaling = progress { isEnlarged = true }
      }
      #expect(image == whole, "after \(state.stage)")
      if case .sampling(let step, _) = state.stage, step > settings.steps { #expect(!isEnlarged) }
    }
  }

  @Test func `a job's identity depends on the content of the network's file`() throws {
    let folder = try TemporaryFolder()
    let bytes = [UInt8](try Fixtures.data("Upscalers/trunk.safetensors"))
    var settings = settings("trunk.safetensors")
    let engine = try Engine.forTests()
    let ingredients = try engine.ingredients(for: settings)
    #expect(ingredients.upscaler?.name == "trunk" && ingredients.upscaler?.family == "upscaler")
    #expect(ingredients.models.contains { $0 == ingredients.upscaler })
    let id = JobID(settings, ingredients)
    settings.hires?.upscaler = UpscalerReference(name: "x", path: try folder.write("copy.safetensors", bytes))
    #expect(JobID(settings, try engine.ingredients(for: settings)) == id)
    var changed = bytes
    changed[changed.count - 1] ^= 1
    settings.hires?.upscaler?.path = try folder.write("changed.safetensors", changed)
    #expect(JobID(settings, try engine.ingredients(for: settings)) != id)
    settings.hires?.upscaler = UpscalerReference(name: "None")
    let none = try engine.ingredients(for: settings)
    #expect(none.upscaler == nil && JobID(settings, none) != id)
    var lanczos = settings
    lanczos.hires?.upscaler?.name = "Lanczos"
    #expect(JobID(lanczos, none) != JobID(settings, none))
    #expect(settings.ingredientsKey != lanczos.ingredientsKey)
  }

  @Test func `a VAE without an encoder is reported before any image is made, and only if it is needed`() throws {
    let engine = try Engine.forTests()
    var settings = settings("Lanczos")
    let path = RandomModels.path("sd2.safetensors")
    settings.model = ModelReference(name: "sd2", path: path)
    let error = #expect(throws: EngineError.self) { try engine.ingredients(for: settings) }
    #expect("\(try #require(error))".hasPrefix("\(path): the VAE has no encoder, which an hr_upscaler of images needs"))
    settings.hires?.upscaler = nil
    _ = try engine.ingredients(for: settings)
    // Another VAE's encoder is enough.
    settings.hires?.upscaler = UpscalerReference(name: "Lanczos")
    settings.vae = ModelReference(name: "model", path: RandomModels.path("model.safetensors"))
    let image = try engine.generate(settings) { _ in }
    #expect((image.width, image.height) == (settings.finalWidth, settings.finalHeight))
  }

  @Test func `a VAE with an incomplete encoder is reported with what is missing`() throws {
    let folder = try TemporaryFolder()
    let tensors = try SafetensorsFile(path: RandomModels.path("model.safetensors")).tensors.values
    let missing = "first_stage_model.encoder.conv_out.bias"
    let kept = tensors.filter { $0.name.hasPrefix("first_stage_model.") && $0.name != missing }
    let vae = try folder.write(
      "part.safetensors",
      kept.sorted { $0.name < $1.name }.map { SyntheticTensor($0.name, $0.shape, type: $0.elementType.rawValue) })
    var settings = settings("None")
    settings.vae = ModelReference(name: "part", path: vae)
    let error = #expect(throws: EngineError.self) { try Engine.forTests().ingredients(for: settings) }
    let text = "\(try #require(error))"
    #expect(text.contains("no usable encoder (missing: \(missing)"), "\(text)")
  }

  @Test func `with a TAESD the checkpoint's own encoder is used`() throws {
    var settings = settings("Nearest", strength: 0)
    settings.vae = ModelReference(name: "taesd", path: RandomModels.path("taesd_decoder.safetensors"))
    let engine = try Engine.forTests()
    #expect(try engine.ingredients(for: settings).vae?.isTiny == true)
    let image = try engine.generate(settings) { _ in }
    #expect((image.width, image.height) == (settings.finalWidth, settings.finalHeight))
  }

  @Test func `an upscaler that is missing or not a network is reported before any image is made`() throws {
    let engine = try Engine.forTests()
    var settings = settings("4x-Lost.pth")
    #expect(throws: WeightError.self) { try engine.ingredients(for: settings) }
    settings.hires?.upscaler?.path = RandomModels.path("taesd_decoder.safetensors")
    #expect(throws: WeightError.self) { try engine.ingredients(for: settings) }
    settings.hires?.upscaler?.path = nil
    let error = #expect(throws: EngineError.self) { try engine.ingredients(for: settings) }
    #expect("\(try #require(error))".contains(#"found "4x-Lost.pth", expected one of Latent, "#))
  }

  @Test func `networks that are released and read again make the same images`() throws {
    let settings = settings("realesrgan.pth")
    let expected = try Engine.forTests().generate(settings) { _ in }
    let engine = try Engine(
      version: "0.0.0", threads: 2, executable: "/nonexistent/sdbatch", environment: [:], smallNetworkBytes: 0)
    #expect(try engine.generate(settings) { _ in } == expected)
    var tight = settings
    tight.memoryLimit = 1
    let error = #expect(throws: EngineError.self) { try engine.memoryPlan(for: tight) }
    guard case .memoryLimit(_, let needed, _, _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    tight.memoryLimit = needed
    #expect(try engine.memoryPlan(for: tight).peak <= needed)
    #expect(try engine.generate(tight) { _ in } == expected)
    #expect(try engine.generate(settings) { _ in } == expected)
    // A piece of the image takes more memory than everything else in these small networks.
    let archive = try UpscalerArchive(path: Fixtures.path("Upscalers/realesrgan.pth"))
    #expect(needed > archive.activationBytes(side: ImageUpscaler.tileSize))
  }
}
