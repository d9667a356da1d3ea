import Settings

/// An axis of the grid as the cells show it: its places in the order of the recipe.
///
/// The axes of a zip group advance together, so they are one axis here, with several names.
package struct SheetAxis: Hashable {
  /// The recipe's names, one but for a zip group.
  package var names: [String]
  /// The places; each has a position for every name.
  package var places: [[AxisPosition]] = []

  /// How people and options call it.
  package var name: String { names.joined(separator: " + ") }

  /// What a label says of a place.
  package func label(_ place: Int) -> String {
    places[place].map(Self.label).joined(separator: "\n")
  }

  /// What a label says of a position: a number needs to be told what it is of, a name or a title of the user's own speaks for
  /// itself.
  package static func label(_ position: AxisPosition) -> String {
    let speaksForItself = position.title != position.value || (Double(position.value) == nil && !position.value.isEmpty)
    return speaksForItself ? position.title : "\(position.name): \(position.title)"
  }

  /// Whether an option means this axis.
  package func isCalled(_ text: String) -> Bool {
    let text = text.lowercased()
    return name.lowercased() == text || names.contains { $0.lowercased() == text }
  }

  /// The cells' axes in the order of the recipe.
  ///
  /// - Parameters:
  ///   - cells: The positions of every cell of the run.
  ///   - groups: The names in each zip group.
  /// - Returns: Every axis that some cell has, with all places on it.
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
        guard let place = axes[index].place(of: cell), seen.insert(place).inserted else { continue }
        axes[index].places.append(place)
      }
    }
    return axes
  }

  /// Where a cell stands; nothing for one that has no place on the axis.
  package func place(of cell: [AxisPosition]) -> [AxisPosition]? {
    let positions = names.compactMap { name in cell.first { $0.name == name } }
    return positions.count == names.count ? positions : nil
  }
}
