import Settings

extension ImageSettings {
  /// Whether no value is larger than any recipe allows, as it can be in a damaged plan: such values make arithmetic overflow.
  ///
  /// The limits are wider than those of recipes, so plans of all versions can be read.
  var isSound: Bool {
    guard SizeLimit.sides.contains(self.width), SizeLimit.sides.contains(self.height),
      SettingRow.all.allSatisfy({ $0.pass == .second && hires == nil || Self.isSound($0.value(of: self), $0.kind) })
    else { return false }
    guard let size = hiresSize else { return true }
    return [size.width, size.height, size.finalWidth, size.finalHeight].allSatisfy((0...1 << 24).contains)
  }

  private static func isSound(_ value: SettingValue, _ kind: SettingKind) -> Bool {
    switch (value, kind) {
    case (.integer(let value), .integer(let range, _)): range.contains(value) || value.magnitude <= 1 << 20
    case (.number(let value), .number(let range)): range.contains(value) || value.magnitude <= 1e9
    default: true
    }
  }
}
