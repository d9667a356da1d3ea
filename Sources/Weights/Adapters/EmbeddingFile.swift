import TensorFiles
import Text

/// An opened file of a textual inversion: for each text encoder that it was trained for, the vectors that replace a word.
///
/// Source: Gal et al. 2022, "An Image is Worth One Word", arXiv:2208.01618; the forms are those of the webui and diffusers.
public struct EmbeddingFile: Sendable {
  /// The path with which the file was opened, for messages.
  public let path: String
  /// The number of tokens that the word takes.
  public let vectorCount: Int
  /// The width of a vector for each text encoder.
  public let widths: [Int]
  /// One tensor for each text encoder: `[vectors, width]`, or `[width]` for a single vector.
  package let tensors: [StoredTensor]

  /// The largest number of vectors that fit into a chunk of a prompt.
  private static let vectorLimit = 75

  /// Opens the file at `path`; it reads no vectors.
  ///
  /// There are three known forms: the webui's `string_to_param`; a single tensor with any name, as diffusers writes it (for
  /// example `emb_params`); and `clip_l` with `clip_g` for Stable Diffusion XL. Throws `WeightError.file`, and `.adapter` for
  /// any other form.
  public init(path: String) throws(WeightError) {
    let file = try WeightError.wrapping(try TensorFile(path: path))
    try self.init(path: path, bundledAs: nil, tensors: file.tensors)
  }

  /// An embedding in one of these forms, with the name `name` inside a file of several.
  init(path: String, bundledAs name: String?, tensors all: [String: StoredTensor]) throws(WeightError) {
    func fault(_ reason: String) -> WeightError {
      .adapter(path: path, reason: name.map { "its embedding \($0.abridged): " + reason } ?? reason)
    }
    let parameters = all.filter { $0.key.hasPrefix("string_to_param.") }.values
    let tensors: [StoredTensor]
    if !parameters.isEmpty {
      tensors = Array(parameters)
    } else if let narrow = all["clip_l"], let wide = all["clip_g"] {
      tensors = [narrow, wide]
    } else {
      tensors = Array(all.values)
    }
    let isForTwo = tensors.count == 2 && parameters.isEmpty && all["clip_g"] != nil
    guard tensors.count == 1 || isForTwo else {
      throw fault(
        "it contains \(tensors.count) tensors, expected the one of a textual inversion, or clip_l and clip_g for Stable "
          + "Diffusion XL")
    }
    for tensor in tensors {
      guard tensor.elementType.isReadable else {
        throw .file(.elementType(path: path, name: tensor.name, found: tensor.elementType.rawValue))
      }
      guard (1...2).contains(tensor.shape.count), tensor.elementCount > 0 else {
        throw fault("its tensor \(tensor.name.abridged) has the shape \(tensor.shape), expected [vectors, width]")
      }
    }
    let counts = Set(tensors.map { $0.shape.count == 1 ? 1 : $0.shape[0] })
    guard let count = counts.first, counts.count == 1 else {
      throw fault("it has \(counts.sorted().map(String.init).joined(separator: " and ")) vectors for two text encoders")
    }
    guard count <= Self.vectorLimit else {
      throw fault("it has \(count) vectors, but a chunk of a prompt has room for \(Self.vectorLimit) tokens")
    }
    self.path = path
    self.tensors = tensors
    vectorCount = count
    widths = tensors.map { $0.shape[$0.shape.count - 1] }
  }

  /// The vectors for each text encoder.
  ///
  /// Throws `TensorFileError.notFinite` for a number that is NaN or infinite, and `.changed` if the file was written to after
  /// it was opened.
  public func vectors() throws(TensorFileError) -> [[Float]] {
    var vectors: [[Float]] = []
    for tensor in tensors {
      try tensor.file.requireUnchanged()
      vectors.append(try tensor.floats())
      try tensor.file.requireUnchanged()
    }
    return vectors
  }
}
