import Foundation

/// The README of this package, as users read it.
enum Readme {
  static func text(thisFile: String = #filePath) throws -> String {
    let package = URL(fileURLWithPath: thisFile).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    return try String(contentsOf: package.appendingPathComponent("README.md"), encoding: .utf8)
  }

  /// What stands under a heading.
  static func section(_ heading: String) throws -> Substring {
    let parts = try text().components(separatedBy: "\n## ")
    guard let part = parts.first(where: { $0.hasPrefix(heading + "\n") }) else { return "" }
    return part.dropFirst(heading.count).drop { $0.isNewline }
  }

  /// The rows of the table with this title row, each by its cells.
  static func table(_ title: String) throws -> [[String]] {
    let lines = try text().components(separatedBy: "\n")
    guard let start = lines.firstIndex(where: { $0.hasPrefix("| " + title) }) else { return [] }
    return lines[(start + 2)...].prefix { $0.hasPrefix("|") }.map { line in
      line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
    }
  }
}
