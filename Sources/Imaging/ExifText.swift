/// The part of a JPEG's or WebP's EXIF data that this program reads and writes: a text in the form of the webui, and a note of
/// our own.
///
/// Source: CIPA DC-008 (Exif 2.32), §4.6: a TIFF structure, whose IFD has a pointer to the Exif IFD.
struct ExifText: Hashable, Sendable {
  /// `UserComment`.
  var comment: String?
  /// The content of `MakerNote` after `noteMark`.
  var note: PictureNote?

  private static let exifPointer = 0x8769
  private static let makerNote = 0x927C
  private static let userComment = 0x9286
  private static let noteMark = Array("sdbatch\0".utf8)
  private static let unicode = Array("UNICODE\0".utf8)

  // MARK: Writing

  /// The TIFF structure, in the form that piexif (used by the webui) writes: big-endian, with the text in UTF-16.
  var bytes: [UInt8] {
    var fields: [(tag: Int, data: [UInt8])] = []
    if let note { fields.append((Self.makerNote, Self.noteMark + Array(note.text.utf8))) }
    if let comment {
      let units = comment.utf16.flatMap { [UInt8(truncatingIfNeeded: $0 >> 8), UInt8(truncatingIfNeeded: $0)] }
      fields.append((Self.userComment, Self.unicode + units))
    }
    // The header, and an IFD with one entry, which is a pointer.
    let second = 8 + 2 + 12 + 4
    var result = Array("MM".utf8) + Self.number(42, 2) + Self.number(8, 4)
    result += Self.number(1, 2) + Self.entry(Self.exifPointer, type: 4, count: 1) + Self.number(second, 4)
    result += Self.number(0, 4) + Self.number(fields.count, 2)
    var offset = second + 2 + 12 * fields.count + 4
    for field in fields {
      result += Self.entry(field.tag, type: 7, count: field.data.count)
      if field.data.count > 4 {
        result += Self.number(offset, 4)
        offset += field.data.count + field.data.count % 2
      } else {
        result += field.data + [UInt8](repeating: 0, count: 4 - field.data.count)
      }
    }
    result += Self.number(0, 4)
    for field in fields where field.data.count > 4 {
      result += field.data
      // Values start at even offsets.
      if field.data.count % 2 == 1 { result.append(0) }
    }
    return result
  }

  private static func entry(_ tag: Int, type: Int, count: Int) -> [UInt8] {
    number(tag, 2) + number(type, 2) + number(count, 4)
  }

  private static func number(_ value: Int, _ size: Int) -> [UInt8] {
    (0..<size).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  init(comment: String?, note: PictureNote? = nil) {
    self.comment = comment
    self.note = note
  }

  // MARK: Reading

  /// Reads a TIFF structure in either byte order; damaged parts are skipped.
  init(_ bytes: some Sequence<UInt8>) {
    var bytes = Array(bytes)
    // Some programs write JPEG's segment mark into WebP files too.
    if bytes.starts(with: Self.segmentMark) { bytes.removeFirst(Self.segmentMark.count) }
    guard let reader = TIFFReader(bytes), let pointer = reader.fields(at: reader.first)[Self.exifPointer],
      let offset = reader.offset(pointer)
    else { return }
    let fields = reader.fields(at: offset)
    if let data = fields[Self.makerNote].flatMap(reader.data), data.starts(with: Self.noteMark) {
      note = PictureNote(String(decoding: data.dropFirst(Self.noteMark.count), as: UTF8.self))
    }
    comment = fields[Self.userComment].flatMap(reader.data).flatMap(Self.text)
  }

  /// The first bytes of EXIF data in a JPEG.
  static let segmentMark = Array("Exif\0\0".utf8)

  /// The text of a comment, decoded as its first eight bytes say; nil if it is empty.
  private static func text(_ data: ArraySlice<UInt8>) -> String? {
    guard data.count > 8 else { return nil }
    let (code, rest) = (Array(data.prefix(8)), data.dropFirst(8))
    let text = code == unicode ? utf16(rest) : String(decoding: rest, as: UTF8.self)
    // Some programs pad with zeros or spaces.
    let end = text.unicodeScalars.lastIndex { $0 != "\0" && $0 != " " }
    guard let end else { return nil }
    return String(text.unicodeScalars[...end])
  }

  /// Decodes UTF-16 in the byte order that makes more of the units ASCII. The specification names no byte order, and programs
  /// differ.
  private static func utf16(_ bytes: ArraySlice<UInt8>) -> String {
    let pairs = stride(from: bytes.startIndex, to: bytes.endIndex - 1, by: 2).map { (bytes[$0], bytes[$0 + 1]) }
    let big = pairs.count { $0.0 == 0 && $0.1 < 0x80 }
    let little = pairs.count { $0.1 == 0 && $0.0 < 0x80 }
    let units = pairs.map { pair in
      little > big ? UInt16(pair.1) << 8 | UInt16(pair.0) : UInt16(pair.0) << 8 | UInt16(pair.1)
    }
    let text = String(decoding: units, as: UTF16.self)
    return text.hasPrefix("\u{FEFF}") ? String(text.unicodeScalars.dropFirst()) : text
  }
}

/// Reads the fields of a TIFF structure from an untrusted file: every offset is checked.
private struct TIFFReader {
  private let bytes: [UInt8]
  private let isBig: Bool
  /// Where the first IFD is.
  private(set) var first = 0

  struct Field {
    var count: Int
    /// The offset of the entry's last four bytes.
    var position: Int
    var size: Int
  }

  init?(_ bytes: [UInt8]) {
    self.bytes = bytes
    switch bytes.prefix(2) {
    case [0x4D, 0x4D]: isBig = true
    case [0x49, 0x49]: isBig = false
    default: return nil
    }
    guard number(at: 2, 2) == 42, let first = number(at: 4, 4) else { return nil }
    self.first = first
  }

  private func number(at offset: Int, _ size: Int) -> Int? {
    guard offset >= 0, offset <= bytes.count - size else { return nil }
    let range = bytes[offset..<offset + size]
    return isBig ? range.reduce(0) { $0 << 8 | Int($1) } : range.reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  /// The fields of an IFD by their tags.
  func fields(at offset: Int) -> [Int: Field] {
    guard let count = number(at: offset, 2) else { return [:] }
    var fields: [Int: Field] = [:]
    for index in 0..<count {
      let start = offset + 2 + 12 * index
      guard let tag = number(at: start, 2), let type = number(at: start + 2, 2), let count = number(at: start + 4, 4),
        number(at: start + 8, 4) != nil
      else { break }
      // Bytes, characters and undefined bytes; 16 bits; 32 bits. Other types are not read.
      guard let size = [1: 1, 2: 1, 7: 1, 3: 2, 4: 4][type] else { continue }
      fields[tag] = Field(count: count, position: start + 8, size: count * size)
    }
    return fields
  }

  /// The value of a field that holds an offset.
  func offset(_ field: Field) -> Int? { field.size == 4 && field.count == 1 ? number(at: field.position, 4) : nil }

  /// The bytes of a field.
  func data(_ field: Field) -> ArraySlice<UInt8>? {
    guard let start = field.size > 4 ? number(at: field.position, 4) : field.position, start <= bytes.count,
      field.size <= bytes.count - start
    else { return nil }
    return bytes[start..<start + field.size]
  }
}
