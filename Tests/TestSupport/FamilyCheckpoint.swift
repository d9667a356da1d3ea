import Foundation

/// Small whole checkpoints of transformers: a random network of `Tests/Fixtures/Models`, changed to read the random text encoders of
/// `Tests/Fixtures/PromptContexts`, which are in a folder beside it. Their VAEs are `klein_vae.safetensors` and `zimage/vae`.
package enum FamilyCheckpoint: String, CaseIterable, Sendable {
  case klein
  case zimage
  case flux1
  case sd3

  /// The checkpoint's file.
  package var file: String { "\(rawValue).safetensors" }

  /// The path of a VAE for it.
  package var vae: String { RandomModels.path(self == .klein ? "klein_vae.safetensors" : "zimage/vae") }

  /// The random TAESD that decodes its latents.
  package var tinyDecoder: String { RandomModels.path(self == .klein ? "taef2_decoder.safetensors" : "taef1") }

  /// What the engine calls the TAESD of its latents.
  package var tinyDecoderName: String {
    switch self {
    case .klein: "taef2"
    case .zimage, .flux1: "taef1"
    case .sd3: "taesd3"
    }
  }

  /// The shapes that differ from the fixture's: what reads texts.
  private var shapes: [(was: String, becomes: String)] {
    switch self {
    case .klein: [("txt_in.weight 32x36 ", "txt_in.weight 32x96 ")]
    case .zimage:
      [
        ("cap_embedder.0.weight 24 ", "cap_embedder.0.weight 32 "),
        ("cap_embedder.1.weight 32x24 ", "cap_embedder.1.weight 32x32 "),
      ]
    case .flux1:
      [
        ("txt_in.weight 64x28 ", "txt_in.weight 64x224 "),
        ("vector_in.in_layer.weight 64x20 ", "vector_in.in_layer.weight 64x64 "),
      ]
    case .sd3:
      [
        ("context_embedder.weight 64x28 ", "context_embedder.weight 64x224 "),
        ("y_embedder.mlp.0.weight 64x20 ", "y_embedder.mlp.0.weight 64x192 "),
      ]
    }
  }

  /// The encoders, by the names of the fixtures and of the files.
  private var encoders: [(fixture: String, file: String)] {
    let (left, t5) = (("clip_l", "clip_l.safetensors"), ("t5", "t5xxl_fp16.safetensors"))
    return switch self {
    case .klein, .zimage: [("qwen3", "qwen_3_4b.safetensors")]
    case .flux1: [left, t5]
    case .sd3: [left, ("clip_g", "clip_g.safetensors"), t5]
    }
  }

  /// Writes the checkpoint and its text encoders into a folder.
  package func write(to folder: String) throws {
    var text = try Fixtures.text("Models/\(rawValue).weights")
    for (was, becomes) in shapes { text = text.replacingOccurrences(of: was, with: becomes) }
    try RandomWeights(text).write(to: "\(folder)/\(file)")
    let parts = "\(folder)/text_encoders"
    let manager = FileManager.default
    try manager.createDirectory(atPath: parts, withIntermediateDirectories: true)
    for (fixture, file) in encoders {
      try RandomWeights(Fixtures.text("PromptContexts/\(fixture).weights")).write(to: "\(parts)/\(file)")
    }
    func copy(_ fixture: String, _ path: String) throws {
      try manager.copyItem(atPath: Fixtures.path(fixture), toPath: path)
    }
    switch self {
    case .klein, .zimage: try copy("Tokenizers/qwen/tokenizer.json.gz", "\(parts)/tokenizer.json")
    case .flux1, .sd3:
      try copy("Tokenizers/t5/tokenizer.json.gz", "\(parts)/tokenizer.json")
      for name in ["merges.txt", "vocab.json"] { try copy("Tokenization/small/\(name)", "\(folder)/\(name)") }
    }
  }
}
