import Text

/// A format that is not supported: its name, and what to do. It is recognised by the first bytes of a file, whatever its name.
struct ForeignFormat {
  let name: String
  let advice: String
  /// Whether it contains, or may contain, a model.
  let isModel: Bool
  /// Whether the bytes may also be those of an old pickle, which consists of printable characters.
  private(set) var mayBePickle = false

  /// The largest number of bytes that are needed.
  static let headCount = 4096

  /// Recognises a file by its first bytes; nil for supported and unknown formats.
  ///
  /// - Parameters:
  ///   - head: The first bytes, up to `headCount`.
  ///   - fileCount: The size of the file.
  init?(_ head: [UInt8], fileCount: Int) {
    guard !head.isEmpty else { return nil }
    if let known = Self.magics.first(where: { head.dropFirst($0.offset).starts(with: $0.bytes) }) {
      self.init(known.kind, known.name)
    } else if Self.isONNX(head) {
      self.init(.model, "an ONNX model")
    } else if Self.isMessagePack(head) {
      self.init(.model, "a Flax model (msgpack)")
    } else if head.count >= 16, head.allSatisfy({ $0 == 0 }) {
      self.init(.download, "a file that begins with \(head.count) zeros, as an unfinished download does")
    } else if head.count >= 8, let text = Self.text(head) {
      self.init(text: text, isWhole: fileCount == head.count)
    } else {
      return nil
    }
  }

  /// The error for a file with this format.
  func error(_ path: String) -> TensorFileError { .unsupported(path: path, found: name, advice: advice) }

  // MARK: Kinds

  private enum Kind {
    /// A model of another program.
    case model
    /// An archive.
    case packed
    /// What a failed download leaves behind.
    case download
    /// Anything else.
    case other
  }

  private init(_ kind: Kind, _ name: String) {
    self.name = name
    switch kind {
    case .model: advice = "get the model as .safetensors, or convert it"
    case .packed: advice = "unpack it and use the model inside"
    case .download: advice = "download the model again"
    case .other: advice = "name a model file"
    }
    isModel = kind == .model || kind == .packed || kind == .download
  }

  private init(name: String, advice: String) {
    self.name = name
    self.advice = advice
    isModel = true
  }

  private static let magics: [(offset: Int, bytes: [UInt8], kind: Kind, name: String)] = [
    (0, Array("7z".utf8) + [0xBC, 0xAF, 0x27, 0x1C], .packed, "a packed file (7z archive)"),
    (0, Array("Rar!".utf8), .packed, "a packed file (RAR archive)"),
    (0, [0x1F, 0x8B], .packed, "a packed file (gzip)"),
    (0, [0xFD] + Array("7zXZ".utf8), .packed, "a packed file (xz)"),
    (0, [0x28, 0xB5, 0x2F, 0xFD], .packed, "a packed file (Zstandard)"),
    (0, Array("BZh".utf8), .packed, "a packed file (bzip2)"),
    (0, [0x04, 0x22, 0x4D, 0x18], .packed, "a packed file (LZ4)"),
    (257, Array("ustar".utf8), .packed, "a packed file (tar archive)"),
    (0, Array("PK".utf8) + [5, 6], .packed, "a packed file (zip archive) that is empty"),
    (0, Array("PK".utf8) + [7, 8], .packed, "a packed file (zip archive) in several parts"),
    (0, [0x89] + Array("HDF".utf8), .model, "an HDF5 file, as Keras writes it"),
    (0, Array("ftrt".utf8), .model, "a TensorRT engine"), (0, Array("ptrt".utf8), .model, "a TensorRT engine"),
    (4, Array("TFL3".utf8), .model, "a TensorFlow Lite model"),
    (0, [0x93] + Array("NUMPY".utf8), .model, "a NumPy array"),
    (0, Array("lmgg".utf8), .model, "a GGML file from before GGUF"),
    (0, Array("tjgg".utf8), .model, "a GGML file from before GGUF"),
    (0, Array("fmgg".utf8), .model, "a GGML file from before GGUF"),
    (0, [0x89] + Array("PNG".utf8), .other, "a PNG image"), (0, [0xFF, 0xD8, 0xFF], .other, "a JPEG image"),
    (0, Array("GIF8".utf8), .other, "a GIF image"), (8, Array("WEBP".utf8), .other, "a WebP image"),
    (0, Array("%PDF".utf8), .other, "a PDF document"), (0, [0x7F] + Array("ELF".utf8), .other, "a program"),
    (0, Array("MZ".utf8) + [0x90, 0], .other, "a program"),
  ]

  /// Whether it is a protocol buffer that starts with a version of ONNX, followed by the producer's name or another known
  /// field.
  private static func isONNX(_ head: [UInt8]) -> Bool {
    guard head.count > 3, head[0] == 0x08, (1...64).contains(head[1]) else { return false }
    // Source: onnx.proto. These fields are texts or messages, so each has a length.
    let fields: [UInt8: Bool] = [0x12: true, 0x1A: true, 0x22: true, 0x32: true, 0x3A: false, 0x42: false]
    guard let isText = fields[head[2]] else { return false }
    let length = Int(head[3])
    guard isText, length < 0x80 else { return !isText }
    return head.count >= 4 + length && head[4..<4 + length].allSatisfy { (0x20..<0x7F).contains($0) }
  }

  /// Whether it is a map whose first key is a text.
  private static func isMessagePack(_ head: [UInt8]) -> Bool {
    let start: Int
    switch head[0] {
    case 0x81...0x8F: start = 1
    case 0xDE: start = 3
    case 0xDF: start = 5
    default: return false
    }
    guard head.count > start + 2 else { return false }
    let (length, first) =
      switch head[start] {
      case 0xA1...0xBF: (Int(head[start] & 0x1F), start + 1)
      case 0xD9: (Int(head[start + 1]), start + 2)
      default: (0, 0)
      }
    return length > 0 && head.count > first + length
      && head[first..<first + length].allSatisfy { (0x20..<0x7F).contains($0) }
  }

  // MARK: Texts

  /// The text that a file starts with, without a byte order mark and white space; nil if it does not start with text.
  private static func text(_ head: [UInt8]) -> String? {
    var bytes = head[...]
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
    // The last character may be cut off.
    for _ in 0..<4
    where bytes.count == head.count && head.count == headCount && String(validating: bytes, as: UTF8.self) == nil {
      bytes = bytes.dropLast()
    }
    guard let text = String(validating: bytes, as: UTF8.self),
      !text.utf8.contains(where: { ($0 < 0x20 && ![0x09, 0x0A, 0x0C, 0x0D].contains($0)) || $0 == 0x7F })
    else { return nil }
    return String(text.drop { $0.isWhitespace })
  }

  private init(text: String, isWhole: Bool) {
    let lowered = text.prefix(1000).lowercased()
    if lowered.hasPrefix("version https://git-lfs") {
      self.init(
        name: "a Git LFS pointer, not the model itself", advice: "run `git lfs pull` in its repository")
    } else if lowered.hasPrefix("<?xml"), lowered.contains("<net ") {
      self.init(.model, "an OpenVINO model")
    } else if lowered.hasPrefix("<") {
      self.init(.download, "a web page")
    } else if lowered.hasPrefix("{") || lowered.hasPrefix("[") {
      self.init(.other, text: text, "a JSON text")
    } else {
      self.init(.other, text: text, "a text")
      mayBePickle = !Self.isProse(text, isWhole: isWhole)
    }
  }

  private init(_ kind: Kind, text: String, _ name: String) {
    let line = text.prefix { !$0.isNewline }
    self.name = "\(name), which begins with \"\(String(line).abridged)\""
    advice = "download the model again"
    isModel = false
  }

  /// Whether a text cannot be a pickle of protocol 0, whose lines are instructions: it has words, or no full stop at the end.
  private static func isProse(_ text: String, isWhole: Bool) -> Bool {
    let line = text.prefix { !$0.isNewline }
    if isWhole, text.last(where: { !$0.isWhitespace }) != "." { return true }
    let words = line.split(separator: " ")
    return words.count > 2 && words[0].count > 1 && words[0].allSatisfy(\.isLetter)
      && words.allSatisfy { $0.allSatisfy { $0.isLetter || $0.isNumber || ".,:;'!?-/_%&=#".contains($0) } }
  }
}
