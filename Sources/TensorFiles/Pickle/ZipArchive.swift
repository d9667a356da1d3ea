import Text

/// The table of contents of a zip archive with uncompressed entries, as `torch.save` writes it.
///
/// Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3 (Zip64).
struct ZipArchive {
  /// The names of all entries, in the order of the directory.
  private(set) var names: [String] = []
  /// The central directory.
  private let directory: [UInt8]
  /// The offset in the directory at which each entry is described.
  private var offsets: [Int] = []

  /// The limit of entries, more than any model has; each takes memory.
  private static let entryLimit = 200_000
  /// The limit of the directory's size, more than any model has.
  private static let directoryLimit = 64 << 20

  /// Reads the central directory.
  ///
  /// Throws `PickleError`.
  init(_ file: ByteFile) throws(PickleError) {
    let (start, size, count) = try Self.directory(file)
    guard count <= Self.entryLimit, size <= Self.directoryLimit else {
      throw .refused("its archive has \(count) entries in \(size) bytes, far more than a model's")
    }
    directory = try PickleError.wrapping(try file.bytes(start..<start + size))
    var at = 0
    for _ in 0..<count {
      guard at + 46 <= size, Self.number(directory, at, UInt32.self) == 0x0201_4B50 else {
        throw .damaged("its archive's directory ends before its \(count) entries")
      }
      let lengths = [28, 30, 32].map { Self.number(directory, at + $0, UInt16.self) }
      let end = at + 46 + lengths.reduce(0, +)
      guard end <= size else { throw .damaged("its archive's directory ends inside an entry") }
      names.append(String(decoding: directory[at + 46..<at + 46 + lengths[0]], as: UTF8.self))
      offsets.append(at)
      at = end
    }
  }

  /// The bytes of each entry in the file. Checks that every entry is inside the file and uncompressed, and that none overlap.
  func entries(_ file: ByteFile) throws(PickleError) -> [String: Range<Int>] {
    var entries: [String: Range<Int>] = [:]
    // Each range is from the entry's own header to its last byte.
    var occupied: [(name: String, range: Range<Int>)] = []
    for (name, at) in zip(names, offsets) {
      let range = try range(file, entry: at, name: name)
      occupied.append((name, range.header..<range.bytes.upperBound))
      guard entries.updateValue(range.bytes, forKey: name) == nil else {
        throw .damaged("its archive has the entry '\(name.abridged)' twice")
      }
    }
    var covered = 0
    for (name, range) in occupied.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
      guard range.lowerBound >= covered else {
        throw .damaged("the entry '\(name.abridged)' of its archive overlaps another")
      }
      covered = range.upperBound
    }
    return entries
  }

  // MARK: Other archives

  /// Whether it is a TorchScript program, which has a `data.pkl` too.
  var isProgram: Bool { names.contains { $0.hasSuffix("/constants.pkl") || $0.contains("/code/") } }

  /// The kind of the archive if `torch.save` did not write it.
  var unsupported: PickleError {
    if isProgram {
      return .unsupported(
        found: "a TorchScript program", advice: "get the weights that it was made from, as .safetensors")
    }
    if names.contains(where: { $0.hasSuffix(".npy") }) {
      return .unsupported(found: "an archive of NumPy arrays (.npz)", advice: "convert it to .safetensors")
    }
    if names.contains(where: { $0.hasSuffix(".weights.h5") }) {
      return .unsupported(found: "a Keras model", advice: "convert it to .safetensors")
    }
    let example = names.first.map { ", with \($0.abridged) inside" } ?? " without entries"
    return .unsupported(
      found: "a packed file (zip archive\(example)), and not what torch.save writes",
      advice: "unpack it and use the model inside")
  }

  // MARK: The directory

  /// Finds the central directory by the record at the end of the archive.
  private static func directory(_ file: ByteFile) throws(PickleError) -> (start: Int, size: Int, count: Int) {
    // After the record there is a comment of at most 65535 bytes, and before it the locator of another record.
    let base = max(0, file.count - 22 - 65535 - 20)
    let tail = try PickleError.wrapping(try file.bytes(base..<file.count))
    var at = tail.count - 22
    while at >= 0, number(tail, at, UInt32.self) != 0x0605_4B50 { at -= 1 }
    guard at >= 0 else { throw .damaged("its archive has no directory at its end, so it is cut off") }
    var count = number(tail, at + 10, UInt16.self)
    var size = number(tail, at + 12, UInt32.self)
    var start = number(tail, at + 16, UInt32.self)
    var end = base + at
    if count == 0xFFFF || size == 0xFFFF_FFFF || start == 0xFFFF_FFFF {
      guard at >= 20, number(tail, at - 20, UInt32.self) == 0x0706_4B50 else {
        throw .damaged("its archive lacks the record that says where its directory is")
      }
      let position = number(tail, at - 12, UInt64.self)
      guard position >= 0, position <= end - 20 - 56 else {
        throw .damaged("the zip64 directory record is not at the stated offset")
      }
      let record = try PickleError.wrapping(try file.bytes(position..<position + 56))
      guard number(record, 0, UInt32.self) == 0x0606_4B50 else {
        throw .damaged("the zip64 directory record is not at the stated offset")
      }
      count = number(record, 32, UInt64.self)
      size = number(record, 40, UInt64.self)
      start = number(record, 48, UInt64.self)
      end = position
    }
    guard count >= 0, size >= 0, start >= 0, start <= end, size <= end - start else {
      throw .damaged("the zip directory is not at the stated offset: \(size) bytes from \(start) of \(file.count)")
    }
    return (start, size, count)
  }

  /// The range of an entry's bytes; its own header and the directory must agree.
  private func range(
    _ file: ByteFile, entry: Int, name: String
  ) throws(PickleError) -> (header: Int, bytes: Range<Int>) {
    let bytes = directory
    func number<Number: FixedWidthInteger & UnsignedInteger>(_ offset: Int, _ type: Number.Type) -> Int {
      Self.number(bytes, entry + offset, type)
    }
    let nameCount = number(28, UInt16.self)
    let extra = entry + 46 + nameCount..<entry + 46 + nameCount + number(30, UInt16.self)
    func damaged(_ reason: String) -> PickleError { .damaged("the entry '\(name.abridged)' of its archive \(reason)") }
    guard number(8, UInt16.self) & 1 == 0 else { throw damaged("is encrypted") }
    let method = number(10, UInt16.self)
    guard method == 0 else {
      throw .refused(
        "the entry '\(name.abridged)' of its archive is compressed (method \(method)), torch.save stores entries uncompressed"
      )
    }
    var compressed = number(20, UInt32.self)
    var size = number(24, UInt32.self)
    var header = number(42, UInt32.self)
    // Zip64: the fields that do not fit into 32 bits follow in this order.
    var wide = Self.zip64Fields(bytes, extra)
    for field in [\Fields.size, \.compressed, \.header] {
      var fields = Fields(size: size, compressed: compressed, header: header)
      guard fields[keyPath: field] == 0xFFFF_FFFF else { continue }
      guard !wide.isEmpty else { throw damaged("lacks a size or offset beyond 4 GiB") }
      fields[keyPath: field] = wide.removeFirst()
      (size, compressed, header) = (fields.size, fields.compressed, fields.header)
    }
    guard size == compressed else { throw damaged("has \(compressed) bytes, but its uncompressed size is \(size)") }
    guard header >= 0, header <= file.count - 30 else { throw damaged("is not where the directory says") }
    let own = try PickleError.wrapping(try file.bytes(header..<min(header + 30 + nameCount, file.count)))
    guard Self.number(own, 0, UInt32.self) == 0x0403_4B50 else { throw damaged("is not where the directory says") }
    let start = header + 30 + Self.number(own, 26, UInt16.self) + Self.number(own, 28, UInt16.self)
    guard size >= 0, start <= file.count, size <= file.count - start else {
      throw damaged("ends beyond the file: \(size) bytes from \(start) of \(file.count)")
    }
    guard Self.number(own, 26, UInt16.self) == nameCount,
      own.dropFirst(30).elementsEqual(bytes[entry + 46..<entry + 46 + nameCount])
    else { throw damaged("has another name in its own header") }
    return (header, start..<start + size)
  }

  private struct Fields {
    var size: Int
    var compressed: Int
    var header: Int
  }

  /// The 64-bit numbers in an entry's extra field of type 1.
  private static func zip64Fields(_ bytes: [UInt8], _ extra: Range<Int>) -> [Int] {
    var at = extra.lowerBound
    while at + 4 <= extra.upperBound {
      let type = number(bytes, at, UInt16.self)
      let end = at + 4 + number(bytes, at + 2, UInt16.self)
      guard end <= extra.upperBound else { return [] }
      if type == 1 { return stride(from: at + 4, through: end - 8, by: 8).map { number(bytes, $0, UInt64.self) } }
      at = end
    }
    return []
  }

  /// A little-endian number. The result is negative if it needs more than 63 bits or is outside of the bytes.
  private static func number<Number: FixedWidthInteger & UnsignedInteger>(
    _ bytes: [UInt8], _ offset: Int, _: Number.Type
  ) -> Int {
    guard offset >= 0, offset <= bytes.count - MemoryLayout<Number>.size else { return -1 }
    let number = bytes[offset..<offset + MemoryLayout<Number>.size].reversed().reduce(0 as UInt64) {
      $0 << 8 | UInt64($1)
    }
    return Int(truncatingIfNeeded: number)
  }
}
