/// What keeps the engine from making an image.
public enum EngineError: Error, CustomStringConvertible {
  /// The model that comes with the program is in none of these places.
  case demoModelMissing([String])
  /// The vocabulary has ids that the text encoder does not know.
  case vocabularyTooLarge(path: String, count: Int, known: Int)
  /// More layers are to be skipped than the text encoder has.
  case clipSkipTooLarge(Int, layers: Int)
  /// The checkpoint comes without a VAE, and the recipe names none.
  case noVAE(path: String)
  /// What is to decode previews is no TAESD.
  case noPreviewDecoder(path: String)
  /// The system refuses the memory that an image of this size takes.
  case outOfMemory(bytes: Int, width: Int, height: Int)
  /// The network's output has become NaN or infinite.
  case notFinite(stage: String)

  /// One sentence for the user.
  public var description: String {
    switch self {
    case .demoModelMissing(let places):
      "the demo model is in none of \(places.joined(separator: ", ")); copy the folder \"demo\" beside the program"
    case .vocabularyTooLarge(let path, let count, let known):
      """
      \(path): the vocabulary has \(count) tokens, but the model's text encoder knows \(known); \
      use the vocabulary that belongs to the model
      """
    case .clipSkipTooLarge(let skip, let layers):
      "clip_skip is \(skip), but the model's text encoder has \(layers) layers; use 1 to \(layers)"
    case .noVAE(let path):
      "\(path): the checkpoint has no VAE; name one with vae:"
    case .noPreviewDecoder(let path):
      "\(path): this is a whole VAE, too slow for previews; name a TAESD decoder with --preview-vae"
    case .outOfMemory(let bytes, let width, let height):
      """
      out of memory: \(width)x\(height) pixels take at least \((bytes + (1 << 20) - 1) >> 20) MiB besides the model, which \
      the system refuses; make smaller images
      """
    case .notFinite(let stage):
      "the \(stage) holds NaN or infinite numbers; the model's weights do not stand these settings"
    }
  }
}
