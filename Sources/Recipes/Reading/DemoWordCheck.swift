import Foundation
import Settings

/// Warns about words of prompts that the demo model does not know: it was trained on scenes of a few shapes and colours.
struct DemoWordCheck {
  private let known: Set<String>
  private var unknown: [String] = []
  private var first: SourcePosition?

  /// Checks a recipe that may make images with the demo model. There is at most one warning.
  ///
  /// - Parameters:
  ///   - root: The recipe.
  ///   - known: The model's words, in lower case; empty if they are unknown.
  ///   - findings: Receives the warning.
  static func check(_ root: YAMLNode, known: Set<String>, _ findings: Findings) {
    guard !known.isEmpty else { return }
    var check = DemoWordCheck(known: known)
    check.visit(root, isText: false)
    guard let position = check.first else { return }
    let words = check.unknown.prefix(5).map { Quoted.short($0) }.joined(separator: ", ")
    let more = check.unknown.count > 5 ? " and \(check.unknown.count - 5) more" : ""
    findings.warning(
      "the demo model does not know \(words)\(more): it draws simple shapes in plain colours, such as a red fish on a blue "
        + "background; name another model with model:",
      at: position)
  }

  private init(known: Set<String>) { self.known = known }

  private mutating func visit(_ node: YAMLNode, isText: Bool) {
    switch node.content {
    case .scalar(let scalar): if isText { check(scalar.text, at: node.position) }
    case .sequence(let items): for item in items { visit(item, isText: isText) }
    case .mapping(let entries):
      for entry in entries { visit(entry.value, isText: isText || Self.holdsText(entry.name)) }
    }
  }

  private static func holdsText(_ name: String) -> Bool {
    [
      "prompt", "prompt_append", "negative_prompt", "negative_prompt_append", "hr_prompt", "hr_negative_prompt",
    ].contains(name) || PromptAxis.named(name) != nil
  }

  private mutating func check(_ text: String, at position: SourcePosition) {
    let words = Self.words(of: text).filter { !known.contains($0) && !unknown.contains($0) }
    for word in words where !unknown.contains(word) { unknown.append(word) }
    if !words.isEmpty, first == nil { first = position }
  }

  /// The words of a prompt, in lower case, without the words of the prompt language and the names of wildcards, variables and
  /// LoRAs.
  private static func words(of text: String) -> [String] {
    let plain = text.replacing(/<[^>]*>|__[^_\s][^\s]*?__|\$\{\s*\w+/, with: " ")
    return plain.split { !$0.isLetter }.map(String.init).filter { !["AND", "BREAK"].contains($0) }
      .map { $0.lowercased() }
  }
}

extension Recipe {
  /// Whether any image may be made by the demo model.
  ///
  /// - Parameters:
  ///   - base: The settings that every cell starts from.
  ///   - axes: All axes.
  /// - Returns: True also if there is no model, because that means the demo model.
  static func mayUseDemo(_ base: [Setting], _ axes: [Axis]) -> Bool {
    func isDemo(_ setting: Setting) -> Bool {
      if case .setting(.model(let model)) = setting.value { model == .demo } else { false }
    }
    let axes = axes.filter { axis in RecipeKey.named("model").map(axis.setsKey) ?? false }
    guard axes.isEmpty else {
      return axes.contains { axis in
        (0..<axis.count).contains { axis.value(at: $0).settings.contains { $0.key.name == "model" && isDemo($0) } }
      }
    }
    return base.last { $0.key.name == "model" }.map(isDemo) ?? true
  }
}
