extension String {
  /// The text for a message: on one line, at most 100 scalars long, with control characters escaped.
  ///
  /// Files come from anywhere, so their names and keys must not move the cursor or colour the terminal.
  package var abridged: String {
    let limit = 100
    var line = ""
    for scalar in unicodeScalars.prefix(limit) {
      switch scalar {
      case "\n", "\r", "\t": line += " "
      case _ where scalar.actsOnTerminal:
        line += "\\u{\(String(scalar.value, radix: 16))}"
      default: line.unicodeScalars.append(scalar)
      }
    }
    return unicodeScalars.dropFirst(limit).isEmpty ? line : line + "..."
  }
}
