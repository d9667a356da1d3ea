import Foundation
import Hashing
import Text

/// Turns any text into parts of file names that every file system accepts.
///
/// Sources: Microsoft, "Naming Files, Paths, and Namespaces" (reserved names and characters, trailing dots and blanks); POSIX
/// (the slash, NUL, 255 bytes). Characters with a special meaning in shells and URLs are replaced too.
enum SafeName {
  /// The most bytes of a folder's name, or of a file's name without extensions. This leaves enough of 255 for extensions and
  /// for temporary names while a file is written.
  static let limit = 140
  /// The most bytes that one value may take.
  static let valueLimit = 80

  /// The extensions of the files of a run.
  private static let endings =
    ImageEncoding.endings + [".json", ".jsonl", ".checkpoint", ".tsv", ".yaml", ".html", ".log", ".lock"]

  /// A value without the characters that names must not have.
  static func value(_ text: String) -> String {
    var scalars = String.UnicodeScalarView()
    for scalar in text.precomposedStringWithCanonicalMapping.unicodeScalars {
      scalars.append(isAllowed(scalar) ? scalar : "_")
    }
    return String(scalars)
  }

  private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
    if "#%<>:\"/\\|?*".unicodeScalars.contains(scalar) { return false }
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: return false
    // Emoji need these joiners; the others may change the direction of text.
    case .format: return scalar == "\u{200C}" || scalar == "\u{200D}" || (0xE0020...0xE007F).contains(scalar.value)
    default: return true
    }
  }

  /// The beginning of a text in at most this many bytes, without splitting a character.
  static func beginning(of text: String, bytes: Int) -> String {
    if text.utf8.count <= bytes { return text }
    var result = ""
    var count = 0
    for character in text {
      count += character.utf8.count
      if count > bytes { break }
      result.append(character)
    }
    return result
  }

  /// The name of a folder, or of a file without its extension.
  ///
  /// - Parameters:
  ///   - text: Results of `value`, and literal text.
  ///   - whole: If a value was cut, the same text uncut. Its digest distinguishes names that were cut to the same text.
  /// - Returns: A name of at most `limit` bytes.
  static func component(_ text: String, whole: String? = nil) -> String {
    var name = trimmed(value(text))
    if whole != nil || name.utf8.count > limit {
      let digest = "-" + Hexadecimal.text(SHA256.hash(Array((whole ?? text).utf8))).prefix(8)
      name = trimmed(beginning(of: name, bytes: limit - digest.utf8.count)) + digest
    }
    if name.isEmpty { return "_" }
    // The extension of the file follows. No folder may be called like a file of a run.
    for ending in endings where name.lowercased().hasSuffix(ending) {
      name.replaceSubrange(name.index(name.endIndex, offsetBy: -ending.count)..., with: "_" + ending.dropFirst())
    }
    // Avoid hidden files, and names that commands read as options.
    if name.hasPrefix(".") || name.hasPrefix("-") { name = "_" + name.dropFirst() }
    if isReserved(name) {
      let end = name.firstIndex(of: ".") ?? name.endIndex
      name.insert("_", at: end)
    }
    return name
  }

  /// Without blanks at both ends, and without dots at the end.
  private static func trimmed(_ name: String) -> String {
    var scalars = Substring(name).unicodeScalars
    while let last = scalars.last, last == "." || last.properties.isWhitespace { scalars.removeLast() }
    while let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() }
    return String(scalars)
  }

  /// Whether Windows treats the name as a device, with any extension.
  private static func isReserved(_ name: String) -> Bool {
    let stem = trimmed(String(name.prefix { $0 != "." })).uppercased()
    if ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"].contains(stem) { return true }
    guard stem.hasPrefix("COM") || stem.hasPrefix("LPT"), stem.count == 4 else { return false }
    return stem.last.map { "0123456789¹²³".contains($0) } ?? false
  }

  /// The name as file systems compare it that ignore letter case and Unicode forms.
  static func folded(_ name: String) -> String { name.precomposedStringWithCanonicalMapping.lowercased() }
}
