import Diffusion
import Foundation
import Settings
import Testing
import TestSupport
import TensorFiles
import Weights

/// Images that cannot be made, and models that are removed.
@Suite struct UnusableTests {
  /// A copy of a model that may be damaged.
  private func copy(_ folder: TemporaryFolder) throws -> ImageSettings {
    try folder.write("model.safetensors", RandomModels.data("model.safetensors"))
    try folder.write("merges.txt", RandomModels.data("merges.txt"))
    var settings = ResumedImageTests.settings(.euler)
    settings.model = ModelReference(name: "model.safetensors", path: folder("model.safetensors"))
    return settings
  }

  @Test func `a VAE that does not enlarge by 8 is rejected before any work`() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      "config.json",
      """
      {"_class_name": "AutoencoderKL", "block_out_channels": [16, 16, 16], "layers_per_block": 1, "norm_num_groups": 16,
       "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]}
      """)
    // The coarsest of four blocks is removed, and the others move up.
    let whole = try SafetensorsFile(path: RandomModels.path("sd2/vae/diffusion_pytorch_model.safetensors"))
    let tensors = whole.tensors.filter { !$0.key.hasPrefix("decoder.up_blocks.0.") }.sorted { $0.key < $1.key }
    try folder.write(
      "diffusion_pytorch_model.safetensors",
      tensors.map { name, tensor in
        let moved = (1...3).reduce(name) {
          $0.replacingOccurrences(of: "up_blocks.\($1).", with: "up_blocks.\($1 - 1).")
        }
        return SyntheticTensor(moved, tensor.shape)
      })
    var settings = ResumedImageTests.settings(.euler)
    settings.model = ModelReference(name: "sd2", path: RandomModels.path("sd2"))
    settings.vae = ModelReference(name: "small", path: folder.path)
    let error = #expect(throws: EngineError.self) { try Engine.forTests().ingredients(for: settings) }
    #expect(error.map { "\($0)" }?.contains("the VAE enlarges latents 4 times, expected 8 times") == true)
  }

  enum Change: CaseIterable {
    case written, touched, shortened
  }

  @Test(arguments: Change.allCases)
  func `a model that is written to before it is loaded is refused by name`(change: Change) throws {
    let folder = try TemporaryFolder()
    let settings = try copy(folder)
    let engine = try Engine.forTests()
    _ = try engine.ingredients(for: settings)
    let path = folder("model.safetensors")
    switch change {
    case .written:
      let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
      try file.seek(toOffset: 200_000)
      try file.write(contentsOf: Data([1, 2, 3]))
      try file.close()
    case .touched:
      try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1e9)], ofItemAtPath: path)
    case .shortened: truncate(path, 200_000)
    }
    #expect(throws: TensorFileError.changed(path: path)) { try engine.generate(settings) { _ in } }
  }

  @Test(arguments: [false, true])
  func `a model that is removed or replaced is used as it was`(isReplaced: Bool) throws {
    let folder = try TemporaryFolder()
    let settings = try copy(folder)
    let engine = try Engine.forTests()
    _ = try engine.ingredients(for: settings)
    unlink(folder("model.safetensors"))
    if isReplaced { try folder.write("model.safetensors", "something else") }
    let image = try engine.generate(settings) { _ in }
    #expect(image == (try Engine.forTests().generate(ResumedImageTests.settings(.euler)) { _ in }))
  }

  @Test(arguments: SamplerID.allCases)
  func `a network whose output is NaN ends the image at once`(sampler: SamplerID) throws {
    var settings = ResumedImageTests.settings(sampler)
    // The first call's output overflows, and the next one's is NaN.
    settings.cfgScale = 3e38
    var last = 0
    let error = #expect(throws: EngineError.self) {
      try Engine.forTests().generate(settings) { progress in
        if case .sampling(let step, _) = progress { last = step }
      }
    }
    #expect(error?.description.contains("NaN or infinite") == true)
    #expect(last <= 2)
  }

  @Test func `an image that needs more memory than there is fails before any work`() throws {
    var settings = ResumedImageTests.settings(.euler)
    (settings.width, settings.height) = (1 << 17, 1 << 17)
    let engine = try Engine.forTests()
    _ = try engine.generate(ResumedImageTests.settings(.euler)) { _ in }
    var stages: [GenerationProgress] = []
    // 2^34 pixels of more than 100 bytes each.
    settings.seed = 1
    let error = #expect(throws: EngineError.self) { try engine.generate(settings) { stages.append($0) } }
    #expect(error?.description.hasPrefix("out of memory: 131072x131072 pixels take at least ") == true)
    #expect(stages.isEmpty)
  }
}
