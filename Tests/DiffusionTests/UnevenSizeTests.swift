import Diffusion
import Foundation
import Networks
import Settings
import Tensors
import Testing
import TestSupport
import Weights

/// Sizes that a network halves unevenly; there, it differs from the diffusers library. The images in `Tests/Fixtures`, many of
/// which have these sizes, check that the results are the webui's.
@Suite struct UnevenSizeTests {
  private func upsampling(_ model: String, _ width: Int, _ height: Int, hires: HiresSettings? = nil) throws -> String? {
    var settings = ImageSettings()
    settings.model = ModelReference(name: model, path: RandomModels.path(model))
    (settings.width, settings.height, settings.hires) = (width, height, hires)
    settings.precision = .fp32
    return try Engine.forTests().ingredients(for: settings).upsampling
  }

  @Test func `only images whose sizes the network halves unevenly have another identity`() throws {
    // Three halvings: multiples of 64.
    for (width, height) in [(64, 64), (128, 64), (512, 768), (1024, 1024)] {
      #expect(try upsampling("model.safetensors", width, height) == nil, "\(width)x\(height)")
    }
    for (width, height) in [(72, 64), (64, 72), (96, 64), (64, 32), (1280, 720), (1920, 1080), (864, 1152), (8, 8)] {
      #expect(try upsampling("model.safetensors", width, height) == "cropped", "\(width)x\(height)")
    }
    // Two halvings, as in SDXL and its refiner: multiples of 32.
    #expect(try upsampling("refiner.safetensors", 96, 32) == nil)
    #expect(try upsampling("refiner.safetensors", 832, 1216) == nil)
    #expect(try upsampling("refiner.safetensors", 80, 64) == "cropped")
  }

  @Test func `either pass of hires fix counts, if it samples`() throws {
    var hires = HiresSettings()
    hires.scale = 1.5
    #expect(try upsampling("model.safetensors", 64, 64, hires: hires) == "cropped")
    hires.denoisingStrength = 0
    #expect(try upsampling("model.safetensors", 64, 64, hires: hires) == nil)
    hires.denoisingStrength = 0.5
    hires.scale = 2
    #expect(try upsampling("model.safetensors", 64, 64, hires: hires) == nil)
    #expect(try upsampling("model.safetensors", 96, 64, hires: hires) == "cropped")
    // Cropped to fit: only the sampled part counts.
    (hires.resizeX, hires.resizeY) = (128, 192)
    #expect(try upsampling("model.safetensors", 64, 64, hires: hires) == nil)
    (hires.resizeX, hires.resizeY) = (128, 136)
    #expect(try upsampling("model.safetensors", 64, 64, hires: hires) == "cropped")
  }

  @Test func `a refiner's own halvings count`() throws {
    var settings = ImageSettings()
    settings.model = ModelReference(name: "sd2", path: RandomModels.path("sd2.safetensors"))
    settings.precision = .fp32
    // One halving, then three.
    (settings.width, settings.height) = (80, 64)
    #expect(try Engine.forTests().ingredients(for: settings).upsampling == nil)
    settings.refiner = ModelReference(name: "model", path: RandomModels.path("model.safetensors"))
    #expect(try Engine.forTests().ingredients(for: settings).upsampling == "cropped")
  }
}

/// The layer that doubles an image on the way up.
@Suite struct UpsampleTests {
  @Test func `the convolution sees the doubled image, whatever size is asked for`() throws {
    let compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 2, elementType: .fp32)
    let archive = try ModelArchive.open(path: RandomModels.path("model.safetensors"))
    let layer = try Upsample(archive.unet.weights["up_blocks.0.upsamplers.0"], channels: 64, compute: compute)
    var random = SplitMix64(state: 5)
    let x = compute.tensor(batch: 2, height: 3, width: 4, channels: 64, elementType: .fp32)
    for index in 0..<x.count { x.base[index] = Float(Int64(bitPattern: random.next()) >> 40) * 0x1p-23 }
    let whole = layer.forward(x, height: 6, width: 8, compute)
    let cropped = layer.forward(x, height: 5, width: 7, compute)
    #expect((cropped.batch, cropped.height, cropped.width) == (2, 5, 7))
    for image in 0..<2 {
      for row in 0..<5 {
        for column in 0..<7 {
          let (a, b) = (whole.pixel(image, row, column), cropped.pixel(image, row, column))
          #expect((0..<64).allSatisfy { a[$0] == b[$0] })
        }
      }
    }
  }
}
