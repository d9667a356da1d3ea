/// The progress of one image.
public enum GenerationProgress: Hashable, Sendable {
  /// The model with this name is being loaded.
  case loading(String)
  /// The prompts are being encoded.
  case encoding
  /// The number of sampling steps done, of the total; 0 before the first.
  case sampling(step: Int, of: Int)
  /// The image is being enlarged between its passes: the number of tiles done, of the total. The total is 0 while the image is
  /// decoded or encoded.
  case upscaling(piece: Int, of: Int)
  /// The latent is being decoded.
  case decoding
  /// A face of the decoded image is being restored: the number of faces done, of the total. The total is 0 while the program
  /// looks for faces.
  case restoring(face: Int, of: Int)
}
