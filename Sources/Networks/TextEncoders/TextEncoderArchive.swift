import TensorFiles
import Tensors
import Weights

/// The opened files of a text encoder: its sizes, and where each weight is. Weights are read when texts are encoded.
public struct TextEncoderArchive: Sendable {
  /// The file or folder.
  public let path: String
  /// Which encoder it is.
  public var kind: TextEncoderKind { file.kind }
  /// The prefix of its tensors' names in the file.
  public var prefix: String { file.prefix }
  private let file: TextEncoderFile
  private let sizes: Sizes

  /// The sizes of each kind.
  private enum Sizes: Sendable {
    case qwen3(Qwen3Configuration)
    case t5(T5Configuration)
    case clip(CLIPShape)
  }

  /// The sizes that the tensors of a CLIP show even if it is unknown which family uses it.
  public struct CLIPShape: Hashable, Sendable {
    /// Width of the states.
    public var width: Int
    /// Width of the pooled encoding; nil if there is no projection.
    public var projectionWidth: Int?
  }

  /// Opens all text encoders in a file, or the one in a folder with a `config.json`.
  ///
  /// - Parameter path: A file in any container, with only the encoder or with a whole model, or a folder.
  /// - Returns: The encoders, sorted by the prefixes of their names; may be empty.
  /// - Throws: `WeightError` if the files cannot be read, or contain an unsupported encoder.
  public static func open(path: String) throws(WeightError) -> [TextEncoderArchive] {
    try TextEncoderFile.open(path: path).map { file throws(WeightError) in try TextEncoderArchive(file) }
  }

  /// The encoders of an open file.
  ///
  /// Throws `WeightError` if one of them is not supported.
  public static func found(in file: TensorFile) throws(WeightError) -> [TextEncoderArchive] {
    try TextEncoderFile.found(in: file).map { file throws(WeightError) in try TextEncoderArchive(file) }
  }

  /// Whether names of tensors show an encoder of this kind.
  public static func marks(_ kind: TextEncoderKind, _ names: some Collection<String>) -> Bool {
    TextEncoderFile.marks(kind, names)
  }

  private init(_ file: TextEncoderFile) throws(WeightError) {
    self.file = file
    path = file.path
    switch file.kind {
    case .qwen3: sizes = .qwen3(try Qwen3Configuration(file.network))
    case .t5: sizes = .t5(try T5Configuration(file.network))
    case .clip:
      let root = file.network.store.root
      let table = root.shape(of: "embeddings.token_embedding.weight") ?? []
      guard table.count == 2 else {
        throw .missing(path: path, name: "\(file.prefix)embeddings.token_embedding.weight", shape: [49408, 768])
      }
      sizes = .clip(CLIPShape(width: table[1], projectionWidth: root.shape(of: "text_projection.weight")?.first))
    }
  }

  /// Width of the states.
  public var width: Int {
    switch sizes {
    case .qwen3(let configuration): configuration.width
    case .t5(let configuration): configuration.width
    case .clip(let shape): shape.width
    }
  }

  /// The number of layers in the files; 0 for a CLIP.
  public var layerCount: Int {
    switch sizes {
    case .qwen3(let configuration): configuration.layerCount
    case .t5(let configuration): configuration.layerCount
    case .clip: 0
    }
  }

  /// The rows of the token table.
  public var vocabularySize: Int {
    switch sizes {
    case .qwen3(let configuration): configuration.vocabularySize
    case .t5(let configuration): configuration.vocabularySize
    case .clip: file.network.store.root.shape(of: "embeddings.token_embedding.weight")?.first ?? 0
    }
  }

  /// The sizes of a CLIP; nil for other encoders.
  public var clip: CLIPShape? {
    guard case .clip(let shape) = sizes else { return nil }
    return shape
  }

  /// The memory in bytes for encoding, weights and activations together: an estimate, slightly too high.
  ///
  /// - Parameters:
  ///   - tokens: The number of tokens of all texts together.
  ///   - elementType: The element type of layers.
  /// - Returns: The size in bytes.
  public func memoryBytes(tokens: Int, _ elementType: ElementType) -> Int {
    let (layer, row): (Int, Int) =
      switch sizes {
      case .qwen3(let c):
        (
          c.width * (2 * c.headCount * c.headWidth + 2 * c.keyHeadCount * c.headWidth + 3 * c.mlpWidth),
          8 * c.width * 4 + (4 * c.headCount * c.headWidth + 4 * c.mlpWidth) * elementType.size
        )
      case .t5(let c):
        (
          c.width * (4 * c.headCount * c.headWidth + 3 * c.mlpWidth),
          6 * c.width * 4 + (5 * c.headCount * c.headWidth + 4 * c.mlpWidth) * elementType.size
        )
      case .clip(let shape): (shape.width * shape.width * 12, 16 * shape.width * 4)
      }
    return layer * elementType.size * 9 / 8 + tokens * row
  }

  /// Finds missing and misshapen tensors, reading only headers.
  ///
  /// - Parameter layers: The number of layers that are read; nil for all. A Qwen3 need not have more.
  /// - Returns: The findings. A CLIP is audited later, when its family is known.
  public func audit(layers: Int? = nil) -> WeightAudit {
    let store = file.network.store
    switch sizes {
    case .qwen3(let configuration):
      let audit = store.audit(expecting: configuration.tensors(layers: layers ?? configuration.layerCount))
      // Layers that are not read, the final norm and the head do not matter.
      let expected = Set(configuration.expectedTensors.map(\.name))
      return audit.keeping { finding in
        if case .unread(let name, _) = finding {
          return !isOptional(name) && !expected.contains(String(name.dropFirst(prefix.count))) && !isGGUF
        }
        return true
      }
    case .t5(let configuration): return store.audit(expecting: configuration.expectedTensors)
    case .clip: return store.audit(expecting: []).keeping { _ in false }
    }
  }

  /// Whether it is in a GGUF file, which may also contain the vocabulary.
  public var isGGUF: Bool { file.container == .gguf }

  private func isOptional(_ name: String) -> Bool {
    name == prefix + "norm.weight" || name.hasPrefix("lm_head.")
  }

  /// The Qwen3, whose layers are read when texts are encoded; nil for other encoders.
  public func qwen3(_ compute: Compute) -> Qwen3Encoder? {
    guard case .qwen3(let configuration) = sizes else { return nil }
    return Qwen3Encoder(file.network.store.root, configuration: configuration, compute: compute)
  }

  /// The T5, whose layers are read when texts are encoded; nil for other encoders.
  public func t5(_ compute: Compute) -> T5Encoder? {
    guard case .t5(let configuration) = sizes else { return nil }
    return T5Encoder(file.network.store.root, configuration: configuration, compute: compute)
  }

  /// The sizes and the weights of a CLIP; nil for other encoders.
  ///
  /// Throws `WeightError.configuration` if it is not supported.
  public func clip(
    _ role: ModelFamily.TextEncoder
  ) throws(WeightError) -> (configuration: CLIPConfiguration, weights: WeightScope)? {
    guard case .clip = sizes else { return nil }
    return (try CLIPConfiguration(file.network, role: role), file.network.store.root)
  }

  /// The store of the weights, for LoRAs.
  public var store: WeightStore { file.network.store }

  /// The SHA-256 of the file, or of the folder's files that are read.
  public func sha256(_ cache: DigestCache) throws(TensorFileError) -> String {
    file.files.isEmpty ? try cache.sha256(ofFileAt: path) : try cache.sha256(ofFiles: file.files, in: path)
  }

  /// Throws `TensorFileError.changed` if a file was written to after it was opened.
  public func requireUnchanged() throws(TensorFileError) { try file.requireUnchanged() }
}
