import Settings
import Tokenization
import Weights

/// All families of models that this version runs.
enum ModelFamilies {
  /// A file is opened by the first family that recognises it. The last family recognises any file, and reports why it cannot be
  /// used.
  static let all: [any DiffusionModel.Type] = [
    TransformerModel<Flux2Family>.self, TransformerModel<ZImageFamily>.self, TransformerModel<SD3Family>.self,
    TransformerModel<Flux1Family>.self, StableDiffusionModel.self,
  ]

  /// Opens a checkpoint and the files that complete it; throws the errors of its family.
  static func open(path: String, parts: ModelParts, vocabularies: VocabularyLocator) throws -> any DiffusionModel {
    try type(ofModelAt: path).init(path: path, parts: parts, vocabularies: vocabularies)
  }

  /// The type that opens a file or folder.
  fileprivate static func type(ofModelAt path: String) -> any DiffusionModel.Type {
    let kind = TransformerFiles.kind(ofModelAt: path)
    return all.first { $0.recognises(path: path, transformer: kind) } ?? StableDiffusionModel.self
  }
}

extension FamilyID {
  /// How the model in a file or folder is sampled. It reads no weights. A file that cannot be used counts as
  /// `.stableDiffusion`, because its error is reported when it is opened.
  public init(ofModelAt path: String) { self = ModelFamilies.type(ofModelAt: path).family(ofModelAt: path) }
}
