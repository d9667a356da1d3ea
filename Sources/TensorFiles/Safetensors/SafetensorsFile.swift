import JSON

/// A safetensors file. Opening it reads only the header.
public final class SafetensorsFile: Sendable {
  /// Longer headers are refused, as in the format's own library.
  public static let headerLimit = 100_000_000

  /// The path with which the file was opened, for messages.
  public let path: String
  /// The texts under `__metadata__`.
  public let metadata: [String: String]
  /// The tensors by name.
  public let tensors: [String: StoredTensor]
  /// The offset at which the header ends and the tensors' bytes start.
  public let dataOffset: Int

  /// Opens the file at `path` and checks its header to the last byte.
  ///
  /// Throws `TensorFileError.unreadable`, `.damaged`, or `.unsupported` for a file of another known format.
  public convenience init(path: String) throws(TensorFileError) {
    try self.init(ByteFile(path: path))
  }

  /// Whether a file that starts like this is a safetensors file. Blanks may come before the header's brace, as in the format's
  /// own reader.
  static func isLikely(_ bytes: [UInt8]) -> Bool {
    guard bytes.count > 8, headerCount(bytes) <= headerLimit else { return false }
    return bytes.dropFirst(8).first { !JSONCursor.isBlank($0) } == UInt8(ascii: "{")
  }

  private static func headerCount(_ bytes: [UInt8]) -> UInt64 {
    bytes.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Reads the header of a file.
  init(_ file: ByteFile) throws(TensorFileError) {
    path = file.path
    let head = try file.prefix(ForeignFormat.headCount)
    let startsLikeHeader = Self.isLikely(head)
    if !startsLikeHeader, let format = ForeignFormat(head, fileCount: file.count) { throw format.error(path) }
    guard head.count >= 8 else {
      throw .damaged(path: path, reason: "it has \(head.count) bytes, a safetensors file has at least 8")
    }
    let headerCount = Self.headerCount(head)
    guard headerCount <= Self.headerLimit else {
      throw .damaged(
        path: path,
        reason: "its first 8 bytes announce a header of \(headerCount) bytes, more than any safetensors file has")
    }
    let dataStart = 8 + Int(headerCount)
    guard dataStart <= file.count else {
      throw .damaged(
        path: path, reason: "it ends inside its header (\(file.count) bytes, the header ends at \(dataStart))")
    }
    guard startsLikeHeader else {
      throw .damaged(path: path, reason: "its header does not start with '{', so it is not a safetensors file")
    }
    let json = try file.bytes(8..<dataStart)
    let header: SafetensorsHeader
    do throws(JSONError) {
      header = try json.withUnsafeBufferPointer { json throws(JSONError) in
        try SafetensorsHeader(json: UnsafeRawBufferPointer(json), dataCount: file.count - dataStart)
      }
    } catch {
      throw .damaged(path: path, reason: "in its header, \(error)")
    }
    dataOffset = dataStart
    metadata = header.metadata
    var tensors: [String: StoredTensor] = [:]
    tensors.reserveCapacity(header.tensors.count)
    for (name, entry) in header.tensors {
      let range = entry.dataRange.lowerBound + dataStart..<entry.dataRange.upperBound + dataStart
      tensors[name] = StoredTensor(
        name: name, shape: entry.shape, elementType: entry.elementType, file: file, byteRange: range)
    }
    self.tensors = tensors
  }
}
