import Diffusion
import Foundation
import Settings
import TensorFiles
import Testing
import TestSupport
import Weights

@testable import Networks

/// Images of distilled models, of other noise schedules, of broken positions and of UNets alone, against PyTorch's
/// (`Tests/FixtureScripts/make_distilled_fixtures.py`).
@Suite struct DistilledImageTests {
  static let cases = ImageCase.cases(in: "../Distilled/cases.json")

  @Test(arguments: cases)
  func `an image of a distilled model agrees with PyTorch`(testCase: ImageCase) throws {
    try testCase.expectAgreement(Engine.forTests())
  }

  /// What a file says about the training, and the image that PyTorch makes with it.
  private struct Training: Decodable {
    let positions: [Float]?
    /// ᾱ of some timesteps, as diffusers has it.
    let alphas: [String: Double]?
    let image: ImageCase
  }

  @Test func `a folder's noise schedule is used, and gives images another identity`() throws {
    let trainings = try Fixtures.decode([Training].self, from: "Distilled/training.json")
    let list = try JSONSerialization.jsonObject(with: Fixtures.data("Distilled/training.json")) as? [[String: Any]]
    let engine = try Engine.forTests()
    var identities: [String] = []
    for (training, values) in zip(trainings, try #require(list)) where training.alphas != nil {
      let folder = try TemporaryFolder()
      try FileManager.default.copyItem(atPath: RandomModels.path("bktiny"), toPath: folder("bktiny"))
      let text = try JSONSerialization.data(withJSONObject: try #require(values["scheduler"]))
      try folder.write("bktiny/scheduler/scheduler_config.json", [UInt8](text))
      let alphas = try #require(try ModelArchive.open(path: folder("bktiny")).noise.alphasCumprod)
      for (timestep, alpha) in training.alphas ?? [:] {
        let own = alphas[try #require(Int(timestep))]
        // The library accumulates in single precision.
        #expect(abs(own - alpha) <= 2e-5 * alpha, "\(timestep): \(own), not \(alpha)")
      }
      var settings = training.image.settings
      settings.model = ModelReference(name: "bktiny", path: folder("bktiny"))
      try training.image.expectAgreement(engine, settings)
      identities.append(JobID(settings, try engine.ingredients(for: settings)).description)
    }
    #expect(identities.count == 4 && Set(identities).count == 4)
  }

  @Test func `broken position ids change the image as they do in the webui`() throws {
    let training = try #require(
      try Fixtures.decode([Training].self, from: "Distilled/training.json").first { $0.positions != nil })
    let folder = try TemporaryFolder()
    let name = "cond_stage_model.transformer.text_model.embeddings.position_ids"
    let path = try folder.copy(
      "bk.safetensors", adding: [SyntheticTensor(name, [1, 77], floats: training.positions ?? [])])
    var settings = training.image.settings
    settings.model = ModelReference(name: "bk", path: path)
    let engine = try Engine.forTests()
    try training.image.expectAgreement(engine, settings)
    let broken = try engine.ingredients(for: settings).model
    #expect(broken.variant?.hasPrefix("positions 0: 0 0 2 3 3 5") == true)
  }

  // MARK: UNets alone

  enum Naming: String, CaseIterable {
    case prefixed = "model.diffusion_model."
    case bare = ""
    case diffusers = "diffusers"
    case diffusersPrefixed = "unet."
  }

  /// The UNet of a random model in a separate file.
  private func unet(of model: String, _ naming: Naming, in folder: TemporaryFolder) throws -> String {
    let archive = try ModelArchive.open(path: RandomModels.path(model))
    let prefix = "model.diffusion_model."
    let tensors = try archive.unet.configuration.expectedTensors.map { expected in
      let tensor = try archive.unet.weights.tensor(expected.name, shape: expected.shape)
      let name =
        switch naming {
        case .prefixed: tensor.name
        case .bare: String(tensor.name.dropFirst(prefix.count))
        case .diffusers: expected.name
        case .diffusersPrefixed: "unet." + expected.name
        }
      return SyntheticTensor(name, tensor.shape, type: "F16", bytes: try tensor.withRawBytes { Array($0) })
    }
    return try folder.write("unet.safetensors", tensors)
  }

  @Test(arguments: Naming.allCases)
  func `a UNet alone makes the image of its checkpoint, completed by another one`(naming: Naming) throws {
    let folder = try TemporaryFolder()
    let engine = try Engine.forTests()
    let testCase = Self.cases[0]
    var settings = testCase.settings
    settings.model = ModelReference(name: "unet", path: try unet(of: "ssd.safetensors", naming, in: folder))
    let error = #expect(throws: WeightError.self) { try engine.ingredients(for: settings) }
    #expect("\(try #require(error))".contains("text_encoder:"))
    settings.textEncoder = ModelReference(name: "ssd", path: RandomModels.path("ssd.safetensors"))
    try testCase.expectAgreement(engine, settings)
    let ingredients = try engine.ingredients(for: settings)
    #expect(ingredients.model.name == "unet" && ingredients.textEncoder?.name == "ssd" && ingredients.vae == nil)
    // The VAE may come from another file; then that one decodes.
    var other = settings
    other.vae = ModelReference(name: "sdxl", path: RandomModels.path("sdxl.safetensors"))
    #expect(try engine.generate(other) { _ in } != engine.generate(settings) { _ in })
    #expect(Set(try [settings, other].map { JobID($0, try engine.ingredients(for: $0)) }).count == 2)
  }

  @Test func `text encoders that do not fit a UNet are refused`() throws {
    let folder = try TemporaryFolder()
    var settings = Self.cases[0].settings
    settings.model = ModelReference(name: "unet", path: try unet(of: "ssd.safetensors", .diffusers, in: folder))
    settings.textEncoder = ModelReference(name: "model", path: RandomModels.path("model.safetensors"))
    let error = #expect(throws: WeightError.self) { try Engine.forTests().ingredients(for: settings) }
    #expect("\(try #require(error))".contains("width of the UNet's cross-attention is 192, expected 64"))
  }

  @Test func `a folder with a UNet alone is completed too`() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(atPath: RandomModels.path("bktiny/unet"), toPath: folder("lcm"))
    var settings = Self.cases[4].settings
    settings.model = ModelReference(name: "lcm", path: folder("lcm"))
    settings.textEncoder = ModelReference(name: "bktiny", path: RandomModels.path("bktiny"))
    try Self.cases[4].expectAgreement(Engine.forTests(), settings)
  }
}

extension TemporaryFolder {
  /// Copies a random model with more tensors, and the vocabulary next to it; returns its path.
  func copy(
    _ model: String, as name: String = "copy.safetensors", adding tensors: [SyntheticTensor] = [],
    where isKept: (String) -> Bool = { _ in true }, renamed: (String) -> String = { $0 }
  ) throws -> String {
    for file in ["vocab.json", "merges.txt"] { try write(file, [UInt8](try RandomModels.data(file))) }
    let own = try TensorFile(path: RandomModels.path(model)).tensors.values.filter { isKept($0.name) }
    return try write(
      name,
      own.sorted { $0.name < $1.name }.map {
        SyntheticTensor(
          renamed($0.name), $0.shape, type: $0.elementType.rawValue, bytes: try $0.withRawBytes { Array($0) })
      } + tensors)
  }
}
