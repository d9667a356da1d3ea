/// The versions of Unicode in the parts of the webui. Tokens must not depend on Swift's own version.
enum UnicodeAge {
  /// Python 3.10, which the webui requires.
  static let python = (13, 0)
  /// The regular expressions that split text into words, the package `regex` of 2024.
  static let pattern = (16, 0)
  /// The regular expressions of the `tokenizers` library 0.23.
  static let tokenizers = (16, 0)
  /// The normaliser of the `tokenizers` library 0.23.
  static let tokenizersNormalForm = (9, 0)

  /// Whether `scalar` was assigned after this version of Unicode, or never.
  static func isNewer(_ scalar: Unicode.Scalar, than version: (Int, Int)) -> Bool {
    guard let age = scalar.properties.age else { return true }
    return age > version
  }
}
