import Networks
import Weights

/// A text encoder that a family's models need.
struct TextEncoderNeed: Sendable {
  let kind: TextEncoderKind
  /// The name for messages, such as `Qwen3-4B`.
  let title: String
  /// The usual names of its files.
  let fileNames: [String]
  /// The folder that contains it in a diffusers folder.
  let folder: String
  /// The folder that contains its tokenizer in a diffusers folder.
  let tokenizerFolder: String
  /// Whether models run without it.
  var isOptional = false
  /// Why an encoder of this kind does not fit the model, such as its width; nil if it fits.
  let objection: @Sendable (TextEncoderArchive) -> String?

  /// The Qwen3 of a model.
  ///
  /// - Parameter width: The width of the states that the model reads.
  /// - Returns: What to search for.
  static func qwen3(width: Int) -> TextEncoderNeed {
    let (title, name) = width == 4096 ? ("Qwen3-8B", "qwen_3_8b") : ("Qwen3-4B", "qwen_3_4b")
    return TextEncoderNeed(
      kind: .qwen3, title: title, fileNames: ["\(name).safetensors", "\(title)-Q8_0.gguf"], folder: "text_encoder",
      tokenizerFolder: "tokenizer"
    ) { $0.width == width ? nil : "its states are \($0.width) wide, expected \(width)" }
  }

  /// T5 v1.1 XXL.
  ///
  /// - Parameters:
  ///   - number: The number of the text encoder, from 1, as in the names of diffusers' folders.
  ///   - width: The width of the states that the model reads.
  ///   - isOptional: Whether the model runs without it.
  /// - Returns: What to search for.
  static func t5(number: Int, width: Int, isOptional: Bool = false) -> TextEncoderNeed {
    TextEncoderNeed(
      kind: .t5, title: "T5-XXL",
      fileNames: [
        "t5xxl_fp16.safetensors", "t5xxl_fp8_e4m3fn.safetensors", "t5xxl_fp8_e4m3fn_scaled.safetensors",
        "t5-v1_1-xxl-encoder-Q8_0.gguf",
      ], folder: "text_encoder_\(number)", tokenizerFolder: "tokenizer_\(number)", isOptional: isOptional
    ) { $0.width == width ? nil : "its states are \($0.width) wide, expected \(width)" }
  }

  /// CLIP ViT-L.
  static let clipL = TextEncoderNeed(
    kind: .clip, title: "CLIP-L", fileNames: ["clip_l.safetensors"], folder: "text_encoder",
    tokenizerFolder: "tokenizer"
  ) { $0.isCLIPG ? "it is CLIP-G" : nil }

  /// OpenCLIP ViT-bigG, with the names of the transformers library.
  static let clipG = TextEncoderNeed(
    kind: .clip, title: "CLIP-G", fileNames: ["clip_g.safetensors"], folder: "text_encoder_2",
    tokenizerFolder: "tokenizer_2"
  ) { $0.isCLIPG ? nil : "it is CLIP-L" }
}

extension TextEncoderArchive {
  /// Whether a CLIP is ViT-bigG: recognised by its prefix in a file of a whole model, otherwise by its projection and width.
  /// The published CLIP-L is 768 wide, and has a projection in some files.
  fileprivate var isCLIPG: Bool {
    if prefix.contains("clip_g.") { return true }
    if prefix.contains("clip_l.") { return false }
    guard let clip else { return false }
    return clip.projectionWidth != nil && clip.width != 768
  }
}
