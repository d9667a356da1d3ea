import Prompts
import Settings

/// The axes that change prompts instead of setting a key: those of the webui's plot, and its prompt matrix.
enum PromptAxis: String, CaseIterable {
  case replace = "prompt_sr"
  case order = "prompt_order"
  case matrix = "prompt_matrix"
  case negativeMatrix = "negative_prompt_matrix"

  /// The webui's name.
  var label: String {
    switch self {
    case .replace: "Prompt S/R"
    case .order: "Prompt order"
    case .matrix: "Prompt matrix"
    case .negativeMatrix: "Negative prompt matrix"
    }
  }

  /// The kind of an axis with this name, in any letter case, and this program's name of the axis.
  ///
  /// There may be several axes of one kind, distinguished by the text after the name and a blank: `Prompt S/R colours`.
  static func named(_ name: String) -> (kind: PromptAxis, name: String)? {
    let wanted = name.lowercased()
    for kind in allCases {
      for spelling in [kind.rawValue, kind.label.lowercased()] {
        if wanted == spelling { return (kind, kind.rawValue) }
        guard wanted.hasPrefix(spelling + " ") else { continue }
        return (kind, kind.rawValue + " " + String(name.dropFirst(spelling.count)).trimmingBlanks)
      }
    }
    return nil
  }
}

/// Reads the values of axes that change prompts.
struct PromptAxisReader {
  let findings: Findings
  let budget: ValueBudget
  /// Collects the positions of texts with wildcards.
  let mentions: WildcardMentions
  /// The recipe's own prompt, which a matrix uses if it has no text.
  let basePrompt: String?
  let baseNegativePrompt: String?

  /// Reads one axis; nil, with an error reported, if it is not valid.
  func axis(_ kind: PromptAxis, called name: String, _ entry: YAMLEntry) -> Axis? {
    let run: Axis.Run? =
      switch kind {
      case .replace: replacements(entry)
      case .order: orders(entry)
      case .matrix: matrix(entry, of: "prompt", basePrompt, key: .promptMatrix)
      case .negativeMatrix: matrix(entry, of: "negative_prompt", baseNegativePrompt, key: .negativePromptMatrix)
      }
    return run.map { Axis(name: name, key: nil, runs: [$0], position: entry.keyPosition) }
  }

  // MARK: Plot

  private func replacements(_ entry: YAMLEntry) -> Axis.Run? {
    guard let texts = texts(of: entry), let first = texts.first else { return nil }
    guard !first.isEmpty else {
      findings.error(
        "\(entry.name): found an empty first value, expected the text to search for", at: entry.value.position)
      return nil
    }
    return .values(
      texts.map { text in
        let edit = PromptEdit.replace(first, by: text)
        return AxisValue(
          text: text, title: text, settings: [Setting(.promptEdit, .edit(edit, entry.value.position))], isNamed: true)
      })
  }

  private func orders(_ entry: YAMLEntry) -> Axis.Run? {
    guard let texts = texts(of: entry) else { return nil }
    guard !texts.contains("") else {
      findings.error("\(entry.name): found an empty value, expected parts of the prompt", at: entry.value.position)
      return nil
    }
    return .row(OrderRow(texts: texts, position: entry.value.position))
  }

  /// The texts: a list, or texts separated by bars, or texts separated by commas or newlines as in the webui, in double quotes
  /// if they contain a separator.
  private func texts(of entry: YAMLEntry) -> [String]? {
    func fail(_ message: String, _ position: SourcePosition? = nil) -> [String]? {
      findings.error("\(entry.name): \(message)", at: position ?? entry.value.position)
      return nil
    }
    var texts: [String] = []
    switch entry.value.content {
    case .mapping: return fail("found a mapping, expected a list of texts")
    case .sequence(let items):
      for item in items {
        guard let scalar = item.scalar else { return fail("found \(item.found), expected text", item.position) }
        texts.append(scalar.isNull ? "" : scalar.text)
        mentions.note(texts[texts.count - 1], at: item.position)
      }
    case .scalar(let scalar):
      guard budget.take(scalar.text) else {
        return fail("found too many values, expected \(ValueBudget.limit) at most in one recipe")
      }
      if scalar.isNull { break }
      mentions.note(scalar.text, at: entry.value.position)
      if scalar.text.contains("||") {
        texts = ValueSplitter.pieces(of: scalar, kind: .text).map(\.text)
      } else {
        do {
          texts = try CSVText.rows(scalar.text).flatMap(\.fields).map(\.trimmingBlanks)
        } catch {
          return fail("found an unclosed quote, expected a closing one at the end of the value")
        }
      }
    }
    return texts.isEmpty ? fail("found no values, expected at least one") : texts
  }

  // MARK: Matrix

  private func matrix(_ entry: YAMLEntry, of prompt: String, _ own: String?, key: RecipeKey) -> Axis.Run? {
    var value = entry.value
    var putsAtStart = false
    var delimiter = ", "
    var isSound = true
    for option in entry.value.entries ?? [] {
      let text = option.value.scalar?.text.lowercased()
      switch (option.name, text) {
      case (prompt, _): value = option.value
      case ("put_at_start", "true"): putsAtStart = true
      case ("put_at_start", "false"): break
      case ("variations_delimiter", "comma"): break
      case ("variations_delimiter", "space"): delimiter = " "
      case ("put_at_start", _), ("variations_delimiter", _):
        let expected = option.name == "put_at_start" ? "true or false" : "comma or space"
        findings.error("\(option.name): found \(option.value.found), expected \(expected)", at: option.value.position)
        isSound = false
      case ("different_seeds", _):
        findings.error(
          "found different_seeds, which is not supported by this version; a seed axis in one group of zip with this one "
            + "gives each image its own", at: option.keyPosition)
        isSound = false
      default:
        let names = [prompt, "put_at_start", "variations_delimiter"]
        findings.error(
          KeyReader.unknown(option.name, expected: SettingKind.list(names), names: names), at: option.keyPosition)
        isSound = false
      }
    }
    if value.entries != nil { value = YAMLNode(.scalar(YAMLScalar("")), at: entry.value.position) }
    guard isSound, let parts = parts(of: value, entry.name, prompt, own) else { return nil }
    var matrix = PromptMatrix(parts)
    matrix.putsAtStart = putsAtStart
    matrix.delimiter = delimiter
    return .row(MatrixRow(key: key, matrix: matrix))
  }

  private func parts(of value: YAMLNode, _ name: String, _ prompt: String, _ own: String?) -> [String]? {
    func fail(_ message: String, _ position: SourcePosition? = nil) -> [String]? {
      findings.error("\(name): \(message)", at: position ?? value.position)
      return nil
    }
    switch value.content {
    case .mapping: return fail("found a mapping, expected text such as a|b|c")
    case .sequence(let items):
      var parts: [String] = []
      for item in items {
        guard let scalar = item.scalar else { return fail("found \(item.found), expected text", item.position) }
        parts.append(scalar.isNull ? "" : scalar.text)
        mentions.note(parts[parts.count - 1], at: item.position)
      }
      return parts.count > 1 ? parts : fail("found fewer than two parts, expected the fixed one and others")
    case .scalar(let scalar):
      if scalar.isNull || scalar.text.isEmpty {
        let parts = PromptMatrix.split(own ?? "")
        return parts.count > 1 ? parts : fail("found no | in the recipe's \(prompt), expected parts such as a|b|c")
      }
      mentions.note(scalar.text, at: value.position)
      let parts = PromptMatrix.split(scalar.text)
      return parts.count > 1 ? parts : fail("found \(Quoted.short(scalar)), expected parts such as a|b|c")
    }
  }
}

/// The positions of the recipe's texts that may contain wildcards or dynamic prompts.
final class WildcardMentions {
  private var texts: [(text: String, position: SourcePosition)] = []
  private var braced: [(text: String, position: SourcePosition)] = []

  /// Notes a text that may contain wildcards.
  func note(_ text: String, at position: SourcePosition) {
    if text.utf8.contains(UInt8(ascii: "_")) { texts.append((text, position)) }
    if text.utf8.contains(UInt8(ascii: "{")) { braced.append((text, position)) }
  }

  /// The first text with variants or variables of dynamic prompts.
  var firstDynamic: (text: String, position: SourcePosition)? {
    braced.first { (try? DynamicPrompt($0.text))?.hasVariants == true }
  }

  /// The position of a text of the recipe that is part of a template.
  func position(ofTextIn template: String) -> SourcePosition? {
    (braced + texts).first { template == $0.text }?.position
      ?? (braced + texts).first { template.contains($0.text) }?.position
  }

  /// The text of the recipe that a character of a template comes from, and its offset in that text; nil if it comes from
  /// several texts.
  func origin(of offset: Int, in template: String) -> (text: String, offset: Int, position: SourcePosition)? {
    let scalars = Array(template.unicodeScalars)
    for (text, position) in braced + texts {
      let wanted = Array(text.unicodeScalars)
      // The start of the text is at most the text's own length before the character.
      for start in max(0, offset - wanted.count)...max(0, offset)
      where start + wanted.count <= scalars.count && scalars[start..<(start + wanted.count)].elementsEqual(wanted) {
        return (text, offset - start, position)
      }
    }
    return nil
  }

  /// Whether any text has an underscore; otherwise there is no wildcard.
  var mayHaveWildcards: Bool { !texts.isEmpty }

  /// The position of a wildcard; nil if it is composed of several texts.
  func position(of name: String) -> SourcePosition? {
    texts.first { Wildcard.names(in: $0.text).contains(name) }?.position
  }
}
