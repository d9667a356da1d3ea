import Text

/// Reads the operands of a pickle's instructions from front to back. Every length is checked against the remaining bytes.
struct PickleCursor {
  private static let stringLimit = 1 << 20
  private static let longLimit = 1 << 10

  private let bytes: UnsafeRawBufferPointer
  /// The offset of `bytes` in the file.
  private let base: Int
  /// Bytes read so far.
  private(set) var at = 0

  init(_ bytes: UnsafeRawBufferPointer, base: Int) {
    self.bytes = bytes
    self.base = base
  }

  var isAtEnd: Bool { at == bytes.count }

  /// The offset in the file of the byte that was read last, for messages.
  var lastOffset: Int { base + at - 1 }

  mutating func byte() throws(PickleError) -> UInt8 {
    guard at < bytes.count else { throw ended() }
    at += 1
    return bytes[at - 1]
  }

  mutating func number<Number: FixedWidthInteger>(_: Number.Type) throws(PickleError) -> Number {
    guard bytes.count - at >= MemoryLayout<Number>.size else { throw ended() }
    let number = bytes.loadUnaligned(fromByteOffset: at, as: Number.self)
    at += MemoryLayout<Number>.size
    return Number(littleEndian: number)
  }

  /// Reads a length, which must not reach beyond the pickle's end.
  mutating func count<Number: FixedWidthInteger>(_: Number.Type) throws(PickleError) -> Int {
    let number = try number(Number.self)
    guard let count = Int(exactly: number), count <= bytes.count - at else {
      throw .damaged("its pickle has a value of \(number) bytes at byte \(base + at), but ends before that")
    }
    return count
  }

  /// The range in the file of the next `count` bytes.
  mutating func range(_ count: Int) throws(PickleError) -> Range<Int> {
    guard count <= bytes.count - at else { throw ended() }
    at += count
    return base + at - count..<base + at
  }

  mutating func string(_ count: Int) throws(PickleError) -> String {
    guard count <= bytes.count - at else { throw ended() }
    guard count <= Self.stringLimit else {
      throw .refused("its pickle has a text of \(count) bytes at byte \(base + at), far more than a model's")
    }
    at += count
    return String(decoding: bytes[at - count..<at], as: UTF8.self)
  }

  /// The rest of a line, without its line end.
  mutating func line() throws(PickleError) -> String {
    let limit = min(bytes.count, at + Self.longLimit)
    guard let end = bytes[at..<limit].firstIndex(of: 0x0A) else {
      throw .damaged("its pickle has a line without an end at byte \(base + at)")
    }
    defer { at = end + 1 }
    let text = bytes[at..<end]
    return String(decoding: text.last == 0x0D ? text.dropLast() : text, as: UTF8.self)
  }

  /// Reads a line with a text in quotes.
  mutating func quoted() throws(PickleError) -> String {
    let text = try line()
    guard text.count >= 2, let quote = text.first, quote == text.last, quote == "'" || quote == "\"" else {
      throw .damaged("its pickle has the text \(text.abridged) without quotes")
    }
    return String(text.dropFirst().dropLast())
  }

  /// Reads a line with an integer, or with a truth value as protocol 0 writes it.
  mutating func decimal(_ opcode: PickleOpcode) throws(PickleError) -> PickleValue {
    let text = try line()
    if opcode == .int, text == "00" || text == "01" { return .bool(text == "01") }
    guard let number = Int(text.hasSuffix("L") ? String(text.dropLast()) : text) else {
      throw .damaged("its pickle has the integer '\(text.abridged)'")
    }
    return .integer(number)
  }

  /// Reads an integer in two's complement, little-endian.
  mutating func long(_ count: Int) throws(PickleError) -> PickleValue {
    guard count <= Self.longLimit else {
      throw .refused("its pickle has an integer of \(count) bytes at byte \(base + at), far more than a model's")
    }
    let range = try range(count)
    let digits = bytes[range.lowerBound - base..<range.upperBound - base]
    guard count <= 8 else { return .long(Array(digits)) }
    var number = digits.last.map { $0 >= 0x80 ? -1 : 0 } ?? 0
    for digit in digits.reversed() { number = number << 8 | Int(digit) }
    return .integer(number)
  }

  private func ended() -> PickleError { .damaged("its pickle ends inside a value, after \(bytes.count) bytes") }
}
