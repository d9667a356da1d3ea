import Tokenization

/// All families of models that this version runs.
enum ModelFamilies {
  /// The first family that recognises a file opens it. The last one recognises any file, and reports why it cannot be used.
  static let all: [any DiffusionModel.Type] = [StableDiffusionModel.self]

  /// Opens a checkpoint, with the text encoders of another one if that is named; throws what its family throws.
  static func open(
    path: String, textEncoder: String?, vocabularies: VocabularyLocator
  ) throws -> any DiffusionModel {
    let family = all.first { $0.recognises(path: path) } ?? StableDiffusionModel.self
    return try family.init(path: path, textEncoder: textEncoder, vocabularies: vocabularies)
  }
}
