import Settings
import Text

/// An axis of the grid with the steps that occur in the cells, in the order of the recipe.
///
/// The axes of a zip group advance together, so they are one axis here, which has several names. A step then has one value for
/// each name.
package struct SheetAxis: Hashable {
  /// The names in the recipe: one, or several for a zip group.
  package var names: [String]
  /// The steps; each has one position for every name.
  package var steps: [[AxisPosition]] = []

  /// The name for options and addresses.
  package var name: String { names.joined(separator: " + ") }

  /// The name for labels, in the user's words.
  package var title: String { names.map(Self.title).joined(separator: " + ") }

  /// The user's name for an axis of prompts, or the webui's name for its kind; other axes have their key.
  package static func title(_ name: String) -> String {
    for (key, title) in promptAxes {
      if name == key { return title }
      if name.hasPrefix(key + " ") { return String(name.dropFirst(key.count + 1)) }
    }
    return name
  }

  private static let promptAxes = [
    ("prompt_sr", "Prompt S/R"), ("prompt_order", "Prompt order"), ("prompt_matrix", "Prompt matrix"),
    ("negative_prompt_matrix", "Negative prompt matrix"),
  ]

  /// The label of the step with this index.
  package func label(_ step: Int) -> String {
    steps[step].map(Self.label).joined(separator: "\n")
  }

  /// The label of a position. A number needs the name of its axis; a name or a user's title does not.
  package static func label(_ position: AxisPosition) -> String {
    let needsNoName = position.title != position.value || (Double(position.value) == nil && !position.value.isEmpty)
    return needsNoName ? position.title : "\(title(position.name)): \(position.title)"
  }

  /// Whether the text of an option is a name of this axis.
  package func isCalled(_ text: String) -> Bool {
    let text = text.lowercased()
    return name.lowercased() == text || names.contains { $0.lowercased() == text }
  }

  /// The cells' axes in the order of the recipe.
  ///
  /// - Parameters:
  ///   - cells: The positions of every cell of the run.
  ///   - groups: The names in each zip group.
  /// - Returns: Every axis that some cell has, with all its steps.
  package static func all(of cells: [[AxisPosition]], groups: [[String]]) -> [SheetAxis] {
    // Extra cells may have fewer axes than those of the grid.
    let full = cells.max { $0.count < $1.count } ?? []
    var axes: [SheetAxis] = []
    for position in full where !axes.contains(where: { $0.names.contains(position.name) }) {
      let group = groups.first { $0.contains(position.name) } ?? [position.name]
      axes.append(SheetAxis(names: full.map(\.name).filter(group.contains)))
    }
    for index in axes.indices {
      var seen: Set<[AxisPosition]> = []
      for cell in cells {
        guard let step = axes[index].step(of: cell), seen.insert(step).inserted else { continue }
        axes[index].steps.append(step)
      }
      axes[index].sortNights()
    }
    return axes
  }

  /// Sorts the steps of a night axis, newest first.
  private mutating func sortNights() {
    guard names == ["night"], steps.allSatisfy({ LocalDate($0[0].value) != nil }) else { return }
    steps.sort { $0[0].value > $1[0].value }
  }

  /// The step of a cell on this axis; nil if the cell does not have the axis.
  package func step(of cell: [AxisPosition]) -> [AxisPosition]? {
    let positions = names.compactMap { name in cell.first { $0.name == name } }
    return positions.count == names.count ? positions : nil
  }
}
