import Text

/// The table of contents of a zip archive with uncompressed entries, as `torch.save` writes it.
///
/// Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3 (Zip64).
struct ZipArchive {
  /// The bytes of each entry in the file.
  private(set) var entries: [String: Range<Int>] = [:]

  /// More entries than any model has; each takes memory.
  private static let entryLimit = 200_000

  /// Reads the central directory, and checks that every entry is inside the file and uncompressed, and that none overlap.
  ///
  /// Throws `PickleError`.
  init(_ bytes: UnsafeRawBufferPointer) throws(PickleError) {
    let directory = try Self.directory(bytes)
    guard directory.count <= Self.entryLimit else {
      throw .refused("its archive has \(directory.count) entries, far more than a model's")
    }
    // From each entry's own header to its last byte.
    var occupied: [(name: String, range: Range<Int>)] = []
    var at = directory.start
    for _ in 0..<directory.count {
      guard at + 46 <= directory.end, Self.number(bytes, at, UInt32.self) == 0x0201_4B50 else {
        throw .damaged("its archive's directory ends before its \(directory.count) entries")
      }
      let lengths = [28, 30, 32].map { Self.number(bytes, at + $0, UInt16.self) }
      let end = at + 46 + lengths.reduce(0, +)
      guard end <= directory.end else { throw .damaged("its archive's directory ends inside an entry") }
      let nameBytes = UnsafeRawBufferPointer(rebasing: bytes[at + 46..<at + 46 + lengths[0]])
      let name = String(decoding: nameBytes, as: UTF8.self)
      let extra = at + 46 + lengths[0]..<at + 46 + lengths[0] + lengths[1]
      let range = try Self.range(bytes, entry: at, extra: extra, name: name, nameBytes: nameBytes)
      occupied.append((name, range.header..<range.bytes.upperBound))
      guard entries.updateValue(range.bytes, forKey: name) == nil else {
        throw .damaged("its archive has the entry '\(name.abridged)' twice")
      }
      at = end
    }
    var covered = 0
    for (name, range) in occupied.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
      guard range.lowerBound >= covered else {
        throw .damaged("the entry '\(name.abridged)' of its archive overlaps another")
      }
      covered = range.upperBound
    }
  }

  /// Finds the central directory by the record at the archive's end.
  private static func directory(
    _ bytes: UnsafeRawBufferPointer
  ) throws(PickleError) -> (start: Int, end: Int, count: Int) {
    // The record is followed by a comment of at most 65535 bytes.
    let first = max(0, bytes.count - 22 - 65535)
    var at = bytes.count - 22
    while at >= first, number(bytes, at, UInt32.self) != 0x0605_4B50 { at -= 1 }
    guard at >= first, at >= 0 else { throw .damaged("its archive has no directory at its end, so it is cut off") }
    var count = number(bytes, at + 10, UInt16.self)
    var size = number(bytes, at + 12, UInt32.self)
    var start = number(bytes, at + 16, UInt32.self)
    var end = at
    if count == 0xFFFF || size == 0xFFFF_FFFF || start == 0xFFFF_FFFF {
      guard at >= 20, number(bytes, at - 20, UInt32.self) == 0x0706_4B50 else {
        throw .damaged("its archive lacks the record that says where its directory is")
      }
      let record = number(bytes, at - 12, UInt64.self)
      guard record >= 0, record <= at - 20 - 56, number(bytes, record, UInt32.self) == 0x0606_4B50 else {
        throw .damaged("the zip64 directory record is not at the stated offset")
      }
      count = number(bytes, record + 32, UInt64.self)
      size = number(bytes, record + 40, UInt64.self)
      start = number(bytes, record + 48, UInt64.self)
      end = record
    }
    guard count >= 0, size >= 0, start >= 0, start <= end, size <= end - start else {
      throw .damaged("the zip directory is not at the stated offset: \(size) bytes from \(start) of \(bytes.count)")
    }
    return (start, start + size, count)
  }

  /// The range of an entry's bytes; its own header and the directory must agree.
  private static func range(
    _ bytes: UnsafeRawBufferPointer, entry: Int, extra: Range<Int>, name: String, nameBytes: UnsafeRawBufferPointer
  ) throws(PickleError) -> (header: Int, bytes: Range<Int>) {
    func damaged(_ reason: String) -> PickleError { .damaged("the entry '\(name.abridged)' of its archive \(reason)") }
    guard number(bytes, entry + 8, UInt16.self) & 1 == 0 else { throw damaged("is encrypted") }
    let method = number(bytes, entry + 10, UInt16.self)
    guard method == 0 else {
      throw .refused(
        "the entry '\(name.abridged)' of its archive is compressed (method \(method)), torch.save stores entries uncompressed"
      )
    }
    var compressed = number(bytes, entry + 20, UInt32.self)
    var size = number(bytes, entry + 24, UInt32.self)
    var header = number(bytes, entry + 42, UInt32.self)
    // Zip64: the fields that do not fit in 32 bits follow in this order.
    var wide = zip64Fields(bytes, extra)
    for field in [\Fields.size, \.compressed, \.header] {
      var fields = Fields(size: size, compressed: compressed, header: header)
      guard fields[keyPath: field] == 0xFFFF_FFFF else { continue }
      guard !wide.isEmpty else { throw damaged("lacks a size or offset beyond 4 GiB") }
      fields[keyPath: field] = wide.removeFirst()
      (size, compressed, header) = (fields.size, fields.compressed, fields.header)
    }
    guard size == compressed else { throw damaged("has \(compressed) bytes, but its uncompressed size is \(size)") }
    guard header >= 0, header <= bytes.count - 30, number(bytes, header, UInt32.self) == 0x0403_4B50 else {
      throw damaged("is not where the directory says")
    }
    let nameCount = number(bytes, header + 26, UInt16.self)
    let start = header + 30 + nameCount + number(bytes, header + 28, UInt16.self)
    guard size >= 0, start <= bytes.count, size <= bytes.count - start else {
      throw damaged("ends beyond the file: \(size) bytes from \(start) of \(bytes.count)")
    }
    guard nameCount == nameBytes.count, bytes[header + 30..<header + 30 + nameCount].elementsEqual(nameBytes) else {
      throw damaged("has another name in its own header")
    }
    return (header, start..<start + size)
  }

  private struct Fields {
    var size: Int
    var compressed: Int
    var header: Int
  }

  /// The 64-bit numbers in an entry's extra field of type 1.
  private static func zip64Fields(_ bytes: UnsafeRawBufferPointer, _ extra: Range<Int>) -> [Int] {
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

  /// A little-endian number; a number beyond 63 bits is negative, and so is one outside the file.
  private static func number<Number: FixedWidthInteger & UnsignedInteger>(
    _ bytes: UnsafeRawBufferPointer, _ offset: Int, _: Number.Type
  ) -> Int {
    guard offset >= 0, offset <= bytes.count - MemoryLayout<Number>.size else { return -1 }
    return Int(truncatingIfNeeded: Number(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Number.self)))
  }
}
