import Foundation

/// A page of the documentation, as its readers see it.
package struct MarkdownPage: Sendable {
  /// The root of the package, found from where this file was compiled.
  package static let packageFolder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// The folder of the manual, relative to the package.
  package static let manualFolder = "Sources/sdbatch/Manual.docc"

  /// The path relative to the package.
  package let path: String
  /// The page's text.
  package let text: String

  /// Reads a page.
  ///
  /// - Parameter path: The path relative to the package.
  /// - Throws: What reading the file throws.
  package init(_ path: String) throws {
    self.path = path
    text = try String(contentsOf: Self.packageFolder.appendingPathComponent(path), encoding: .utf8)
  }

  /// The README of the package.
  package static var readme: MarkdownPage { get throws { try MarkdownPage("README.md") } }

  /// A page of the manual, by its name without the extension.
  package static func manual(_ name: String) throws -> MarkdownPage {
    try MarkdownPage("\(manualFolder)/\(name).md")
  }

  /// All pages of the manual, by name.
  package static var manual: [MarkdownPage] {
    get throws {
      let folder = packageFolder.appendingPathComponent(manualFolder)
      return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        .filter { $0.hasSuffix(".md") }.map { try MarkdownPage("\(manualFolder)/\($0)") }
    }
  }

  /// The rows of all tables whose title row begins with this cell, each as its cells.
  package func table(_ title: String) -> [[String]] {
    let lines = text.components(separatedBy: "\n")
    return lines.indices.filter { lines[$0].hasPrefix("| \(title) |") }.flatMap { start in
      lines[(start + 2)...].prefix { $0.hasPrefix("|") }.map(Self.cells)
    }
  }

  /// The fenced blocks in this language, in the order of the page.
  package func blocks(_ language: String) -> [String] {
    text.components(separatedBy: "```\(language)\n").dropFirst().compactMap {
      $0.components(separatedBy: "```").first
    }
  }

  /// The command lines in indented blocks that start this program.
  package func commandLines(of program: String) -> [String] {
    text.components(separatedBy: "\n").filter { $0.hasPrefix("    \(program) ") }
      .map { $0.trimmingCharacters(in: .whitespaces) }
  }

  /// The targets of links and images, without fragments; web addresses are left out.
  package var links: [String] {
    let markdown = text.matches(of: /\]\(([^)\s#]+)[^)]*\)/).map { String($0.1) }
    let images = text.matches(of: /src="([^"]+)"/).map { String($0.1) }
    return (markdown + images).filter { !$0.contains("://") }
  }

  /// The path, relative to the package, of a link of this page.
  package func target(_ link: String) -> String {
    let folder = Self.packageFolder.appendingPathComponent(path).deletingLastPathComponent()
    let target = folder.appendingPathComponent(link).standardizedFileURL.path
    return String(target.dropFirst(Self.packageFolder.standardizedFileURL.path.count + 1))
  }

  /// The words between backquotes.
  package static func codes(in cell: String) -> [String] { cell.matches(of: /`([^`]+)`/).map { String($0.1) } }

  private static func cells(_ line: String) -> [String] {
    line.replacingOccurrences(of: "\\|", with: "\u{0}").split(separator: "|", omittingEmptySubsequences: false)
      .dropFirst().dropLast()
      .map { $0.replacingOccurrences(of: "\u{0}", with: "|").trimmingCharacters(in: .whitespaces) }
  }
}
