import Diffusion
import Foundation
import Imaging
import Settings
import Testing
import TestSupport

/// Previews of every family: which TAESD decodes them, and what it makes of the latent.
@Suite struct PreviewDecoderTests {
  private static func engine() throws -> Engine {
    try Engine(version: "0.0.0", threads: 2, executable: "/nonexistent/sdbatch", environment: [:])
  }

  private static func settings(_ checkpoint: FamilyCheckpoint, in folder: TemporaryFolder, vae: String) -> ImageSettings
  {
    let path = "\(folder.path)/\(checkpoint.file)"
    var settings = ImageSettings()
    settings.model = ModelReference(name: checkpoint.rawValue, path: path, family: FamilyID(ofModelAt: path))
    settings.vae = ModelReference(name: "vae", path: vae)
    settings.prompt = "a small boat"
    (settings.sampler, settings.steps, settings.seed, settings.cfgScale) = (.euler, 2, 5, 1)
    (settings.width, settings.height, settings.precision) = (48, 32, .fp32)
    return settings
  }

  @Test(arguments: FamilyCheckpoint.allCases)
  func `the last preview is the image that the same TAESD makes as the VAE`(checkpoint: FamilyCheckpoint) throws {
    let folder = try TemporaryFolder()
    try checkpoint.write(to: folder.path)
    let engine = try Self.engine()
    let settings = Self.settings(checkpoint, in: folder, vae: checkpoint.tinyDecoder)
    #expect(settings.model.family != .stableDiffusion)
    #expect(try engine.ingredients(for: settings).vae?.isTiny == true)
    var asked: [String] = []
    var shown: [RGBImage] = []
    engine.previews = try Previews(
      every: 1,
      decoder: .ofModel { name, model in
        asked.append(name)
        #expect(model == "\(folder.path)/\(checkpoint.file)")
        return .found(path: checkpoint.tinyDecoder)
      },
      show: { shown.append($0) })
    _ = try engine.ingredients(for: settings)
    #expect(engine.takeNotes().allSatisfy { !$0.contains("preview") })
    let image = try engine.generate(settings, resuming: nil) { _, _ in }
    #expect(asked == [checkpoint.tinyDecoderName])
    #expect(shown.count == 2 && shown.last == image && shown.first != image)
    #expect(image.width == 48 && image.height == 32)

    // Previews change no image, and the VAE that makes the image need not be a TAESD.
    shown = []
    let whole = Self.settings(checkpoint, in: folder, vae: checkpoint.vae)
    let other = try engine.generate(whole, resuming: nil) { _, _ in }
    #expect(shown.last == image && other != image)
    engine.previews = nil
    #expect(try engine.generate(whole, resuming: nil) { _, _ in } == other)
  }

  @Test func `a missing or unfitting TAESD is noted once, and images are made as without previews`() throws {
    let folder = try TemporaryFolder()
    try FamilyCheckpoint.zimage.write(to: folder.path)
    var settings = Self.settings(.zimage, in: folder, vae: FamilyCheckpoint.zimage.vae)
    let expected = try Self.engine().generate(settings, resuming: nil) { _, _ in }
    func notes(_ decoder: Previews.Decoder) throws -> [String] {
      let engine = try Self.engine()
      engine.previews = try Previews(every: 1, decoder: decoder, show: { _ in Issue.record("there is a preview") })
      var notes: [String] = []
      for seed in [6, 5] {
        settings.seed = Int64(seed)
        _ = try engine.ingredients(for: settings)
        notes += engine.takeNotes().filter { $0.contains("preview") }
      }
      #expect(try engine.generate(settings, resuming: nil) { _, _ in } == expected)
      return notes
    }
    let title = "no previews of \(settings.model.family.traits.title)"
    #expect(
      try notes(.ofModel { _, _ in .missing(folders: ["/a", "/b"]) }) == [
        "\(title): found no taef1_decoder.safetensors or .pth in /a, /b"
      ])
    let four = RandomModels.path("taesd_decoder.safetensors")
    #expect(
      try notes(.named(path: four)) == [
        "\(title): \(four) decodes latents of 4 channels, expected 16 as in taef1_decoder"
      ])
    let klein = FamilyCheckpoint.klein.tinyDecoder
    #expect(
      try notes(.ofModel { _, _ in .found(path: klein) }) == [
        "\(title): \(klein) decodes latents of 128 channels, expected 16 as in taef1_decoder"
      ])
    let whole = try notes(.ofModel { _, _ in .found(path: FamilyCheckpoint.zimage.vae) })
    #expect(whole.count == 1 && whole[0].contains("this is a whole VAE, too slow for previews"))
  }

  @Test func `SD and SDXL have TAESDs of their own`() throws {
    for (model, name) in [("model", "taesd"), ("sd2", "taesd"), ("sdxl", "taesdxl")] {
      var asked: [String] = []
      let engine = try Self.engine()
      engine.previews = try Previews(
        every: 1,
        decoder: .ofModel { name, _ in
          asked.append(name)
          return .found(path: RandomModels.path("taesd_decoder.safetensors"))
        }, show: { _ in })
      var settings = ImageSettings()
      settings.model = ModelReference(name: model, path: RandomModels.path("\(model).safetensors"))
      _ = try engine.ingredients(for: settings)
      #expect(asked == [name] && engine.takeNotes().allSatisfy { !$0.contains("preview") })
    }
  }
}
