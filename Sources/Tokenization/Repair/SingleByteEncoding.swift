/// A single-byte encoding that text may have been decoded with by mistake.
struct SingleByteEncoding: Sendable {
  enum Name: Sendable {
    case latin1, windows1252, windows1251, windows1250, windows1253, windows1254, windows1257, latin2, macRoman, cp437
  }

  let name: Name
  /// The characters of the bytes from 0x80 on.
  let upper: [Unicode.Scalar]
  private let bytes: [Unicode.Scalar: UInt8]

  /// All encodings that are tried, in order.
  static let all = RepairTables.encodings.map { SingleByteEncoding($0, upper: HexList.scalars($1)) }

  static let windows1252 = all[1]

  private init(_ name: Name, upper: [Unicode.Scalar]) {
    self.name = name
    self.upper = upper
    var bytes: [Unicode.Scalar: UInt8] = [:]
    for (offset, scalar) in upper.prefix(128).enumerated() { bytes[scalar] = UInt8(128 + offset) }
    self.bytes = bytes
  }

  /// Whether bytes without a character decode to the control characters with the same number, and U+FFFD, which marks a lost
  /// byte, is encoded as 0x1A. ftfy calls these encodings sloppy; they are those of Windows.
  var isSloppy: Bool {
    switch name {
    case .latin1, .latin2, .macRoman, .cp437: false
    case .windows1252, .windows1251, .windows1250, .windows1253, .windows1254, .windows1257: true
    }
  }

  /// The bytes of a text; nil if it has characters that this encoding lacks.
  func encode(_ text: ArraySlice<Unicode.Scalar>) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    for scalar in text {
      if scalar.isASCII {
        if isSloppy, scalar == "\u{1A}" { return nil }
        result.append(UInt8(scalar.value))
      } else if let byte = bytes[scalar] {
        result.append(byte)
      } else if isSloppy, scalar == "\u{FFFD}" {
        result.append(0x1A)
      } else {
        return nil
      }
    }
    return result
  }

  /// The character of a byte.
  func decode(_ byte: UInt8) -> Unicode.Scalar { byte < 0x80 ? Unicode.Scalar(byte) : upper[Int(byte) - 128] }
}
