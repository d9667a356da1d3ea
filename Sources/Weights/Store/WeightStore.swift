import Synchronization

/// The tensors of one network, by the names that the code uses, and a record of which were taken.
public final class WeightStore: Sendable {
  /// The file or folder that the network came from, for messages.
  public let path: String
  private let keyMap: KeyMap
  /// By the file's names.
  private let tensors: [String: WeightTensor]
  /// By the code's names.
  private let taken = Mutex<Set<String>>([])
  /// What adapters change, by code's names; see `WeightStore+Patches.swift`.
  let patches = Mutex<PatchBook>(PatchBook())

  /// A network whose tensors are those of `tensors` that the key map's prefix selects.
  init(path: String, tensors: [String: WeightTensor], keyMap: KeyMap) {
    self.path = path
    self.keyMap = keyMap
    self.tensors = keyMap.prefix.isEmpty ? tensors : tensors.filter { $0.key.hasPrefix(keyMap.prefix) }
  }

  /// The scope in which names count from the network's root.
  public var root: WeightScope { WeightScope(store: self, path: "") }

  /// All tensors of the network's files, by the names there.
  var byFileName: [String: WeightTensor] { tensors }

  /// All tensors of the network's files, also those of no use here.
  package var all: [WeightTensor] { Array(tensors.values) }

  /// Throws `WeightError.changed` if a file of the network was written to since it was opened: its weights are then not
  /// those of the digest.
  public func requireUnchanged() throws(WeightError) {
    var files: [ObjectIdentifier: MappedFile] = [:]
    for tensor in tensors.values { files[ObjectIdentifier(tensor.file)] = tensor.file }
    for file in files.values { try file.requireUnchanged() }
  }

  /// The shape of the tensor called `name` in code, if the file has it.
  func shape(_ name: String) -> [Int]? {
    let (fileName, form) = keyMap.place(name)
    return tensors[fileName].flatMap { form.codeShape($0.shape) }
  }

  /// The tensor called `name` in code, noted as taken; it must have `shape`.
  func take(_ name: String, shape: [Int]) throws(WeightError) -> WeightTensor {
    let (fileName, form) = keyMap.place(name)
    let fileShape = form.fileShape(shape)
    guard let tensor = tensors[fileName] else { throw .missing(path: path, name: fileName, shape: fileShape) }
    guard Self.haveSameNumbers(tensor.shape, fileShape) else {
      throw .misshapen(path: path, name: fileName, found: tensor.shape, expected: fileShape)
    }
    guard tensor.elementType.isReadable else {
      throw .elementType(path: path, name: fileName, found: tensor.elementType.rawValue)
    }
    taken.withLock { _ = $0.insert(name) }
    return switch form {
    case .whole: tensor.reshaped(shape)
    case .part(let index, let count): tensor.part(index, of: count, shape: shape)
    case .transposed: tensor.transposed()
    }
  }

  /// Compares the file with what the network needs, from its header alone: no weight is read.
  public func audit(expecting expected: [ExpectedTensor]) -> WeightAudit {
    var findings: [WeightAudit.Finding] = []
    var known = Set<String>()
    for tensor in expected {
      let (fileName, form) = keyMap.place(tensor.name)
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

  /// What the file has, the network is expected to need, and nobody has taken; empty once it is loaded.
  public func untaken(of expected: [ExpectedTensor]) -> [ExpectedTensor] {
    let taken = taken.withLock { $0 }
    return expected.filter { !taken.contains($0.name) }
  }

  private static func finding(_ tensor: WeightTensor?, fileName: String, shape: [Int]) -> WeightAudit.Finding? {
    guard let tensor else { return .missing(name: fileName, shape: shape) }
    guard haveSameNumbers(tensor.shape, shape) else {
      return .misshapen(name: fileName, found: tensor.shape, expected: shape)
    }
    return tensor.elementType.isReadable ? nil : .elementType(name: fileName, found: tensor.elementType.rawValue)
  }

  /// Whether a file's tensor has the numbers that are expected, in the same order.
  ///
  /// Layouts and versions differ in whether a matrix is a 1×1 convolution, and some writers of GGUF leave dimensions of 1
  /// out of a convolution's four.
  private static func haveSameNumbers(_ found: [Int], _ expected: [Int]) -> Bool {
    found == expected || found == expected + [1, 1] || (expected.count == 4 && found == expected.filter { $0 != 1 })
  }
}
