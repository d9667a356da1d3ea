/// Columns of text.
enum TextTable {
  /// The lines of a table.
  ///
  /// - Parameters:
  ///   - head: The names of the columns.
  ///   - rows: The cells.
  ///   - left: The columns that are aligned to the left; the others contain numbers and are aligned to the right.
  /// - Returns: Lines.
  static func lines(_ head: [String], _ rows: [[String]], left: Set<Int> = [0]) -> [String] {
    let all = [head] + rows
    let widths = head.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return all.map { row in
      let cells = row.enumerated().map { column, text in
        let space = String(repeating: " ", count: widths[column] - text.count)
        return left.contains(column) ? text + space : space + text
      }
      return cells.joined(separator: "  ").replacing(/[ ]+$/, with: "")
    }
  }
}
