import Foundation
import Networks
import Tensors
import Testing
import TestSupport
import TensorFiles
import Weights

/// VAE encoders against PyTorch's (`Tests/FixtureScripts/make_encoder_fixtures.py`): a single file's and a diffusers
/// folder's.
@Suite struct VAEEncoderTests {
  /// As for the other networks, see `NetworkTests`.
  static let bound: Float = 5e-5

  /// An image and its latent.
  struct Case: CustomTestStringConvertible, Sendable {
    var model: String
    var height: Int
    var width: Int
    var padding = ConvolutionPadding.zeros

    var testDescription: String { "\(model) \(width)x\(height)\(padding == .circular ? " tiled" : "")" }
    var mean: String { "\(model).\(padding == .circular ? "tiled" : "\(height)").mean" }
  }

  static let cases = ["tiny", "folder"].flatMap { model in
    [
      Case(model: model, height: 24, width: 40), Case(model: model, height: 72, width: 56),
      Case(model: model, height: 72, width: 56, padding: .circular),
    ]
  }

  @Test(arguments: Kernels.available, cases)
  func `the VAE encoder agrees with diffusers`(kernels: Kernels, testCase: Case) throws {
    let compute = Compute(kernels: kernels, threadCount: 2)
    let (found, expected) = try encoded(testCase, compute)
    let scale = expected.map(\.magnitude).max() ?? 0
    let difference = zip(found, expected).map { ($0 - $1).magnitude }.max() ?? 0
    #expect(difference <= Self.bound * scale, "differs by \(difference / scale) of the largest value")
  }

  @Test(arguments: Kernels.available, cases)
  func `the VAE encoder in bf16 is near diffusers in fp32`(kernels: Kernels, testCase: Case) throws {
    let compute = Compute(kernels: kernels, threadCount: 2, elementType: .bf16)
    let (found, expected) = try encoded(testCase, compute)
    let squares = expected.reduce(0) { $0 + Double($1 * $1) }
    let errors = zip(found, expected).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
    #expect((errors / squares).squareRoot() <= NetworkTests.bf16Bound)
  }

  private func encoded(_ testCase: Case, _ compute: Compute) throws -> (found: [Float], expected: [Float]) {
    let path = testCase.model == "tiny" ? RandomModels.path("model.safetensors") : RandomModels.demo
    let network = try #require(try ModelArchive.open(path: path).vaeEncoder)
    try network.audit().check()
    let encoder = try VAEEncoder(network.weights, configuration: network.configuration, compute: compute)
    #expect(network.untaken.isEmpty)
    let file = try SafetensorsFile(path: Fixtures.path("Engine/encoder.safetensors"))
    let picture = try #require(file.tensors["\(testCase.model).\(testCase.height).picture"]).floats()
    let image = compute.with(.fp32).tensor(
      channelsFirst: picture.map { $0 / 255 * 2 - 1 }, batch: 1, channels: 3, height: testCase.height,
      width: testCase.width)
    let mean = encoder.forward(image, padding: testCase.padding)
    let tensor = try #require(file.tensors[testCase.mean])
    #expect([1, mean.channels, mean.height, mean.width] == tensor.shape)
    return (mean.channelsFirst(image: 0), try tensor.floats())
  }

  // MARK: Files

  private func expectAll(
    _ network: ModelArchive.Network<VAEEncoderConfiguration>?, of fixture: ModelFixture,
    fileName: (ModelFixture.Tensor) -> String
  ) throws {
    let network = try #require(network)
    #expect(network.audit().isClean, "\(network.audit())")
    let tensors = fixture.tensors("vae").filter {
      $0.name.hasPrefix("encoder.") || $0.name.hasPrefix("quant_conv.")
    }
    #expect(Set(network.configuration.expectedTensors) == Set(tensors.map { ExpectedTensor($0.name, $0.shape) }))
    for tensor in tensors {
      #expect(try network.weights.tensor(tensor.name, shape: tensor.shape).name == fileName(tensor))
    }
  }

  @Test(arguments: ModelFixture.all)
  func `the encoder is found in checkpoints, in folders and in files of a VAE`(name: String) throws {
    let folder = try TemporaryFolder()
    let fixture = try ModelFixture(name)
    let prefix = "first_stage_model."
    let file = try folder.write("model.safetensors", fixture.singleFile())
    try expectAll(try ModelArchive.open(path: file).vaeEncoder, of: fixture) { prefix + $0.singleName }
    try expectAll(try ModelArchive.openVAE(path: file).encoder, of: fixture) { prefix + $0.singleName }
    let path = try fixture.writeFolder(to: folder, as: "model")
    try expectAll(try ModelArchive.open(path: path).vaeEncoder, of: fixture) { $0.name }
    for path in [path, path + "/vae", path + "/vae/diffusion_pytorch_model.safetensors"] {
      try expectAll(try ModelArchive.openVAE(path: path).encoder, of: fixture) { $0.name }
    }
    for prefix in ["", "vae."] {
      let tensors = fixture.tensors("vae").map { SyntheticTensor(prefix + $0.singleName, $0.singleShape) }
      let vae = try folder.write("vae.safetensors", tensors)
      try expectAll(try ModelArchive.openVAE(path: vae).encoder, of: fixture) { prefix + $0.singleName }
    }
  }

  @Test func `the encoder's attention is found by its old names`() throws {
    let folder = try TemporaryFolder()
    let fixture = try ModelFixture("one-layer")
    let old = ["to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"]
    func renamed(_ name: String) -> String {
      guard name.contains("attentions.0.to_") else { return name }
      return old.reduce(name) { $0.replacingOccurrences(of: $1.key, with: $1.value) }
    }
    let tensors = fixture.diffusers("vae").map { SyntheticTensor(renamed($0.name), $0.shape) }
    let path = try folder.write("vae.safetensors", tensors)
    try expectAll(try ModelArchive.openVAE(path: path).encoder, of: fixture) { renamed($0.name) }
  }

  @Test func `a model without an encoder, or with an incomplete one, can be opened`() throws {
    let folder = try TemporaryFolder()
    let tensors = try ModelFixture("one-layer").singleFile()
    func isEncoder(_ tensor: SyntheticTensor) -> Bool {
      ["encoder.", "quant_conv."].contains { tensor.name.hasPrefix("first_stage_model." + $0) }
    }
    let none = try ModelArchive.open(path: try folder.write("none.safetensors", tensors.filter { !isEncoder($0) }))
    #expect(none.audit().isClean && none.vaeEncoder == nil)
    let left = "first_stage_model.encoder.conv_in."
    let part = try ModelArchive.open(
      path: try folder.write("part.safetensors", tensors.filter { !isEncoder($0) || $0.name.hasPrefix(left) }))
    #expect(part.audit().isClean)
    let audit = try #require(part.vaeEncoder).audit()
    #expect(audit.findings.contains { $0.description.hasPrefix("missing: first_stage_model.quant_conv.weight") })
    #expect(!audit.findings.contains { $0.name.hasPrefix(left) })
  }
}
