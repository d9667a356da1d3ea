import Foundation
import Hashing
import Text

/// Makes parts of file names that every file system takes, from any text.
///
/// Sources: Microsoft, "Naming Files, Paths, and Namespaces" (reserved names and characters, trailing dots and blanks); POSIX
/// (the slash, NUL, 255 bytes). Characters that shells and addresses of web pages read as something else are replaced too.
enum SafeName {
  /// The most bytes of a folder's name, or of a file's without endings: enough is left of 255 for those and for the names that
  /// a file has while it is written.
  static let limit = 140
  /// The most bytes that one value may have in it.
  static let valueLimit = 80

  /// The endings of the files that a run has.
  private static let endings =
    ImageEncoding.endings + [".json", ".jsonl", ".checkpoint", ".tsv", ".yaml", ".html", ".log", ".lock"]

  /// A value without characters that names must not have.
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
    // Emoji are joined by them; others may turn the direction of a text.
    case .format: return scalar == "\u{200C}" || scalar == "\u{200D}" || (0xE0020...0xE007F).contains(scalar.value)
    default: return true
    }
  }

  /// The beginning of a text in at most so many bytes, without half a character.
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

  /// The name of a folder, or of a file without its ending.
  ///
  /// - Parameters:
  ///   - text: What `value` made, and literal text.
  ///   - whole: The same without any value cut, if one was cut; a digest of it keeps names apart that were cut to the same.
  /// - Returns: A name of at most `limit` bytes.
  static func component(_ text: String, whole: String? = nil) -> String {
    var name = trimmed(value(text))
    if whole != nil || name.utf8.count > limit {
      let digest = "-" + Hexadecimal.text(SHA256.hash(Array((whole ?? text).utf8))).prefix(8)
      name = trimmed(beginning(of: name, bytes: limit - digest.utf8.count)) + digest
    }
    if name.isEmpty { return "_" }
    // The ending of the file follows, and no folder is called like a file of a run.
    for ending in endings where name.lowercased().hasSuffix(ending) {
      name.replaceSubrange(name.index(name.endIndex, offsetBy: -ending.count)..., with: "_" + ending.dropFirst())
    }
    // Hidden files, and what commands take for options.
    if name.hasPrefix(".") || name.hasPrefix("-") { name = "_" + name.dropFirst() }
    if isReserved(name) {
      let end = name.firstIndex(of: ".") ?? name.endIndex
      name.insert("_", at: end)
    }
    return name
  }

  /// Without blanks at its ends, and without dots behind it.
  private static func trimmed(_ name: String) -> String {
    var scalars = Substring(name).unicodeScalars
    while let last = scalars.last, last == "." || last.properties.isWhitespace { scalars.removeLast() }
    while let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() }
    return String(scalars)
  }

  /// Whether Windows takes the name for a device, with any ending.
  private static func isReserved(_ name: String) -> Bool {
    let stem = trimmed(String(name.prefix { $0 != "." })).uppercased()
    if ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"].contains(stem) { return true }
    guard stem.hasPrefix("COM") || stem.hasPrefix("LPT"), stem.count == 4 else { return false }
    return stem.last.map { "0123456789¹²³".contains($0) } ?? false
  }

  /// The name as file systems compare it that know no difference between letter cases or forms.
  static func folded(_ name: String) -> String { name.precomposedStringWithCanonicalMapping.lowercased() }
}
