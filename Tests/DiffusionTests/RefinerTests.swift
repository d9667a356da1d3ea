import Diffusion
import Foundation
import Imaging
import Settings
import Testing
import TestSupport

/// Checks images that a second checkpoint finishes against the webui's computation in PyTorch
/// (`Tests/FixtureScripts/make_family_fixtures.py`).
@Suite struct RefinerTests {
  private static let cases = FamilyImageTests.cases.filter { $0.refiner_checkpoint != nil }

  private static func family(_ name: String) -> ModelReference {
    ModelReference(name: name, path: RandomModels.path(name))
  }

  /// Settings with which the refiner takes over in the middle of an image.
  static func settings(_ sampler: SamplerID = .euler) -> ImageSettings {
    var settings = ImageSettings()
    settings.model = family("sdxl.safetensors")
    settings.refiner = family("refiner.safetensors")
    settings.refinerSwitchAt = 0.5
    settings.prompt = "a small [boat:bird:0.5]"
    settings.steps = 6
    (settings.width, settings.height) = (64, 64)
    settings.precision = .fp32
    settings.sampler = sampler
    return settings
  }

  private static func loads(_ engine: Engine, _ jobs: [ImageSettings]) throws -> [String] {
    var names: [String] = []
    for job in jobs {
      _ = try engine.generate(job) { if case .loading(let name) = $0 { names.append(name) } }
    }
    return names
  }

  @Test(arguments: cases)
  func `an image with a refiner agrees with PyTorch`(testCase: ImageCase) throws {
    try testCase.expectAgreement(Engine.forTests())
  }

  @Test(arguments: [SamplerID.euler, .heun, .dpmPP2M, .dpmPPSDE, .uniPC, .ddim], [1, 3])
  func `an image that is resumed before or after the switch is the same, to the last byte`(
    sampler: SamplerID, featureCache: Int
  ) throws {
    var settings = Self.settings(sampler)
    settings.featureCache = featureCache
    var states: [[UInt8]] = []
    let whole = try Engine.forTests().generate(settings, resuming: nil) { _, state in
      if let state { states.append(try state.encoded()) }
    }
    #expect(states.count > 6)
    var loads: Set<[String]> = []
    for state in states {
      var names: [String] = []
      let image = try Engine.forTests(threads: 1).generate(settings, resuming: state) { progress, _ in
        if case .loading(let name) = progress { names.append(name) }
      }
      #expect(image == whole)
      loads.insert(names)
    }
    // The first checkpoint is no longer needed.
    #expect(loads == [["sdxl", "refiner"], ["refiner"]])
  }

  @Test func `both checkpoints stay loaded for the images that need them, and no others do`() throws {
    let both = Self.settings()
    var (first, other) = (both, both)
    first.refiner = nil
    (other.model, other.refiner) = (Self.family("sd2.safetensors"), nil)
    let loads = try Self.loads(Engine.forTests(), [both, both, first, both, other, both])
    #expect(loads == ["sdxl", "refiner", "sd2", "sdxl", "refiner"])
  }

  @Test func `a refiner of the same weights changes nothing, with LoRAs and embeddings`() throws {
    let folder = try TemporaryFolder()
    // Spaces at the end of the header make it a different file.
    var file = [UInt8](try RandomModels.data("model.safetensors"))
    let length = file[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    file.insert(contentsOf: Array(repeating: UInt8(ascii: " "), count: 8), at: 8 + length)
    file.replaceSubrange(..<8, with: (0..<8).map { UInt8(truncatingIfNeeded: (length + 8) >> (8 * $0)) })
    let path = try folder.write("twin.safetensors", file)
    for name in ["vocab.json", "merges.txt"] { try folder.write(name, [UInt8](try RandomModels.data(name))) }
    var alone = ImageSettings()
    alone.model = ModelReference(name: "model", path: RandomModels.path("model.safetensors"))
    alone.adapterFolders = [Fixtures.path("Engine/adapters"), Fixtures.path("Engine/inversions")]
    alone.prompt = "a bluestar on a lake <lora:plain:0.8>"
    alone.negativePrompt = "easynoise"
    alone.steps = 4
    (alone.width, alone.height) = (64, 64)
    var refined = alone
    refined.refiner = ModelReference(name: "twin", path: path)
    refined.refinerSwitchAt = 0.4
    let engine = try Engine.forTests()
    #expect(try engine.ingredients(for: refined).refiner?.name == "twin")
    #expect(try engine.generate(refined) { _ in } == engine.generate(alone) { _ in })
    refined.prompt = "a bluestar on a lake"
    #expect(try engine.generate(refined) { _ in } != engine.generate(alone) { _ in })
  }

  @Test func `a refiner equal to the model is ignored`() throws {
    var settings = Self.settings()
    settings.refiner = settings.model
    let engine = try Engine.forTests()
    #expect(try engine.ingredients(for: settings).refiner == nil)
    var alone = settings
    alone.refiner = nil
    #expect(
      try JobID(settings, engine.ingredients(for: settings)) == JobID(alone, engine.ingredients(for: alone)))
  }

  @Test(arguments: [
    ("sdxl.safetensors", "sd2.safetensors"), ("sdxl", "lcm"), ("sd2", "refiner"), ("lcm", "sdxl.safetensors"),
  ])
  func `a refiner with different latents is rejected with the reason`(model: String, refiner: String) throws {
    var settings = Self.settings()
    (settings.model, settings.refiner) = (Self.family(model), Self.family(refiner))
    let engine = try Engine.forTests()
    let error = #expect(throws: EngineError.self) { try engine.ingredients(for: settings) }
    let text = try #require(error.map { "\($0)" })
    #expect(text.hasPrefix("refiner_checkpoint: ") && text.contains(refiner) && text.contains("their latents differ"))
  }
}
