/// A safetensors file, mapped into memory. Opening it reads the header only.
public final class SafetensorsFile: Sendable {
  /// Longer headers are refused, as the format's own library does.
  public static let headerLimit = 100_000_000

  /// The path that the file was opened by, for messages.
  public let path: String
  /// The texts under `__metadata__`.
  public let metadata: [String: String]
  /// The tensors by name.
  public let tensors: [String: StoredTensor]
  /// The offset at which the header ends and the tensors' bytes begin.
  public let dataOffset: Int

  /// Opens the file at `path` and checks its header to the last byte.
  ///
  /// Throws `TensorFileError.unreadable`, `.damaged`, or `.unsupported` for a file of another known format.
  public convenience init(path: String) throws(TensorFileError) {
    try self.init(MappedFile(path: path))
  }

  /// Whether a file that begins like this is a safetensors file.
  static func isLikely(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count > 8 else { return false }
    return UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self)) <= headerLimit && bytes[8] == UInt8(ascii: "{")
  }

  /// Reads the header of a mapped file.
  init(_ file: MappedFile) throws(TensorFileError) {
    path = file.path
    let bytes = file.bytes
    let headerCount = bytes.count < 8 ? 0 : UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    let startsLikeHeader = Self.isLikely(bytes)
    if !startsLikeHeader, let format = ForeignFormat(bytes) {
      throw .unsupported(path: path, found: format.name, advice: format.advice)
    }
    guard bytes.count >= 8 else {
      throw .damaged(path: path, reason: "it has \(bytes.count) bytes, a safetensors file has at least 8")
    }
    guard headerCount <= Self.headerLimit else {
      throw .damaged(
        path: path,
        reason: "its first 8 bytes announce a header of \(headerCount) bytes, more than any safetensors file has")
    }
    let dataStart = 8 + Int(headerCount)
    guard dataStart <= bytes.count else {
      throw .damaged(
        path: path, reason: "it ends inside its header (\(bytes.count) bytes, the header ends at \(dataStart))")
    }
    guard startsLikeHeader else {
      throw .damaged(path: path, reason: "its header does not start with '{', so it is not a safetensors file")
    }
    let header: SafetensorsHeader
    do {
      header = try SafetensorsHeader(
        json: UnsafeRawBufferPointer(rebasing: bytes[8..<dataStart]), dataCount: bytes.count - dataStart)
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

/// Another format that a file named .safetensors may have, recognised by its first bytes.
private struct ForeignFormat {
  var name: String
  var advice: String

  init?(_ bytes: UnsafeRawBufferPointer) {
    func begins(_ magic: [UInt8]) -> Bool { bytes.starts(with: magic) }
    let convert = "convert it to .safetensors"
    if TorchFile.isLikely(bytes) {
      self.init(name: "a PyTorch pickle (.ckpt, .pt, .bin)", advice: convert)
    } else if begins(Array("GGUF".utf8)) {
      self.init(name: "a GGUF file", advice: "use the .safetensors file that it was made from")
    } else if begins(Array("version https://git-lfs".utf8)) {
      self.init(name: "a Git LFS pointer, not the model itself", advice: "run `git lfs pull` in its repository")
    } else if begins(Array("<".utf8)) {
      self.init(name: "a web page", advice: "download the model again")
    } else if begins([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C]) || begins([0x1F, 0x8B]) || begins(Array("Rar!".utf8)) {
      self.init(name: "a packed file", advice: "unpack it")
    } else if begins([0x89, 0x48, 0x44, 0x46]) {
      self.init(name: "an HDF5 file", advice: convert)
    } else {
      return nil
    }
  }

  private init(name: String, advice: String) {
    self.name = name
    self.advice = advice
  }
}
