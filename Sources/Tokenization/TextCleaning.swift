/// How text is cleaned before it is split into words, and which words are special.
public enum TextCleaning: Hashable, Sendable {
  /// As the webui's tokenizer of CLIP-L, `CLIPTokenizer` of transformers 4.30 with ftfy installed: ftfy's repairs, and Python's
  /// lower case.
  case clip
  /// As OpenCLIP's tokenizer, for SD 2.x and the second encoder of SDXL: ftfy's repairs, HTML read twice, and Python's lower
  /// case.
  case openCLIP
  /// NFC and lower case without repairs, as in the first versions of sdbatch; it shows which texts have other tokens now.
  case unrepaired

  /// The texts of the begin and end tokens.
  var specials: (begin: String, end: String) {
    switch self {
    case .clip, .unrepaired: (Vocabulary.begin, Vocabulary.end)
    case .openCLIP: ("<start_of_text>", "<end_of_text>")
    }
  }

  /// Whether `text` could have other tokens than without repairs. A quick check: it may say yes too often, but never misses
  /// one.
  public static func mayMatter(for text: String) -> Bool {
    var previous: UInt8 = 0
    for byte in text.utf8 {
      switch byte {
      case 0x80..., 0x00...0x08, 0x0B, 0x0E...0x1F, 0x7F, UInt8(ascii: "&"): return true
      // Special tokens are recognised in capitals now, and OpenCLIP has other ones.
      case _ where previous == UInt8(ascii: "<") && "|sSeE".utf8.contains(byte): return true
      default: previous = byte
      }
    }
    return false
  }
}
