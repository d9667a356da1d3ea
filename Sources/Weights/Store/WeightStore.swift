import Synchronization
import TensorFiles

/// The tensors of one network by their names in code. It records which tensors were taken.
public final class WeightStore: Sendable {
  /// The file or folder that the network came from, for messages.
  public let path: String
  private let keyMap: KeyMap
  /// The tensors by their names in the file.
  private let tensors: [String: StoredTensor]
  /// The names in code of the tensors that were taken.
  private let taken = Mutex<Set<String>>([])
  /// The digest of the files with the tensors, which names copies of packed weights; nil if there are no copies. The code that
  /// opens the network sets it before any layers are created.
  private let digest = Mutex<String?>(nil)
  /// The adapters' changes by names in code, see `WeightStore+Patches.swift`.
  let patches = Mutex<PatchBook>(PatchBook())

  /// Creates a network from the tensors whose names start with the key map's prefix.
  init(path: String, tensors: [String: StoredTensor], keyMap: KeyMap) {
    self.path = path
    self.keyMap = keyMap
    self.tensors = keyMap.prefix.isEmpty ? tensors : tensors.filter { $0.key.hasPrefix(keyMap.prefix) }
  }

  /// The digest of the files with the tensors; nil if none was set.
  public var contentDigest: String? { digest.withLock { $0 } }

  /// Sets the digest of the files with the tensors.
  public func setContentDigest(_ text: String) { digest.withLock { $0 = text } }

  /// The prefix of the network's names in its files.
  public var filePrefix: String { keyMap.prefix }

  /// The paths of the files with the tensors, in alphabetical order.
  public var filePaths: [String] { Set(tensors.values.map(\.path)).sorted() }

  /// The size of all tensors in the files, in bytes.
  public var fileBytes: Int { tensors.values.reduce(0) { $0 + $1.byteCount } }

  /// The scope of the whole network.
  public var root: WeightScope { WeightScope(store: self, path: "") }

  /// All tensors of the network by their names in the file.
  var byFileName: [String: StoredTensor] { tensors }

  /// All tensors of the network, including those that are not needed.
  package var all: [StoredTensor] { Array(tensors.values) }

  /// Throws `TensorFileError.changed` if a file of the network was written to after it was opened, because its weights may then
  /// not match its digest.
  public func requireUnchanged() throws(TensorFileError) {
    var files: [ObjectIdentifier: ByteFile] = [:]
    for tensor in tensors.values { files[ObjectIdentifier(tensor.file)] = tensor.file }
    for file in files.values { try file.requireUnchanged() }
  }

  /// The shape of the tensor called `name` in code; nil if the file does not have it.
  func shape(_ name: String) -> [Int]? {
    let (fileName, form) = keyMap.location(name)
    return tensors[fileName].flatMap { form.codeShape($0.shape) }
  }

  /// The tensor called `name` in code, as it is in the file; nil if the file does not have it.
  func stored(_ name: String) -> StoredTensor? { tensors[keyMap.fileName(name)] }

  /// Whether the file has any tensor whose name in code is below `path`.
  func hasTensors(under path: String) -> Bool {
    let prefix = keyMap.fileName(path) + "."
    return tensors.keys.contains { $0.hasPrefix(prefix) && !keyMap.isUnused($0) }
  }

  /// The tensor called `name` in code, which must have `shape`. It is recorded as taken.
  func take(_ name: String, shape: [Int]) throws(WeightError) -> StoredTensor {
    let tensor = try peek(name, shape: shape)
    taken.withLock { _ = $0.insert(name) }
    return tensor
  }

  /// The tensor called `name` in code, which must have `shape`. It is not recorded as taken.
  package func peek(_ name: String, shape: [Int]) throws(WeightError) -> StoredTensor {
    let (fileName, form) = keyMap.location(name)
    let fileShape = form.fileShape(shape)
    guard let tensor = tensors[fileName] else { throw .missing(path: path, name: fileName, shape: fileShape) }
    guard Self.haveSameNumbers(tensor.shape, fileShape) else {
      throw .misshapen(path: path, name: fileName, found: tensor.shape, expected: fileShape)
    }
    guard tensor.elementType.isReadable else {
      throw .file(.elementType(path: path, name: fileName, found: tensor.elementType.rawValue))
    }
    switch form {
    case .whole: return tensor.reshaped(shape)
    case .part(let index, let count): return tensor.part(index, of: count, shape: shape)
    case .rows(let range, _) where range.count == shape.first: return tensor.rows(range, shape: shape)
    case .rows: throw .misshapen(path: path, name: fileName, found: tensor.shape, expected: fileShape)
    case .transposed: return tensor.transposed()
    }
  }

  /// Compares the tensors with those that the network needs. It reads no weights.
  public func audit(expecting expected: [ExpectedTensor]) -> WeightAudit {
    var findings: [WeightAudit.Finding] = []
    var known = Set<String>()
    for tensor in expected {
      let (fileName, form) = keyMap.location(tensor.name)
      guard known.insert(fileName).inserted else { continue }
      if let finding = Self.finding(tensors[fileName], fileName: fileName, shape: form.fileShape(tensor.shape)) {
        findings.append(finding)
      }
    }
    for (fileName, tensor) in tensors where !known.contains(fileName) && !keyMap.isUnused(fileName) {
      findings.append(.unread(name: fileName, shape: tensor.shape))
    }
    return WeightAudit(path: path, findings: findings)
  }

  /// The expected tensors that have not been taken; empty once the network is loaded.
  public func untaken(of expected: [ExpectedTensor]) -> [ExpectedTensor] {
    let taken = taken.withLock { $0 }
    return expected.filter { !taken.contains($0.name) }
  }

  private static func finding(_ tensor: StoredTensor?, fileName: String, shape: [Int]) -> WeightAudit.Finding? {
    guard let tensor else { return .missing(name: fileName, shape: shape) }
    guard haveSameNumbers(tensor.shape, shape) else {
      return .misshapen(name: fileName, found: tensor.shape, expected: shape)
    }
    return tensor.elementType.isReadable ? nil : .elementType(name: fileName, found: tensor.elementType.rawValue)
  }

  /// Whether the two shapes contain the same numbers in the same order.
  ///
  /// Layouts and versions differ in whether a matrix is a 1×1 convolution, and some GGUF writers drop dimensions of 1 from a
  /// convolution's four dimensions.
  private static func haveSameNumbers(_ found: [Int], _ expected: [Int]) -> Bool {
    found == expected || found == expected + [1, 1] || (expected.count == 4 && found == expected.filter { $0 != 1 })
  }
}
