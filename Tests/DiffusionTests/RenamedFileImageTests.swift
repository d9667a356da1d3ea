import Diffusion
import Foundation
import Settings
import Testing
import TestSupport

@testable import TensorFiles

/// Models as GGUF files in which stable-diffusion.cpp has renamed the text encoders: compared with the images that
/// PyTorch made.
@Suite struct RenamedFileImageTests {
  /// The forms in which versions of stable-diffusion.cpp write a checkpoint.
  enum Style: String, CaseIterable, Sendable {
    /// As older versions do: separate queries, keys and values, and attention's matrices as 1×1 convolutions.
    case split
    /// With `--convert-name`: text encoders use the names of the transformers library.
    case converted
    /// Merged from several files: text encoders of the transformers library, and a VAE.
    case components
    /// As `converted`, without the dimensions that are 1.
    case squeezed
  }

  private static let cases = FamilyImageTests.cases.filter {
    ["sd2.safetensors", "sdxl.safetensors", "refiner.safetensors"].contains($0.model) && $0.refiner_checkpoint == nil
  }

  @Test(arguments: ["sd2.safetensors", "sdxl.safetensors", "refiner.safetensors"], Style.allCases)
  func `a renamed GGUF file makes the model's images`(model: String, style: Style) throws {
    let folder = try TemporaryFolder()
    let tensors = try SafetensorsFile(path: RandomModels.path(model)).tensors.values
    let path = try folder.write("renamed.gguf", Self.file(tensors.sorted { $0.name < $1.name }, style))
    for name in ["vocab.json", "merges.txt"] {
      try folder.write(name, [UInt8](try RandomModels.data(name)))
    }
    let testCase = try #require(Self.cases.first { $0.model == model })
    var settings = testCase.settings
    settings.model = ModelReference(name: "renamed", path: path)
    try testCase.expectAgreement(Engine.forTests(), settings)
  }

  @Test func `a renamed Stable Diffusion 1 makes the model's image`() throws {
    let folder = try TemporaryFolder()
    let tensors = try SafetensorsFile(path: RandomModels.path("model.safetensors")).tensors.values
    let path = try folder.write("renamed.gguf", Self.file(tensors.sorted { $0.name < $1.name }, .components))
    for name in ["vocab.json", "merges.txt"] {
      try folder.write(name, [UInt8](try RandomModels.data(name)))
    }
    // One of these cases encodes an image between its passes.
    let lanczos = ImageCase.cases(in: "hires/cases.json").first { $0.model == nil && $0.hr_upscaler == "Lanczos" }
    for testCase in [try #require(ImageCase.cases(in: "cases.json").first { $0.model == nil }), try #require(lanczos)] {
      var settings = testCase.settings
      settings.model = ModelReference(name: "renamed", path: path)
      try testCase.expectAgreement(Engine.forTests(), settings)
    }
  }

  @Test func `a file of ambiguous family is taken for 1.x, with a note`() throws {
    let folder = try TemporaryFolder()
    let tensors = try SafetensorsFile(path: RandomModels.path("sd2.safetensors")).tensors.values
    for name in ["vocab.json", "merges.txt"] {
      try folder.write(name, [UInt8](try RandomModels.data(name)))
    }
    for isProjected in [true, false] {
      let some = tensors.filter { isProjected || !$0.name.hasSuffix("text_projection") }.sorted { $0.name < $1.name }
      let path = try folder.write("\(isProjected).gguf", Self.file(some, .split))
      var settings = ImageSettings()
      settings.model = ModelReference(name: "renamed", path: path)
      let engine = try Engine.forTests()
      #expect(try engine.ingredients(for: settings).model.family == (isProjected ? "sd2" : "sd1"))
      let notes = engine.takeNotes()
      #expect(notes.count == (isProjected ? 0 : 1))
      #expect(
        notes.allSatisfy {
          $0.hasPrefix(path) && $0.contains("may be of Stable Diffusion 1.x or of Stable Diffusion 2.x")
        })
    }
  }

  // MARK: Renaming

  /// A tensor of half precision under its new name.
  private struct Renamed {
    var name: String
    var shape: [Int]
    var bytes: [UInt8]

    /// The three equal parts of its rows, under the names of queries, keys and values.
    var thirds: [Renamed] {
      ["q_proj", "k_proj", "v_proj"].enumerated().map { index, part in
        let count = bytes.count / 3
        return Renamed(
          name: name.replacingOccurrences(of: "in_proj", with: part), shape: [shape[0] / 3] + shape.dropFirst(),
          bytes: Array(bytes[index * count..<(index + 1) * count]))
      }
    }

    var transposed: Renamed {
      let (rows, columns) = (shape[0], shape[1])
      let bytes = (0..<columns * rows).flatMap { at in
        let from = 2 * (at % rows * columns + at / rows)
        return self.bytes[from..<from + 2]
      }
      return Renamed(name: name, shape: [columns, rows], bytes: bytes)
    }
  }

  /// A GGUF file of half precision, or with the matrices of UNet and text encoders in Q8_0.
  static func file(_ tensors: [StoredTensor], _ style: Style, isQuantised: Bool = false) throws -> [UInt8] {
    var file = GGUFBytes()
    func add(_ tensor: Renamed, type: UInt32) {
      file.tensor(tensor.name, type: type, shape: tensor.shape.map(UInt64.init), offset: UInt64(file.data.count))
      file.data += tensor.bytes
      file.data += Array(repeating: 0, count: (32 - file.data.count % 32) % 32)
    }
    // Separate files of encoders lack this scalar, and some versions leave it out.
    for tensor in tensors where ![.components, .split].contains(style) || !tensor.name.hasSuffix("logit_scale") {
      if isQuantised, let blocks = try Q8.blocks(tensor) {
        add(Renamed(name: renamed(tensor.name, style), shape: tensor.shape, bytes: blocks), type: Q8.type)
        continue
      }
      var tensor = Renamed(name: tensor.name, shape: tensor.shape, bytes: try tensor.withRawBytes { Array($0) })
      let isMatrix = tensor.shape.count == 2
      tensor.name = renamed(tensor.name, style)
      var parts = [tensor]
      switch style {
      case .split:
        if isMatrix, tensor.name.hasSuffix("proj_in.weight") || tensor.name.hasSuffix("proj_out.weight") {
          parts[0].shape += [1, 1]
        }
        if tensor.name.contains(".in_proj.") { parts = tensor.thirds }
      case .converted: break
      case .components:
        if tensor.name.contains(".in_proj.") { parts = tensor.thirds }
        if tensor.name.hasSuffix(".text_model.text_projection") {
          parts = [tensor.transposed]
          parts[0].name = tensor.name.replacingOccurrences(of: "text_model.text_", with: "text_") + ".weight"
        }
      case .squeezed: parts[0].shape = tensor.shape.filter { $0 != 1 }
      }
      for part in parts { add(part, type: 1) }
    }
    return file.bytes
  }

  private static func renamed(_ name: String, _ style: Style) -> String {
    var name = name
    let isRefined = name.hasPrefix("conditioner.embedders.0.model.")
    let prefixes = [
      ("conditioner.embedders.0.", "cond_stage_model."), ("conditioner.embedders.1.", "cond_stage_model.1."),
    ]
    for (old, new) in prefixes where name.hasPrefix(old) { name = new + name.dropFirst(old.count) }
    for encoder in ["cond_stage_model.1.", "cond_stage_model."]
    where !name.hasSuffix("logit_scale") && name.hasPrefix(encoder + "model.") {
      var inner = String(name.dropFirst(encoder.count + "model.".count))
      for (old, new) in openCLIP { inner = inner.replacingOccurrences(of: old, with: new) }
      name = encoder + "transformer.text_model." + inner
    }
    if style == .components {
      let first = isRefined ? "clip_g" : "clip_l"
      for (old, new) in [
        ("cond_stage_model.1.", "text_encoders.clip_g."), ("cond_stage_model.", "text_encoders.\(first)."),
        ("first_stage_model.", "vae."),
      ] where name.hasPrefix(old) {
        name = new + name.dropFirst(old.count)
      }
    }
    return name
  }

  private static let openCLIP = [
    ("transformer.resblocks.", "encoder.layers."), ("attn.in_proj_", "self_attn.in_proj."),
    ("attn.out_", "self_attn.out_"),
    ("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"), ("ln_final", "final_layer_norm"), ("mlp.c_fc", "mlp.fc1"),
    ("mlp.c_proj", "mlp.fc2"), ("token_embedding", "embeddings.token_embedding"),
    ("positional_embedding", "embeddings.position_embedding.weight"),
  ]
}
