import Text

/// A `spiece.model`: the protocol buffer of a SentencePiece model.
///
/// Source: `sentencepiece_model.proto`.
struct SentencePieceFile {
  /// The purpose of a piece.
  enum Kind: UInt64 {
    case normal = 1
    case unknown = 2
    case control = 3
    case userDefined = 4
    case unused = 5
    case byte = 6
  }

  /// A piece; its id is its index.
  struct Piece {
    var text: [UInt8] = []
    var score: Float = 0
    var kind = Kind.normal
  }

  private(set) var pieces: [Piece] = []
  /// The characters that are replaced first, see `CharacterMap`.
  private(set) var characterMap: [UInt8] = []
  /// Whether a blank is added before a text.
  private(set) var addsBlank = true
  /// Whether blanks at both ends are removed, and runs of blanks become one.
  private(set) var removesBlanks = true
  private var escapesBlanks = true
  private var modelType: UInt64 = 1
  private var blankIsSuffix = false
  private var hasBytes = false
  private var hasTrainer = false
  private var hasNormalizer = false

  /// The limit of pieces, more than any model has.
  private static let limit = 1 << 20

  /// Reads a file. Throws `damagedTokenizer`.
  init(path: String, bytes: [UInt8]) throws(TokenizationError) {
    func damaged(_ reason: String, at offset: Int? = nil) -> TokenizationError {
      .damagedTokenizer(path: path, position: offset.map { "byte \($0)" }, purpose: .t5, reason: reason)
    }
    do throws(WireError) {
      try read(bytes)
    } catch {
      throw damaged("it is not the protocol buffer of a SentencePiece model: \(error.reason)", at: error.offset)
    }
    guard !pieces.isEmpty else { throw damaged("it has no pieces") }
    // They follow the pieces in every file. Without them, the last pieces may be missing too.
    guard hasTrainer, hasNormalizer else {
      throw damaged(
        "it ends after \(pieces.count) pieces, expected its training and its normalizer too", at: bytes.count)
    }
    guard modelType == 1 else {
      throw damaged("it is a SentencePiece model of type \(modelType), expected 1 (unigram)")
    }
    guard !hasBytes, !pieces.contains(where: { $0.kind == .byte }) else {
      throw damaged("it has byte_fallback, which T5's tokenizer does not have")
    }
    guard escapesBlanks, !blankIsSuffix else { throw damaged("it writes blanks in another way than T5's tokenizer") }
    if let piece = pieces.first(where: { $0.kind == .userDefined }) {
      throw damaged(
        "it has the user-defined piece \"\(String(decoding: piece.text, as: UTF8.self).abridged)\", which is not supported"
      )
    }
    if let index = pieces.firstIndex(where: { String(validating: $0.text, as: UTF8.self) == nil || $0.text.isEmpty }) {
      throw damaged("its piece \(index) is empty or not UTF-8")
    }
    if let index = pieces.firstIndex(where: { !$0.score.isFinite }) { throw damaged("its piece \(index) has no score") }
  }

  private mutating func read(_ bytes: [UInt8]) throws(WireError) {
    var message = WireReader(bytes)
    while let (field, value) = try message.next() {
      switch (field, value) {
      case (1, .bytes(let range)):
        guard pieces.count < Self.limit else { throw WireError(range.lowerBound, "more than \(Self.limit) pieces") }
        pieces.append(try Self.piece(WireReader(bytes, range)))
      case (2, .bytes(let range)):
        hasTrainer = true
        try readTrainer(WireReader(bytes, range))
      case (3, .bytes(let range)):
        hasNormalizer = true
        try readNormalizer(WireReader(bytes, range))
      default: break
      }
    }
  }

  private static func piece(_ message: WireReader) throws(WireError) -> Piece {
    var message = message
    var piece = Piece()
    while let (field, value) = try message.next() {
      switch (field, value) {
      case (1, .bytes(let range)): piece.text = Array(message.bytes[range])
      case (2, .fixed32(let bits)): piece.score = Float(bitPattern: bits)
      case (3, .number(let number)):
        guard let kind = Kind(rawValue: number) else {
          throw WireError(message.at, "a piece has the unknown type \(number)")
        }
        piece.kind = kind
      default: break
      }
    }
    return piece
  }

  private mutating func readTrainer(_ message: WireReader) throws(WireError) {
    var message = message
    while let (field, value) = try message.next() {
      switch (field, value) {
      case (3, .number(let number)): modelType = number
      case (24, .number(let number)): blankIsSuffix = number != 0
      case (35, .number(let number)): hasBytes = number != 0
      default: break
      }
    }
  }

  private mutating func readNormalizer(_ message: WireReader) throws(WireError) {
    var message = message
    while let (field, value) = try message.next() {
      switch (field, value) {
      case (2, .bytes(let range)): characterMap = Array(message.bytes[range])
      case (3, .number(let number)): addsBlank = number != 0
      case (4, .number(let number)): removesBlanks = number != 0
      case (5, .number(let number)): escapesBlanks = number != 0
      default: break
      }
    }
  }
}

/// What is wrong with a protocol buffer, and at which byte.
private struct WireError: Error {
  let offset: Int
  let reason: String

  init(_ offset: Int, _ reason: String) { (self.offset, self.reason) = (offset, reason) }
}

/// Reads the fields of a protocol buffer message.
private struct WireReader {
  enum Value {
    case number(UInt64)
    case fixed64
    case bytes(Range<Int>)
    case fixed32(UInt32)
  }

  let bytes: [UInt8]
  private(set) var at: Int
  private let end: Int

  init(_ bytes: [UInt8], _ range: Range<Int>? = nil) {
    self.bytes = bytes
    at = range?.lowerBound ?? 0
    end = range?.upperBound ?? bytes.count
  }

  /// The number and the value of the next field; nil at the end.
  mutating func next() throws(WireError) -> (Int, Value)? {
    guard at < end else { return nil }
    let start = at
    let tag = try number()
    let field = Int(truncatingIfNeeded: tag >> 3)
    switch tag & 7 {
    case 0: return (field, .number(try number()))
    case 1:
      try skip(8)
      return (field, .fixed64)
    case 2:
      let count = try number()
      guard count <= UInt64(end - at) else { throw WireError(at, "a field of \(count) bytes, more than there are") }
      let range = at..<at + Int(count)
      at = range.upperBound
      return (field, .bytes(range))
    case 5:
      try skip(4)
      let bits = (1...4).reduce(UInt32(0)) { $0 << 8 | UInt32(bytes[at - $1]) }
      return (field, .fixed32(bits))
    default: throw WireError(start, "a field of the unknown wire type \(tag & 7)")
    }
  }

  private mutating func skip(_ count: Int) throws(WireError) {
    guard end - at >= count else { throw WireError(at, "it ends inside a field") }
    at += count
  }

  private mutating func number() throws(WireError) -> UInt64 {
    var number: UInt64 = 0
    for shift in stride(from: 0, to: 64, by: 7) {
      guard at < end else { throw WireError(at, "it ends inside a number") }
      let byte = bytes[at]
      at += 1
      number |= UInt64(byte & 0x7F) << UInt64(shift)
      if byte < 0x80 { return number }
    }
    throw WireError(at, "a number of more than 64 bits")
  }
}
