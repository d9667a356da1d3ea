import Foundation
import Networks
import Tensors
import Testing
import TestSupport
import TensorFiles

/// Each network against PyTorch's output for the same weights and inputs (`Tests/Fixtures/Engine`).
///
/// Both sides round every operation to 24 bits, in different orders. Through the depth of these networks the differences
/// grow to about 1e-5 of the output's size; a wrong layer would differ by more than 1e-1.
@Suite struct NetworkTests {
  static let bound: Float = 5e-5

  private let stages: Stages
  private let archive: ModelArchive

  init() throws {
    stages = try Stages()
    archive = try ModelArchive.open(path: RandomModels.path("model.safetensors"))
    try archive.audit().check()
  }

  @Test(arguments: Kernels.available, [1, 2])
  func `the text encoder agrees with transformers`(kernels: Kernels, clipSkip: Int) throws {
    let compute = Compute(kernels: kernels, threadCount: 2)
    let network = archive.textEncoders[0]
    let model = try CLIPTextModel(network.weights, configuration: network.configuration, compute: compute)
    #expect(network.untaken.isEmpty)
    let ids = try stages["text.ids"].prefix(77).map { Int32($0) }
    let found = model.forward(ids, clipSkip: clipSkip).tokens.values
    try expectClose(found, try stages["text.output.\(clipSkip)"])
  }

  // With 77 tokens, the keys and values of the longer context are computed in each layer.
  @Test(arguments: Kernels.available, [("even", 5000), ("odd", 5000), ("odd", 77)])
  func `the UNet agrees with diffusers`(kernels: Kernels, _ example: (size: String, keptTokens: Int)) throws {
    let size = example.size
    let compute = Compute(kernels: kernels, threadCount: 2)
    let network = archive.unet
    let unet = try UNet(network.weights, configuration: network.configuration, compute: compute)
    #expect(network.untaken.isEmpty)
    let shape = try stages.shape("unet.\(size).input")
    let input = try stages["unet.\(size).input"]
    let latents = compute.tensor(channelsFirst: input + input, batch: 2, channels: 4, height: shape[2], width: shape[3])
    let context = try stages["context"]
    let width = network.configuration.crossAttentionWidth
    // The second image of the batch has a shorter context than the first.
    let contexts = [context, Array(context.prefix(77 * width))].map {
      unet.prepare(
        compute.tensor(channelsLast: $0, width: $0.count / width, channels: width), keptTokens: example.keptTokens)
    }
    let output = unet.forward(latents, timestep: 353.89038, contexts: contexts)
    try expectClose(output.channelsFirst(image: 0), try stages["unet.\(size).output"])
    try expectClose(output.channelsFirst(image: 1), try stages["unet.\(size).short"])
  }

  @Test(arguments: Kernels.available)
  func `the VAE decoder agrees with diffusers`(kernels: Kernels) throws {
    let compute = Compute(kernels: kernels, threadCount: 2)
    let network = try #require(archive.vae)
    let decoder = try VAEDecoder(network.weights, configuration: network.configuration, compute: compute)
    #expect(network.untaken.isEmpty)
    let latent = compute.tensor(
      channelsFirst: try stages["vae.input"], batch: 1, channels: 4, height: 5, width: 6)
    try expectClose(decoder.forward(latent).channelsFirst(image: 0), try stages["vae.output"])
  }

  /// A tiling image has no edges: if the latent moves, the image moves and nothing else changes.
  @Test(arguments: Kernels.available, [(0, 1), (3, 0), (2, 5)])
  func `a decoded image that tiles has no seam`(kernels: Kernels, move: (rows: Int, columns: Int)) throws {
    let compute = Compute(kernels: kernels, threadCount: 2)
    let network = try #require(archive.vae)
    let decoder = try VAEDecoder(network.weights, configuration: network.configuration, compute: compute)
    let latent = compute.tensor(
      channelsFirst: try stages["vae.input"], batch: 1, channels: 4, height: 5, width: 6)
    let found = decoder.forward(latent.moved(move.rows, move.columns, compute), padding: .circular)
    let expected = decoder.forward(latent, padding: .circular).moved(8 * move.rows, 8 * move.columns, compute)
    try expectClose(found.values, expected.values)
  }

  @Test(arguments: Kernels.available)
  func `a UNet that tiles has no seam`(kernels: Kernels) throws {
    let compute = Compute(kernels: kernels, threadCount: 2)
    let network = archive.unet
    let unet = try UNet(network.weights, configuration: network.configuration, compute: compute)
    let latents = compute.tensor(
      channelsFirst: try stages["unet.even.input"], batch: 1, channels: 4, height: 8, width: 8)
    let width = network.configuration.crossAttentionWidth
    let context = try stages["context"]
    let contexts = [
      unet.prepare(compute.tensor(channelsLast: context, width: context.count / width, channels: width))
    ]
    let options = NetworkOptions(padding: .circular)
    // Twice the period in both directions, because the network halves the latent three times.
    let wide = latents.repeated(2, compute)
    let output = unet.forward(wide.moved(8, 8, compute), timestep: 353.89038, contexts: contexts, options: options)
    let expected = unet.forward(wide, timestep: 353.89038, contexts: contexts, options: options)
    try expectClose(output.values, expected.values)
    let seam = unet.forward(wide, timestep: 353.89038, contexts: contexts)
    #expect(seam.values != expected.values)
  }

  /// Every layer rounds to 8 bits, a relative error of about 2⁻⁹, which accumulates over the layers: PyTorch's own bfloat16 has
  /// an error of 1.7e-2 here. If a map is one pixel, a group norm of two numbers doubles that. A wrong layer has more than 1e-1.
  static let bf16Bound = 5e-2

  /// 256 steps for a row's range give errors of about 1e-2 of its values.
  static let int8Bound = 1e-1

  @Test(arguments: Kernels.available, ["even", "odd"])
  func `the UNet in bf16 and in 8 bits is near diffusers in fp32`(kernels: Kernels, size: String) throws {
    try expectUNet(kernels, .bf16, size: size, within: Self.bf16Bound)
    try expectUNet(kernels, .int8, size: size, within: Self.int8Bound)
  }

  private func expectUNet(_ kernels: Kernels, _ precision: Precision, size: String, within bound: Double) throws {
    let compute = Compute(kernels: kernels, threadCount: 2, precision: precision)
    let precise = compute.with(.fp32)
    let network = archive.unet
    let unet = try UNet(network.weights, configuration: network.configuration, compute: compute)
    let shape = try stages.shape("unet.\(size).input")
    let latents = precise.tensor(
      channelsFirst: try stages["unet.\(size).input"], batch: 1, channels: 4, height: shape[2], width: shape[3])
    let context = try stages["context"]
    let width = network.configuration.crossAttentionWidth
    let prepared = unet.prepare(precise.tensor(channelsLast: context, width: context.count / width, channels: width))
    let output = unet.forward(latents, timestep: 353.89038, contexts: [prepared])
    try expectNear(output.channelsFirst(image: 0), try stages["unet.\(size).output"], within: bound)
  }

  @Test(arguments: Kernels.available)
  func `the VAE decoder in bf16 is near diffusers in fp32`(kernels: Kernels) throws {
    let compute = Compute(kernels: kernels, threadCount: 2, elementType: .bf16)
    let network = try #require(archive.vae)
    let decoder = try VAEDecoder(network.weights, configuration: network.configuration, compute: compute)
    let latent = compute.with(.fp32).tensor(
      channelsFirst: try stages["vae.input"], batch: 1, channels: 4, height: 5, width: 6)
    try expectNear(decoder.forward(latent).channelsFirst(image: 0), try stages["vae.output"])
  }

  private func expectNear(_ found: [Float], _ expected: [Float], within bound: Double = bf16Bound) throws {
    try #require(found.count == expected.count)
    let squares = expected.reduce(0) { $0 + Double($1 * $1) }
    let errors = zip(found, expected).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
    let difference = (errors / squares).squareRoot()
    #expect(difference <= bound, "differs by \(difference) in the mean square")
  }

  private func expectClose(_ found: [Float], _ expected: [Float]) throws {
    try #require(found.count == expected.count)
    let scale = expected.map(\.magnitude).max() ?? 0
    let difference = zip(found, expected).map { ($0 - $1).magnitude }.max() ?? 0
    #expect(difference <= Self.bound * scale, "differs by \(difference / scale) of the largest value")
  }
}

/// The tensors that PyTorch wrote.
struct Stages {
  private let file: SafetensorsFile

  init() throws { file = try SafetensorsFile(path: Fixtures.path("Engine/stages.safetensors")) }

  subscript(_ name: String) -> [Float] {
    get throws { try #require(file.tensors[name]).floats() }
  }

  func shape(_ name: String) throws -> [Int] { try #require(file.tensors[name]).shape }
}

extension Compute {
  func tensor(channelsLast values: [Float], width: Int, channels: Int) -> Tensor {
    let tensor = tensor(batch: 1, height: 1, width: width, channels: channels)
    for (index, value) in values.enumerated() { tensor.base[index] = value }
    return tensor
  }

  func tensor(channelsFirst values: [Float], batch: Int, channels: Int, height: Int, width: Int) -> Tensor {
    let tensor = tensor(batch: batch, height: height, width: width, channels: channels)
    for (index, value) in values.enumerated() {
      let (plane, pixel) = (index / (height * width), index % (height * width))
      tensor.pixel(plane / channels, 0, 0)[pixel * channels + plane % channels] = value
    }
    return tensor
  }
}

extension Tensor {
  func channelsFirst(image: Int) -> [Float] {
    let start = pixel(image, 0, 0)
    return (0..<channels).flatMap { c in (0..<height * width).map { start[$0 * channels + c] } }
  }
}

extension Tensor {
  /// The image moved down and to the right, wrapping around at the edges.
  fileprivate func moved(_ rows: Int, _ columns: Int, _ compute: Compute) -> Tensor {
    let moved = compute.tensor(like: self)
    for y in 0..<height {
      for x in 0..<width {
        moved.pixel(0, (y + rows) % height, (x + columns) % width).update(from: pixel(0, y, x), count: channels)
      }
    }
    return moved
  }

  /// Copies of the image side by side and below each other.
  fileprivate func repeated(_ count: Int, _ compute: Compute) -> Tensor {
    let wide = compute.tensor(batch: 1, height: count * height, width: count * width, channels: channels)
    for y in 0..<wide.height {
      for x in 0..<wide.width {
        wide.pixel(0, y, x).update(from: pixel(0, y % height, x % width), count: channels)
      }
    }
    return wide
  }
}
