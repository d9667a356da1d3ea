import JSON

extension JSONValue {
  /// The value if the condition holds, else nil. A literal `nil` would be read as JSON's null.
  func only(if condition: Bool) -> JSONValue? { condition ? .some(self) : Optional.none }
}

/// When a setting affects pixels, and what goes into an image's identity for it.
public struct PixelEffect: Sendable {
  /// Whether a change of the setting may change pixels.
  let applies: @Sendable (SettingsInUse) -> Bool
  /// The member of the identity that holds the setting; nil if other members cover its effect.
  let member: Member?

  /// A member of the identity, written while the effect applies.
  struct Member: Sendable {
    /// Its name; nil for the setting's key.
    var name: String?
    /// What it holds; nil for the setting's value.
    var value: (@Sendable (SettingsInUse) -> JSONValue?)?
  }

  /// It never affects an image.
  static let none = PixelEffect(applies: { _ in false }, member: nil)

  /// It affects every image.
  static let always = when { _ in true }

  /// It affects the images for which this is true.
  static func when(_ applies: @escaping @Sendable (SettingsInUse) -> Bool) -> PixelEffect {
    PixelEffect(applies: applies, member: Member())
  }

  /// It affects the images for which this is true in either pass.
  static func inAnyPass(_ applies: @escaping @Sendable (PassSettings) -> Bool) -> PixelEffect {
    when { $0.inAnyPass(applies) }
  }

  /// It affects the images for which `value` is not nil; the value goes into the identity, under `name` if given.
  static func computed(
    as name: String? = nil, _ value: @escaping @Sendable (SettingsInUse) -> JSONValue?
  ) -> PixelEffect {
    PixelEffect(
      applies: { if case .some = value($0) { true } else { false } }, member: Member(name: name, value: value))
  }

  /// It affects the images for which this is true, and other members of the identity are computed from it.
  static func through(_ applies: @escaping @Sendable (SettingsInUse) -> Bool) -> PixelEffect {
    PixelEffect(applies: applies, member: nil)
  }
}
