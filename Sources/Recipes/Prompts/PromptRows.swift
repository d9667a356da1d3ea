import Prompts

/// Every order of some texts ("Prompt order"), in the order of Python's `itertools.permutations`.
struct OrderRow: AxisRow {
  /// The texts, at least one.
  let texts: [String]
  let position: SourcePosition

  var key: RecipeKey { .promptEdit }
  var isNamed: Bool { true }
  /// The factorial of the number of texts; `Int.max` on overflow.
  var count: Int {
    (1...texts.count).reduce(1) { count, factor in
      let (product, overflow) = count.multipliedReportingOverflow(by: factor)
      return overflow ? Int.max : product
    }
  }

  func text(at index: Int) -> String { order(index).joined(separator: ", ") }

  func setting(at index: Int) -> KeyValue { .edit(.order(order(index)), position) }

  /// The order with this index: its digits in the factorial number system choose among the remaining texts.
  private func order(_ index: Int) -> [String] {
    var digits: [Int] = []
    var rest = index
    for base in 1...texts.count {
      digits.append(rest % base)
      rest /= base
    }
    var left = texts
    return digits.reversed().map { left.remove(at: $0) }
  }
}

/// Every combination of a prompt matrix.
struct MatrixRow: AxisRow {
  /// The key for the matrix of the prompt or of the negative prompt.
  let key: RecipeKey
  let matrix: PromptMatrix

  var count: Int { matrix.count }
  var isNamed: Bool { true }

  func text(at index: Int) -> String {
    let chosen = matrix.chosen(index)
    return chosen.isEmpty ? "none" : chosen.joined(separator: ", ")
  }

  func setting(at index: Int) -> KeyValue { .combination(matrix, index) }
}
