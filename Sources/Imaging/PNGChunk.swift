import CZlib

/// One chunk of a PNG file: a type of four letters, and data.
///
/// Source: PNG specification, third edition, §5.
struct PNGChunk {
  static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  var type: String
  var data: ArraySlice<UInt8>

  /// The chunks of a file from the header to the end mark, after checking that each is complete and has the right checksum.
  ///
  /// - Parameters:
  ///   - bytes: The file.
  ///   - isChecked: Whether to compare checksums; libpng does it too when it reads the pixels.
  /// - Returns: The chunks in the order of the file.
  /// - Throws: `ImagingError.damagedPNG`.
  static func all(in bytes: [UInt8], isChecked: Bool = true) throws(ImagingError) -> [PNGChunk] {
    guard bytes.starts(with: signature) else { throw .damagedPNG("it does not begin with the PNG signature") }
    var chunks: [PNGChunk] = []
    var position = signature.count
    while chunks.last?.type != "IEND" {
      guard bytes.count - position >= 12 else { throw .damagedPNG("it ends at byte \(bytes.count), inside a chunk") }
      let length = Int(bigEndian(bytes[position..<position + 4]))
      let type = String(decoding: bytes[position + 4..<position + 8], as: UTF8.self)
      guard length <= bytes.count - position - 12 else {
        throw .damagedPNG("it ends at byte \(bytes.count), inside a chunk")
      }
      let checked = bytes[position + 4..<position + 8 + length]
      let end = position + 8 + length
      guard !isChecked || checksum(checked) == bigEndian(bytes[end..<end + 4]) else {
        throw .damagedPNG("the checksum of the chunk at byte \(position) does not match")
      }
      chunks.append(PNGChunk(type: type, data: checked.dropFirst(4)))
      position = end + 4
    }
    guard chunks.first?.type == "IHDR" else { throw .damagedPNG("its first chunk is not the header") }
    return chunks
  }

  /// The chunk's bytes in the file that it was found in: length, type, data and checksum.
  var range: Range<Int> { data.startIndex - 8..<data.endIndex + 4 }

  /// Adds the chunk to a file.
  func append(to bytes: inout [UInt8]) {
    let checked = Array(type.utf8) + data
    Self.appendBigEndian(UInt32(data.count), to: &bytes)
    bytes += checked
    Self.appendBigEndian(Self.checksum(checked[...]), to: &bytes)
  }

  private static func bigEndian(_ bytes: ArraySlice<UInt8>) -> UInt32 { bytes.reduce(0) { $0 << 8 | UInt32($1) } }

  private static func appendBigEndian(_ value: UInt32, to bytes: inout [UInt8]) {
    for shift in [24, 16, 8, 0] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
  }

  private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    bytes.withUnsafeBufferPointer { UInt32(truncatingIfNeeded: crc32_z(0, $0.baseAddress, $0.count)) }
  }
}
