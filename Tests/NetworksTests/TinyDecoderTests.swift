import Foundation
import Tensors
import Testing
import TestSupport
import TensorFiles
import Weights

@testable import Networks

/// TAESD decoders against PyTorch with the same weights (`Tests/FixtureScripts/make_taesd.py`).
struct TinyDecoderTests {
  @Test(
    arguments: Kernels.available,
    [
      ("taesd_decoder.safetensors", "row"), ("taesd", "tiny"), ("taesd/diffusion_pytorch_model.safetensors", "tiny"),
    ])
  func `both layouts agree with PyTorch`(kernels: Kernels, file: (path: String, output: String)) throws {
    let archive = try ModelArchive.openVAE(path: RandomModels.path(file.path))
    #expect(archive.audit().isClean && archive.family == "taesd" && archive.latentChannels == 4)
    guard case .tiny(let network) = archive.decoder else {
      Issue.record("this is no TAESD")
      return
    }
    let isRow = file.output == "row"
    #expect(network.configuration.width == (isRow ? 16 : 12))
    #expect(network.configuration.blockCounts == (isRow ? [3, 3, 3, 1] : [2, 1, 3, 2]))
    let compute = Compute(kernels: kernels, threadCount: 2)
    let decoder = try TinyDecoder(network.weights, configuration: network.configuration, compute: compute)
    #expect(network.untaken.isEmpty)
    let numbers = try TensorFile(path: Fixtures.path("Engine/taesd.safetensors")).tensors
    let latent = compute.tensor(
      channelsFirst: try #require(numbers["latent"]).floats(), batch: 1, channels: 4, height: 5, width: 6)
    let expected = try #require(numbers[file.output]).floats()
    let output = decoder.forward(latent)
    #expect(output.height == 40 && output.width == 48 && output.channels == 3)
    let difference = zip(output.channelsFirst(image: 0), expected).map { ($0 - $1).magnitude }.max() ?? .infinity
    #expect(difference < 5e-6 * (expected.map(\.magnitude).max() ?? 0), "differs by \(difference)")
  }

  @Test(
    arguments: Kernels.available,
    [("taef1", "taef1"), ("taef2_decoder.safetensors", "taef2"), ("taef2.safetensors", "taef2-both")])
  func `decoders of 16 channels and of FLUX.2 agree with PyTorch`(
    kernels: Kernels, file: (path: String, output: String)
  ) throws {
    let archive = try ModelArchive.openVAE(path: RandomModels.path(file.path))
    let isOfFlux2 = file.output != "taef1"
    #expect(archive.audit().isClean && archive.family == "taesd")
    #expect(archive.latentChannels == (isOfFlux2 ? 128 : 16))
    guard case .tiny(let network) = archive.decoder else {
      Issue.record("this is no TAESD")
      return
    }
    #expect(network.configuration.isOfFlux2 == isOfFlux2 && network.configuration.blockCounts == [3, 3, 3, 1])
    #expect(network.configuration.enlargement == (isOfFlux2 ? 16 : 8))
    let compute = Compute(kernels: kernels, threadCount: 2)
    let decoder = try TinyDecoder(network.weights, configuration: network.configuration, compute: compute)
    #expect(network.untaken.isEmpty)
    let numbers = try TensorFile(path: Fixtures.path("Engine/taef.safetensors")).tensors
    let (height, width) = isOfFlux2 ? (3, 2) : (5, 6)
    let latent = compute.tensor(
      channelsFirst: try #require(numbers[isOfFlux2 ? "latent128" : "latent16"]).floats(), batch: 1,
      channels: archive.latentChannels, height: height, width: width)
    let before = latent.channelsFirst(image: 0)
    let output = decoder.forward(latent)
    #expect(latent.channelsFirst(image: 0) == before)
    let factor = network.configuration.enlargement
    #expect(output.height == factor * height && output.width == factor * width && output.channels == 3)
    let expected = try #require(numbers[file.output]).floats()
    let difference = zip(output.channelsFirst(image: 0), expected).map { ($0 - $1).magnitude }.max() ?? .infinity
    #expect(difference < 5e-6 * (expected.map(\.magnitude).max() ?? 0), "differs by \(difference)")
  }

  @Test func `small decoders of videos, of other channels and of other sizes are refused`() throws {
    let folder = try TemporaryFolder()
    func refusal(_ change: (SyntheticTensor) -> SyntheticTensor?) throws -> String {
      let tensors = TinyDecoderConfiguration().expectedTensors.compactMap { change(SyntheticTensor($0.name, $0.shape)) }
      let path = try folder.write("tiny.safetensors", tensors)
      return "\(try #require(#expect(throws: WeightError.self) { try ModelArchive.openVAE(path: path) }))"
    }
    func reshaped(_ end: String, _ shape: [Int]) -> (SyntheticTensor) -> SyntheticTensor? {
      { $0.name.hasSuffix(end) ? SyntheticTensor($0.name, shape) : $0 }
    }
    #expect(try refusal(reshaped("conv.0.weight", [64, 128, 3, 3])).contains("a small decoder of videos"))
    #expect(
      try refusal(reshaped("layers.18.weight", [16, 64, 3, 3])).contains(
        "last layer has 16 channels instead of red, green and blue"))
    // Without the last two stages, as one that enlarges twice.
    let short = try refusal { Int($0.name.split(separator: ".")[2]).map { $0 > 11 } == true ? nil : $0 }
    #expect(short.contains("TAESD") || short.contains("enlargement"))
  }

  @Test func `a TAEF2 without a part of the branch reports what is missing`() throws {
    let folder = try TemporaryFolder()
    var configuration = TinyDecoderConfiguration()
    (configuration.latentChannels, configuration.isOfFlux2) = (32, true)
    let tensors = configuration.expectedTensors.map { SyntheticTensor($0.name, $0.shape) }
    #expect(try ModelArchive.openVAE(path: try folder.write("whole.safetensors", tensors)).audit().isClean)
    let path = try folder.write("lacking.safetensors", tensors.filter { $0.name != "decoder.layers.4.pool.1.bias" })
    #expect(
      try ModelArchive.openVAE(path: path).audit().findings == [
        .missing(name: "decoder.layers.4.pool.1.bias", shape: [256])
      ])
    // A branch in another stage is nothing that is known.
    let more = tensors + [SyntheticTensor("decoder.layers.8.pool.0.weight", [256, 64, 1, 1])]
    #expect(
      try ModelArchive.openVAE(path: try folder.write("more.safetensors", more)).audit().findings == [
        .unread(name: "decoder.layers.8.pool.0.weight", shape: [256, 64, 1, 1])
      ])
  }

  @Test func `names may have a prefix, and missing tensors are reported by the file's own names`() throws {
    let folder = try TemporaryFolder()
    let row = TinyDecoderConfiguration().expectedTensors.map { tensor in
      let words = tensor.name.split(separator: ".", maxSplits: 3)
      return SyntheticTensor("\((Int(words[2]) ?? 0) + 1).\(words[3])", tensor.shape)
    }
    for prefix in ["", "decoder.", "taesd_decoder."] {
      let named = row.map { SyntheticTensor(prefix + $0.name, $0.shape) }
      let path = try folder.write("taesd.safetensors", named)
      let archive = try ModelArchive.openVAE(path: path)
      #expect(archive.audit().isClean)
      guard case .tiny(let network) = archive.decoder else {
        Issue.record("\(prefix) is no TAESD")
        return
      }
      #expect(network.configuration == TinyDecoderConfiguration())
      let lacking = try folder.write("lacking.safetensors", named.filter { !$0.name.hasSuffix("14.conv.2.bias") })
      #expect(
        try ModelArchive.openVAE(path: lacking).audit().findings == [
          .missing(name: "\(prefix)14.conv.2.bias", shape: [64])
        ])
    }
  }

  @Test func `a decoder of other latents is refused`() throws {
    let folder = try TemporaryFolder()
    var configuration = TinyDecoderConfiguration()
    configuration.latentChannels = 16
    let tensors = configuration.expectedTensors.map { SyntheticTensor($0.name, $0.shape) }
    let archive = try ModelArchive.openVAE(path: try folder.write("taef1.safetensors", tensors))
    let model = try ModelArchive.open(path: RandomModels.path("model.safetensors"))
    let error = #expect(throws: WeightError.self) { try model.requireMatch(archive) }
    #expect("\(try #require(error))".contains("channels of the VAE's latent is 16, expected 4"))
  }
}
