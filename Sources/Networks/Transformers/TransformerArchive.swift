import TensorFiles
import Tensors
import Weights

/// The files of a model with a transformer instead of a UNet: the transformer, its sizes, and where the other parts are.
///
/// Opening maps the files and reads headers and configurations. Weights are read when layers need them.
public struct TransformerArchive: Sendable {
  /// The file or folder.
  public let path: String
  /// How the tensors are named and distributed over files.
  public let layout: ModelLayout
  /// The transformer's sizes.
  package let configuration: any TransformerConfiguration
  /// The scope of all weights of the transformer.
  public let weights: WeightScope
  /// Whether the model comes with a VAE, which `ModelArchive.openVAE(path:)` opens.
  public let hasVAE: Bool
  /// The position of the model's own text encoders: a folder for each in a diffusers folder, a prefix of names in a single
  /// file.
  public let textEncoders: [String]
  /// The folders with the model's own vocabularies.
  public let tokenizerFolders: [String]
  /// Whether the model is distilled to a few steps without guidance; nil if the files do not state it.
  public let isDistilled: Bool?
  private let files: [String]
  private let unread: WeightAudit
  private let file: TensorFile?
  private let kind: TransformerKind

  /// Whether a file or folder has a transformer of a kind that this version runs. It reads only headers.
  public static func recognises(path: String) -> Bool { TransformerFiles.kind(ofModelAt: path) != nil }

  /// Opens a single file or a diffusers folder.
  ///
  /// - Parameter path: The file or folder.
  /// - Returns: The archive. Use `audit()` to find missing tensors.
  /// - Throws: `WeightError`: `.file` for files that cannot be read, `.unsupported` for other models, and `.configuration` for
  ///   settings that are not supported.
  public static func open(path: String) throws(WeightError) -> TransformerArchive {
    try TransformerArchive(try TransformerFiles.open(path: path))
  }

  private init(_ model: TransformerFiles) throws(WeightError) {
    path = model.path
    layout = model.layout
    kind = model.kind
    guard let type = TransformerConfigurations.all.first(where: { $0.kind == model.kind }) else {
      throw .unsupported(
        path: model.path, found: "a \(model.kind.title) model", advice: "use a newer version of sdbatch")
    }
    configuration = try type.init(model.transformer)
    weights = model.transformer.store.root
    hasVAE = model.hasVAE
    textEncoders = model.textEncoders
    tokenizerFolders = model.tokenizerFolders
    isDistilled = model.isDistilled
    files = model.files
    file = model.file
    unread = WeightAudit(path: model.path, findings: model.unread)
  }

  /// The name of the kind of transformer for messages.
  public var title: String { kind.title }

  /// The same, with what the files say about the training.
  public var familyTitle: String { isDistilled == false ? "\(title) base" : title }

  /// The size of the transformer's weights in memory, in bytes: an estimate, slightly too high.
  ///
  /// - Parameters:
  ///   - precision: The precision of the network.
  ///   - storage: How linear layers store their weights.
  ///   - adapted: The tensors that adapters change, whose layers are always packed.
  /// - Returns: The size in bytes.
  public func weightBytes(_ precision: Precision, _ storage: WeightStorage, adapted: Set<String> = []) -> Int {
    let kind = type(of: configuration)
    var groups: [[ExpectedTensor]] = [[], [], [], []]
    for tensor in configuration.expectedTensors where !kind.staysInFile(tensor.name) {
      groups[(kind.isQuantized(tensor.name) ? 0 : 1) + (adapted.contains(tensor.name) ? 2 : 0)].append(tensor)
    }
    let unquantized = Precision(precision.elementType)
    let forms = [(precision, storage), (unquantized, storage), (precision, .packed), (unquantized, .packed)]
    return zip(groups, forms).reduce(0) { sum, group in
      sum + weights.store.weightBytes(of: group.0, group.1.0, group.1.1)
    }
  }

  /// The sizes by name, for reports.
  public var sizes: [(name: String, values: [Int])] { configuration.sizes }

  /// Finds all missing, misshapen and unread tensors of the transformer, reading only headers.
  public func audit() -> WeightAudit {
    unread.merged(with: weights.store.audit(expecting: configuration.expectedTensors))
  }

  /// The tensors in the file under a prefix, such as those of a text encoder, by their names after the prefix.
  public func tensors(under prefix: String) -> [String: StoredTensor] {
    guard let file else { return [:] }
    return Dictionary(
      file.tensors.filter { $0.key.hasPrefix(prefix) }.map { (String($0.key.dropFirst(prefix.count)), $0.value) },
      uniquingKeysWith: { a, _ in a })
  }

  /// A text in the file's metadata; nil for folders.
  public func metadata(_ key: String) -> String? { file?.metadata[key] }

  /// Throws `TensorFileError.changed` if a file was written to after the model was opened.
  public func requireUnchanged() throws(TensorFileError) { try weights.store.requireUnchanged() }

  /// The SHA-256 of the file, or of the files in the folder that are used.
  ///
  /// - Parameters:
  ///   - cache: Digests of earlier runs.
  ///   - others: The files of the folder's other parts that are used, relative to the folder.
  /// - Returns: The digest.
  /// - Throws: `TensorFileError` if a file cannot be read.
  public func sha256(_ cache: DigestCache, with others: [String] = []) throws(TensorFileError) -> String {
    files.isEmpty ? try cache.sha256(ofFileAt: path) : try cache.sha256(ofFiles: files + others, in: path)
  }
}
