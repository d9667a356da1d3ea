import Foundation

/// The manual's pages in the terminal: `sdbatch help TOPIC`.
enum HelpTopic {
  /// The pages by name in lower case, in the order of the manual's first page.
  static let pages: [(name: String, text: String)] = [
    ("manual", EmbeddedText.Manual_md), ("recipes", EmbeddedText.Recipes_md),
    ("prompts", EmbeddedText.Prompts_md), ("samplers", EmbeddedText.Samplers_md),
    ("model-files", EmbeddedText.Models_md), ("flow", EmbeddedText.Flow_md), ("lora", EmbeddedText.LoRA_md),
    ("hires", EmbeddedText.Hires_md),
    ("faces", EmbeddedText.Faces_md), ("runs", EmbeddedText.Runs_md), ("files", EmbeddedText.Files_md),
    ("sheets", EmbeddedText.Sheets_md), ("every-night", EmbeddedText.Nights_md),
    ("queues", EmbeddedText.Queue_md),
    ("machines", EmbeddedText.Machines_md), ("requests", EmbeddedText.Requests_md),
    ("speed", EmbeddedText.Speed_md), ("questions", EmbeddedText.Questions_md),
    ("exit-codes", EmbeddedText.ExitCodes_md), ("commands", EmbeddedText.Commands_md),
    ("image-text", EmbeddedText.Inspect_md), ("changelog", EmbeddedText.Changelog_md),
  ]

  /// What `sdbatch help WORD` prints if the word is a topic or "topics"; nil for commands and other words.
  static func text(for arguments: [String]) -> String? {
    guard arguments.count == 2, arguments[0] == "help" else { return nil }
    let word = arguments[1].lowercased()
    if word == "topics" { return list }
    let commands = SDBatch.configuration.subcommands.compactMap { $0.configuration.commandName }
    guard !commands.contains(word), let page = pages.first(where: { $0.name == word }) else { return nil }
    return TerminalPage(markdown: page.text, columns: Console.columns ?? 100).text
  }

  private static var list: String {
    let width = pages.map(\.name.count).max() ?? 0
    let lines = pages.map { page in
      // The sentence below the title.
      let lines = page.text.split(separator: "\n")
      let sentence = lines.count > 1 ? String(lines[1]) : ""
      return "  \(page.name)\(String(repeating: " ", count: width - page.name.count))  \(sentence)"
    }
    return "Topics, for \"sdbatch help TOPIC\":\n\n" + lines.joined(separator: "\n")
  }
}

/// A page of Markdown, formatted for a terminal.
struct TerminalPage {
  /// Plain text: links without their targets, tables in columns.
  let text: String

  /// Formats a page for lines of this many characters.
  init(markdown: String, columns: Int) {
    var lines: [String] = []
    var table: [[String]] = []
    var paragraph = ""
    var isCode = false
    let width = max(columns, 40)

    func endBlocks() {
      if !table.isEmpty {
        lines += Self.laidOut(table, width)
        table = []
      }
      if !paragraph.isEmpty {
        lines += Self.wrapped(paragraph, width)
        paragraph = ""
      }
    }

    for line in markdown.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
      if line.hasPrefix("```") {
        endBlocks()
        isCode.toggle()
      } else if isCode {
        lines.append("    " + line)
      } else if line.hasPrefix("    ") {
        endBlocks()
        lines.append(line)
      } else if line.hasPrefix("|") {
        if !paragraph.isEmpty { endBlocks() }
        let cells = Self.cells(line).map(Self.plain)
        if !cells.allSatisfy({ $0.allSatisfy { "-: ".contains($0) } && !$0.isEmpty }) { table.append(cells) }
      } else if line.hasPrefix("#") {
        endBlocks()
        lines.append(Self.plain(String(line.drop { $0 == "#" || $0 == " " })).uppercased())
      } else if line.hasPrefix("<!--") {
        endBlocks()
      } else if line.isEmpty {
        endBlocks()
        lines.append("")
      } else {
        // An item of a list begins a new paragraph.
        let isItem = line.hasPrefix("* ") || line.hasPrefix("- ") || line.first?.isNumber == true && line.contains(". ")
        if isItem { endBlocks() }
        paragraph += (paragraph.isEmpty ? "" : " ") + Self.plain(line.trimmingCharacters(in: .whitespaces))
      }
    }
    endBlocks()
    text = lines.joined(separator: "\n").trimmingCharacters(in: .newlines)
  }

  /// The cells of a table row; `\|` is text.
  private static func cells(_ line: String) -> [String] {
    let marked = line.replacingOccurrences(of: "\\|", with: "\u{1}")
    let parts = marked.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
    return parts.map {
      $0.trimmingCharacters(in: .whitespaces).replacingOccurrences(of: "\u{1}", with: "|")
    }
  }

  /// Text without marks: links keep their words, code and emphasis lose their marks.
  private static func plain(_ text: String) -> String {
    text.replacing(/\[([^\]]*)\]\([^)]*\)/) { String($0.1) }
      .replacingOccurrences(of: "`", with: "").replacingOccurrences(of: "**", with: "")
  }

  /// A paragraph as lines; the lines of an item after its first line are indented.
  private static func wrapped(_ text: String, _ width: Int) -> [String] {
    let indent = text.hasPrefix("* ") || text.hasPrefix("- ") ? "  " : ""
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty, line.count + 1 + word.count > width {
        lines.append(line)
        line = indent + word
      } else {
        line += (line.isEmpty ? "" : " ") + word
      }
    }
    return line.isEmpty ? lines : lines + [line]
  }

  /// A table in columns; the last column takes the rest of a line.
  private static func laidOut(_ rows: [[String]], _ width: Int) -> [String] {
    let count = rows.map(\.count).max() ?? 0
    guard count > 0 else { return [] }
    let limit = count == 1 ? width : max(12, width / count)
    var widths = (0..<count).map { column in
      min(rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0, limit)
    }
    widths[count - 1] = max(12, width - widths.dropLast().reduce(0) { $0 + $1 + 2 })
    return rows.flatMap { row in
      let cells = (0..<count).map { column in
        column < row.count ? wrapped(row[column], widths[column]) : []
      }
      return (0..<(cells.map(\.count).max() ?? 0)).map { index in
        let parts = cells.enumerated().map { column, lines in
          let part = index < lines.count ? lines[index] : ""
          return column == count - 1 ? part : part + String(repeating: " ", count: max(0, widths[column] - part.count))
        }
        return parts.joined(separator: "  ").replacing(/[ ]+$/, with: "")
      }
    }
  }
}
