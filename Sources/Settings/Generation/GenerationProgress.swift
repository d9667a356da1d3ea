/// The progress of one image.
public enum GenerationProgress: Hashable, Sendable {
  /// The model of this name is being loaded.
  case loading(String)
  /// The prompts are being encoded.
  case encoding
  /// The number of sampling steps done, of the total; 0 before the first.
  case sampling(step: Int, of: Int)
  /// The image is being enlarged between its passes: the number of tiles done, of the total. The total is 0 while the
  /// image is decoded and encoded.
  case upscaling(piece: Int, of: Int)
  /// The latent is being decoded.
  case decoding
  /// A face of the decoded image is being restored: the number of faces done, of the total. The total is 0 while faces are
  /// looked for.
  case restoring(face: Int, of: Int)
}
