import Diffusion
import Foundation
import Imaging
import Tensors
import Testing
import TestSupport
import Weights

@testable import Networks

/// Checks upscalers against PyTorch, see `Tests/FixtureScripts/make_upscalers.py`.
@Suite struct ImageUpscalerTests {
  struct Fixture: Decodable {
    struct Case: Decodable, Sendable {
      var file: String
      var width: Int
      var height: Int
      var seed: UInt64
      var scale: Int
    }
    struct Tiled: Decodable {
      var file: String
      var width: Int
      var height: Int
      var seed: UInt64
      var factor: Double
      var size: [Int]
      var step: Int
    }

    var cases: [Case]
    var tiled: Tiled
  }

  static let fixture = Result { try Fixtures.decode(Fixture.self, from: "Upscalers/upscalers.json") }

  static func image(_ width: Int, _ height: Int, _ seed: UInt64) -> RGBImage {
    var random = SplitMix64(state: seed)
    return RGBImage(width: width, height: height, pixels: random.bytes(width * height * 3))
  }

  /// Few values may differ, by one, because of rounding.
  static func expectSame(_ found: [UInt8], _ expected: [UInt8], _ comment: Comment) {
    #expect(found.count == expected.count, comment)
    let errors = zip(found, expected).map { abs(Int($0) - Int($1)) }
    #expect(errors.max() ?? 255 <= 1, comment)
    #expect(errors.count { $0 > 0 } <= max(errors.count / 1000, 2), comment)
  }

  @Test func `networks of every naming enlarge as in PyTorch`() throws {
    let fixture = try Self.fixture.get()
    var architectures: Set<String> = []
    let compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 2)
    for item in fixture.cases {
      let archive = try UpscalerArchive(path: Fixtures.path("Upscalers/\(item.file)"))
      architectures.insert(archive.title)
      let upscaler = try archive.read(compute)
      #expect(upscaler.scale == item.scale)
      let image = Self.image(item.width, item.height, item.seed)
      let input = compute.tensor(batch: 1, height: item.height, width: item.width, channels: 3, elementType: .fp32)
      for (index, value) in image.pixels.enumerated() { input.base[index] = Float(value) / 255 }
      let output = upscaler.forward(input)
      #expect(output.height == item.height * item.scale && output.width == item.width * item.scale)
      let values = output.values.map { UInt8((min(max($0, 0), 1) * 255).rounded(.toNearestOrEven)) }
      let stem = item.file.split(separator: ".")[0]
      Self.expectSame(values, Array(try Fixtures.data("Upscalers/\(stem).rgb")), "\(item.file)")
    }
    let titles = UpscalerArchitectures.all.map { $0.title }
    #expect(architectures == Set(titles))
    let page = try MarkdownPage.manual("Hires").text
    #expect(titles.allSatisfy { page.contains($0) })
  }

  @Test func `a large image is enlarged in pieces that fade into each other, then resized to the exact size`() throws {
    let tiled = try Self.fixture.get().tiled
    let upscaler = try ImageUpscaler(.network(path: Fixtures.path("Upscalers/\(tiled.file)")), threads: 2)
    var pieces: [Int] = []
    let large = try upscaler.upscaled(
      Self.image(tiled.width, tiled.height, tiled.seed), by: tiled.factor, progress: { pieces.append($0 + 100 * $1) })
    #expect(pieces == [400, 401, 402, 403])
    #expect([large.width, large.height] == tiled.size)
    var sample: [UInt8] = []
    for y in stride(from: 0, to: large.height, by: tiled.step) {
      for x in stride(from: 0, to: large.width, by: tiled.step) {
        sample += large.pixels[(y * large.width + x) * 3..<(y * large.width + x) * 3 + 3]
      }
    }
    Self.expectSame(sample, Array(try Fixtures.data("Upscalers/tiled.rgb")), "tiled")
  }

  @Test func `a network that only restores runs once, then Lanczos reaches the size`() throws {
    let path = Fixtures.path("Upscalers/trunk1x.safetensors")
    let compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 2)
    let item = try #require(try Self.fixture.get().cases.first { $0.file == "trunk1x.safetensors" })
    #expect(try UpscalerArchive(path: path).read(compute).scale == 1)
    let restored = RGBImage(
      width: item.width, height: item.height, pixels: Array(try Fixtures.data("Upscalers/trunk1x.rgb")))
    let expected = restored.resized(width: 24, height: 16, filter: .lanczos)
    var pieces = 0
    let found = try ImageUpscaler(.network(path: path), threads: 2).upscaled(
      Self.image(item.width, item.height, item.seed), by: 2.4, progress: { _, _ in pieces += 1 })
    #expect(pieces == 1)
    #expect(found.width == 24 && found.height == 16)
    Self.expectSame(found.pixels, expected.pixels, "1x")
  }

  @Test func `filters enlarge to multiples of eight and then to the exact size`() throws {
    let image = Self.image(33, 20, 1)
    let lanczos = try ImageUpscaler(.filter(.lanczos), threads: 1)
    let byFactor = try lanczos.upscaled(image, by: 1.5)
    let expected = image.resized(width: 49, height: 30, filter: .lanczos).resized(
      width: 48, height: 24, filter: .lanczos)
    #expect(byFactor == expected)
    #expect(try lanczos.upscaled(image, width: 66, height: 41).width == 66)
    #expect(
      try lanczos.upscaled(image, width: 20, height: 10) == image.resized(width: 20, height: 10, filter: .lanczos))
  }

  @Test func `files that are not upscalers are refused with the reason`() throws {
    let compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 1)
    #expect(throws: WeightError.self) {
      try UpscalerArchive(path: RandomModels.path("model.safetensors")).read(compute)
    }
    let error = #expect(throws: WeightError.self) {
      try UpscalerArchive(path: Fixtures.path("Upscalers/upscalers.json")).read(compute)
    }
    #expect(error?.description.contains("upscalers.json") == true)
  }
}
