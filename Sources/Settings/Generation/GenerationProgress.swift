/// How far one image has come.
public enum GenerationProgress: Hashable, Sendable {
  /// A model is being read; its name.
  case loading(String)
  /// The prompts are going through the text encoder.
  case encoding
  /// So many sampling steps of all are done; 0 before the first.
  case sampling(step: Int, of: Int)
  /// The image is being enlarged between its passes: so many pieces of it are done; of none while it is decoded and encoded.
  case upscaling(piece: Int, of: Int)
  /// The latent is being made into pixels.
  case decoding
}
