import Foundation
import Recipes
import Settings
import Testing
import TestSupport

/// The names that `hr_upscaler` accepts.
@Suite struct UpscalerNameTests {
  private func recipe(_ name: String, in folder: TemporaryFolder) -> RecipeText {
    var text = RecipeText("enable_hr: true\nhr_upscaler: \(name)\n")
    text.path = folder("fish.yaml")
    return text
  }

  private func upscaler(_ name: String, in folder: TemporaryFolder) throws -> UpscalerReference {
    try #require(try recipe(name, in: folder).jobs().first?.settings.hires?.upscaler)
  }

  @Test func `filters are known by the webui's names, in any letter case`() throws {
    let folder = try TemporaryFolder()
    for filter in PixelFilter.allCases {
      for name in [filter.rawValue, filter.rawValue.lowercased(), filter.rawValue.uppercased()] {
        let found = try upscaler(name, in: folder)
        #expect(found.kind == .image(filter) && found.enlargesImages && found.title == filter.rawValue)
      }
    }
    for filter in LatentFilter.allCases {
      let found = try upscaler(filter.rawValue.lowercased(), in: folder)
      #expect(found.kind == .latent(filter) && !found.enlargesImages)
    }
  }

  @Test(arguments: [
    ("4x-UltraSharp", "models/upscalers/4x-UltraSharp.pth", "4x-UltraSharp"),
    ("4x-UltraSharp.pth", "models/upscalers/4x-UltraSharp.pth", "4x-UltraSharp"),
    ("4X-ultrasharp", "models/upscalers/4x-UltraSharp.pth", "4X-ultrasharp"),
    ("small/net", "upscalers/small/net.safetensors", "net"), ("models/upscalers/../net", "models/net.pth", "net"),
    ("R-ESRGAN 4x+", "models/upscalers/RealESRGAN_x4plus.pth", "R-ESRGAN 4x+"),
    ("r-esrgan 4x+ anime6b", "models/upscalers/realesrgan_x4plus_anime_6b.pth", "r-esrgan 4x+ anime6b"),
  ])
  func `networks are known by their files and by the webui's names`(
    name: String, file: String, title: String
  ) throws {
    let folder = try TemporaryFolder()
    for path in [
      "models/upscalers/4x-UltraSharp.pth", "upscalers/small/net.safetensors", "models/net.pth",
      "models/upscalers/RealESRGAN_x4plus.pth", "models/upscalers/realesrgan_x4plus_anime_6b.pth",
    ] {
      try folder.write(path, "")
    }
    let found = try upscaler(name, in: folder)
    #expect(found.path == folder(file) && found.title == title && found.kind == .network)
    let absolute = try upscaler(folder(file), in: folder)
    #expect(absolute.path == found.path)
  }

  @Test func `an unknown name is reported with the known ones`() throws {
    let folder = try TemporaryFolder()
    for name in ["b", "a"] { try folder.write("upscalers/\(name).pth", "") }
    let errors = recipe("Lancsoz", in: folder).errors()
    #expect(errors.count == 1)
    #expect(
      errors[0].contains(
        "hr_upscaler: found \"Lancsoz\", expected Latent, Latent (antialiased), Latent (bicubic), Latent (bicubic "
          + "antialiased), Latent (nearest), Latent (nearest-exact), None, Lanczos, Nearest or the file of a network of the "
          + "ESRGAN family, of which there are only a or b in \(folder("upscalers"))"), "\(errors)")
    #expect(errors[0].contains("Lanczos\"?") || errors[0].contains("did you mean"), "\(errors)")
    #expect(recipe("LDSR", in: try TemporaryFolder()).errors()[0].contains("of which there is none in "))
  }

  @Test func `an axis of upscalers shows their names`() throws {
    let folder = try TemporaryFolder()
    try folder.write("upscalers/net.pth", "")
    var text = RecipeText(
      "enable_hr: true\ngrid: {hr_upscaler: [None, upscalers/net.pth, net, null]}\nexclude: [{hr_upscaler: net}]\n")
    text.path = folder("fish.yaml")
    // Both names mean the same file.
    #expect(try text.jobs().map { $0.axes[0].title } == ["None", "Latent"])
    text.text = text.text.replacingOccurrences(of: "exclude: [{hr_upscaler: net}]\n", with: "")
    #expect(try text.jobs().map { $0.axes[0].title } == ["None", "net", "net", "Latent"])
  }
}
