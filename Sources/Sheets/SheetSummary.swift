import Infotext
import Settings

/// The settings that all cells share, for the title.
struct SheetSummary {
  /// The prompt, and the negative prompt if there is one; empty if cells differ.
  let prompt: String
  /// The shared settings on one line.
  let settings: String

  /// The keys of the infotext that are shown.
  private let common: [String: String]

  private static let keys = ["Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Model"]

  init(_ cells: [SheetCell]) {
    var common: [String: String]?
    for cell in cells {
      let values = Self.values(cell)
      common = common.map { $0.filter { values[$0.key] == $0.value } } ?? values
    }
    let found = common ?? [:]
    self.common = found
    let negative = found["negative"] ?? ""
    prompt = [found["prompt"] ?? "", negative.isEmpty ? "" : "Negative prompt: " + negative]
      .filter { !$0.isEmpty }.joined(separator: "\n")
    var parts = Self.keys.compactMap { key in found[key].map { "\(key): \($0)" } }
    if let size = found["size"] { parts.append(size) }
    settings = parts.joined(separator: ", ")
  }

  private static func values(_ cell: SheetCell) -> [String: String] {
    let text = ParsedInfotext(cell.infotext)
    var values = text.settings
    values["prompt"] = text.prompt
    values["negative"] = text.negativePrompt
    values["size"] = "\(cell.width)x\(cell.height)"
    return values
  }

  /// What distinguishes a cell from the others: its prompt, and other settings with their names.
  func differences(of cell: SheetCell) -> String {
    let values = Self.values(cell)
    func own(_ key: String) -> String? { values[key].flatMap { common[key] == $0 || $0.isEmpty ? nil : $0 } }
    let settings = Self.keys.compactMap { key in own(key).map { "\(key): \($0)" } }
    return ([own("prompt")] + settings + [own("size")]).compactMap { $0 }.joined(separator: ", ")
  }
}
