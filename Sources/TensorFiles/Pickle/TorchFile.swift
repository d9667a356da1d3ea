import Text

/// A file written by `torch.save`: a pickle that names tensors, and storages with their numbers.
///
/// Two containers are supported: the zip archive of PyTorch 1.6 and later, and the earlier sequence of pickles and raw
/// storages. Opening the file reads its pickles, but not the numbers.
struct TorchFile {
  /// The tensors by dotted names: those of the state dictionary if there is one, otherwise all.
  private(set) var tensors: [String: StoredTensor] = [:]
  /// The texts and numbers besides the tensors.
  private(set) var metadata: [String: String] = [:]
  /// Whether it is a zip archive.
  let isArchive: Bool

  /// 0x1950A86A20F9469CFC6C, with which legacy files start.
  private static let magic: [UInt8] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
  private static let legacyProtocol = 1001

  /// The numbers of a storage in the file.
  private struct StorageBytes {
    var elementType: StoredElementType?
    var range: Range<Int>
  }

  /// Whether a file that starts like this was written by `torch.save`.
  static func isLikely(_ bytes: [UInt8]) -> Bool {
    bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) || (bytes.count > 2 && bytes[0] == 0x80 && (2...5).contains(bytes[1]))
  }

  /// Reads the pickles of a file. Checks that every tensor is inside its storage, and every storage inside the file.
  ///
  /// Throws `TensorFileError.damaged`, `.refused` or `.unsupported`.
  init(_ file: ByteFile) throws(TensorFileError) {
    isArchive = try file.prefix(4).starts(with: [0x50, 0x4B])
    do throws(PickleError) {
      if isArchive {
        try readArchive(file)
      } else {
        try readLegacy(file)
      }
    } catch {
      throw error.at(file.path)
    }
  }

  // MARK: Containers

  private mutating func readArchive(_ file: ByteFile) throws(PickleError) {
    let archive = try ZipArchive(file)
    let pickles = archive.names.filter { $0 == "data.pkl" || $0.hasSuffix("/data.pkl") }
    if pickles.isEmpty || archive.isProgram { throw archive.unsupported }
    let entries = try archive.entries(file)
    guard let name = pickles.first, pickles.count == 1, let range = entries[name] else {
      throw .damaged(
        "it is a zip archive with \(pickles.count) entries data.pkl, expected one, as torch.save writes it (a packed model"
          + " must be unpacked first)")
    }
    let root = name.dropLast("data.pkl".count)
    if let order = entries["\(root)byteorder"] {
      let order = try PickleError.wrapping(
        try file.bytes(order.lowerBound..<min(order.upperBound, order.lowerBound + 8)))
      guard order.elementsEqual("little".utf8) else {
        throw .damaged("it was written on a big-endian machine, which is not supported")
      }
    }
    let pickle = try Self.pickle(range, of: file)
    try collect(pickle, file) { storage throws(PickleError) in
      guard let entry = entries["\(root)data/\(storage.key)"] else {
        throw .damaged("its archive lacks the storage '\(storage.key.abridged)'")
      }
      return StorageBytes(elementType: storage.elementType, range: entry)
    }
  }

  private mutating func readLegacy(_ file: ByteFile) throws(PickleError) {
    var at = 0
    func next() throws(PickleError) -> Pickle {
      let pickle = try Self.pickle(at..<file.count, of: file)
      at += pickle.byteCount
      return pickle
    }
    guard case .long(let magic) = try next().root, magic.starts(with: Self.magic) else {
      throw .damaged("its first pickle is not the magic number that torch.save writes")
    }
    guard case .integer(Self.legacyProtocol) = try next().root else {
      throw .damaged("it does not have the version \(Self.legacyProtocol) of the format before PyTorch 1.6")
    }
    let system = try next()
    if case .dictionary(let index) = system.root {
      for case (.string("little_endian"), .bool(false)) in system.dictionaries[index] {
        throw .damaged("it was written on a big-endian machine, which is not supported")
      }
    }
    let pickle = try next()
    let keys = try next()
    guard case .sequence(let index) = keys.root else { throw .damaged("it lacks the list of its storages") }

    // The storages follow in the order of the list. Each comes after its number of elements.
    var types: [String: StoredElementType?] = [:]
    for storage in pickle.storages { types[storage.key] = storage.elementType }
    var storages: [String: StorageBytes] = [:]
    for value in keys.sequences[index] {
      guard case .string(let key) = value, let type = types[key] else {
        throw .damaged("it has a storage that no tensor uses")
      }
      guard at <= file.count - 8 else { throw .damaged("it ends before its storage '\(key.abridged)'") }
      let number = try PickleError.wrapping(try file.bytes(at..<at + 8))
      let count = Int(truncatingIfNeeded: number.reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) })
      at += 8
      let (size, overflow) = count.multipliedReportingOverflow(by: type?.block.bytes ?? 1)
      guard count >= 0, !overflow, size <= file.count - at else {
        throw .damaged("its storage '\(key.abridged)' (\(count) elements) extends past the end of the file")
      }
      guard storages.updateValue(StorageBytes(elementType: type, range: at..<at + size), forKey: key) == nil else {
        throw .damaged("it has the storage '\(key.abridged)' twice")
      }
      at += size
    }
    try collect(pickle, file) { storage throws(PickleError) in
      guard let found = storages[storage.key] else { throw .damaged("it lacks the storage '\(storage.key.abridged)'") }
      return found
    }
  }

  /// Reads the pickle at the start of a range of the file.
  private static func pickle(_ range: Range<Int>, of file: ByteFile) throws(PickleError) -> Pickle {
    func read(_ count: Int) throws(PickleError) -> Pickle {
      let bytes = try PickleError.wrapping(try file.bytes(range.lowerBound..<range.lowerBound + count))
      return try bytes.withUnsafeBufferPointer { bytes throws(PickleError) in
        try PickleReader.read(UnsafeRawBufferPointer(bytes), base: range.lowerBound)
      }
    }
    // Most pickles are much shorter than the range. One byte more than the limit is enough to notice a pickle that is too long.
    let most = min(range.count, PickleReader.byteLimit + 1)
    let few = min(range.count, 1 << 20)
    guard few < most else { return try read(most) }
    do { return try read(few) } catch { return try read(most) }
  }

  // MARK: Tensors

  private mutating func collect(
    _ pickle: Pickle, _ file: ByteFile, bytes: (Pickle.Storage) throws(PickleError) -> StorageBytes
  ) throws(PickleError) {
    let names = try PickleNames(pickle)
    metadata = names.metadata
    for (name, tensor) in names.tensors {
      let storage = pickle.storages[tensor.storage]
      tensors[name] = try Self.stored(name, tensor, of: storage, in: try bytes(storage), file)
    }
  }

  private static func stored(
    _ name: String, _ tensor: Pickle.Tensor, of storage: Pickle.Storage, in bytes: StorageBytes, _ file: ByteFile
  ) throws(PickleError) -> StoredTensor {
    func damaged(_ reason: String) -> PickleError { .damaged("the tensor '\(name.abridged)' \(reason)") }
    guard let type = tensor.elementType ?? storage.elementType ?? bytes.elementType else {
      throw damaged("has elements of unknown type")
    }
    let size = type.block.bytes
    let storedCount = bytes.range.count / size
    let storageSize = storage.elementType?.block.bytes ?? 1
    let (claimed, tooLarge) = storage.count.multipliedReportingOverflow(by: storageSize)
    let (viewStart, tooFar) = storage.viewOffset.multipliedReportingOverflow(by: storageSize)
    guard !tooLarge, !tooFar, viewStart <= bytes.range.count, claimed <= bytes.range.count - viewStart,
      viewStart.isMultiple(of: size)
    else { throw damaged("uses the storage '\(storage.key.abridged)', which has only \(bytes.range.count) bytes") }

    guard tensor.shape.count == tensor.strides.count, tensor.shape.allSatisfy({ $0 >= 0 }),
      tensor.strides.allSatisfy({ $0 >= 0 }), tensor.offset >= 0
    else { throw damaged("has the shape \(tensor.shape) and the strides \(tensor.strides) from \(tensor.offset)") }
    // Multiply in the order of the shape, so that a later zero cannot hide an overflow.
    var count = 1
    var last = tensor.offset
    var hasOverflow = false
    for (factor, stride) in zip(tensor.shape, tensor.strides) {
      let (product, overflow) = count.multipliedReportingOverflow(by: factor)
      let (steps, overflow2) = max(factor - 1, 0).multipliedReportingOverflow(by: stride)
      let (sum, overflow3) = last.addingReportingOverflow(steps)
      (count, last) = (product, sum)
      hasOverflow = hasOverflow || overflow || overflow2 || overflow3
    }
    guard !hasOverflow, count == 0 || last < claimed / size else {
      throw damaged(
        "of the shape \(tensor.shape) reaches beyond its storage '\(storage.key.abridged)' of \(claimed / size) elements"
      )
    }
    // A stride of 0 repeats numbers, so the tensor could need far more memory than the file has.
    guard count <= max(storedCount, 1 << 16) else {
      throw damaged("of the shape \(tensor.shape) repeats the \(storedCount) elements of its storage")
    }
    let start = bytes.range.lowerBound + viewStart + (count == 0 ? 0 : tensor.offset * size)
    let strides = isContiguous(tensor.shape, tensor.strides) ? nil : tensor.strides
    let end = count == 0 ? start : bytes.range.lowerBound + viewStart + (last + 1) * size
    return StoredTensor(
      name: name, shape: tensor.shape, elementType: type, file: file, byteRange: start..<end,
      strides: count == 0 ? nil : strides)
  }

  private static func isContiguous(_ shape: [Int], _ strides: [Int]) -> Bool {
    var expected = 1
    for (size, stride) in zip(shape, strides).reversed() where size != 1 {
      if stride != expected { return false }
      expected *= size
    }
    return true
  }
}
