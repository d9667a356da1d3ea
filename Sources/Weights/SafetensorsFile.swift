/// A safetensors file, mapped into memory: opening it reads the header alone.
public final class SafetensorsFile: Sendable {
  /// Longer headers are refused, as by the format's own library.
  public static let headerLimit = 100_000_000

  /// The path that the file was opened by, for messages.
  public let path: String
  /// The free text that the file's writer left under `__metadata__`.
  public let metadata: [String: String]
  /// The tensors by name.
  public let tensors: [String: WeightTensor]

  /// Opens the file at `path` and checks its header to the last byte.
  ///
  /// Throws `WeightError.unreadable`, `.damaged`, or `.unsupported` for a file of another known format.
  public init(path: String) throws(WeightError) {
    let file = try MappedFile(path: path)
    self.path = path
    let bytes = file.bytes
    let headerCount = bytes.count < 8 ? 0 : UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    let startsLikeHeader = bytes.count > 8 && headerCount <= Self.headerLimit && bytes[8] == UInt8(ascii: "{")
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
      throw .damaged(path: path, reason: "its header does not start with '{', so it is no safetensors file")
    }
    let header: SafetensorsHeader
    do {
      header = try SafetensorsHeader(
        json: UnsafeRawBufferPointer(rebasing: bytes[8..<dataStart]), dataCount: bytes.count - dataStart)
    } catch {
      throw .damaged(path: path, reason: "in its header, \(error)")
    }
    metadata = header.metadata
    var tensors: [String: WeightTensor] = [:]
    tensors.reserveCapacity(header.tensors.count)
    for (name, entry) in header.tensors {
      let range = entry.dataRange.lowerBound + dataStart..<entry.dataRange.upperBound + dataStart
      tensors[name] = WeightTensor(
        name: name, shape: entry.shape, elementType: entry.elementType, file: file, byteRange: range)
    }
    self.tensors = tensors
  }
}

/// A file format that people take for safetensors, known by its first bytes.
private struct ForeignFormat {
  var name: String
  var advice: String

  init?(_ bytes: UnsafeRawBufferPointer) {
    func begins(_ magic: [UInt8]) -> Bool { bytes.starts(with: magic) }
    let convert = "convert it to .safetensors"
    if begins([0x50, 0x4B, 0x03, 0x04]) || (bytes.count > 2 && bytes[0] == 0x80 && (2...5).contains(bytes[1])) {
      // torch.save writes a zip archive since PyTorch 1.6, a bare pickle of protocol 2 before.
      self.init(name: "a PyTorch pickle (.ckpt, .pt, .bin)", advice: convert)
    } else if begins(Array("GGUF".utf8)) {
      self.init(name: "a GGUF file", advice: "use the .safetensors file that it was made from")
    } else if begins(Array("version https://git-lfs".utf8)) {
      self.init(name: "a Git LFS pointer, not the model itself", advice: "run `git lfs pull` in its repository")
    } else if begins(Array("<".utf8)) {
      self.init(name: "a web page", advice: "download the model again")
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
