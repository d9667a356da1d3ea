import Settings

extension RefusedSetting {
  /// Whether the value has no effect: null, an empty list or mapping, or a harmless value.
  func allows(_ node: YAMLNode) -> Bool {
    switch node.content {
    case .scalar(let scalar):
      if scalar.isNull { return true }
      let text = scalar.text.lowercased()
      if harmless.contains(text) { return true }
      guard let number = ExactDecimal(text) else { return false }
      return harmless.contains(number.description)
    case .sequence(let items): return items.isEmpty
    case .mapping(let entries): return entries.isEmpty
    }
  }
}
