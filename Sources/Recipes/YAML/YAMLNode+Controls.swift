import Text

extension YAMLNode {
  /// The node without control characters in its texts and keys; they can only come from escapes such as `\x1b`.
  ///
  /// - Parameter report: Called for each text with a NUL, which is an error.
  /// - Returns: The node; unchanged if it has none.
  func withoutControls(_ report: (_ message: String, _ position: SourcePosition) -> Void) -> YAMLNode {
    func cleaned(_ scalar: YAMLScalar, at position: SourcePosition) -> YAMLScalar {
      if scalar.text.utf8.contains(0) {
        report("found a NUL character in \(Quoted.short(scalar.text)), expected text without it", position)
      }
      return YAMLScalar(scalar.text.withoutControls, style: scalar.style)
    }
    var node = self
    switch content {
    case .scalar(let scalar): node.content = .scalar(cleaned(scalar, at: position))
    case .sequence(let items): node.content = .sequence(items.map { $0.withoutControls(report) })
    case .mapping(let entries):
      node.content = .mapping(
        entries.map { entry in
          YAMLEntry(
            key: cleaned(entry.key, at: entry.keyPosition), keyPosition: entry.keyPosition,
            value: entry.value.withoutControls(report))
        })
    }
    return node
  }
}
