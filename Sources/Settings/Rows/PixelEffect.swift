import JSON

extension JSONValue {
  /// The value if the condition holds, else nil. A literal `nil` would be read as JSON's null.
  func only(if condition: Bool) -> JSONValue? { condition ? .some(self) : Optional.none }
}

/// When a setting affects pixels, and what an image's id contains for it.
public struct PixelEffect: Sendable {
  /// Whether a change of the setting may change pixels.
  let applies: @Sendable (SettingsInUse) -> Bool
  /// The member of the identity for the setting; nil if other members cover its effect.
  let member: Member?

  /// A member of the identity, written while the effect applies.
  struct Member: Sendable {
    /// The member's name; nil for the setting's key.
    var name: String?
    /// Computes the member's value; nil for the setting's value.
    var value: (@Sendable (SettingsInUse) -> JSONValue?)?
  }

  /// Never affects an image.
  static let none = PixelEffect(applies: { _ in false }, member: nil)

  /// Affects every image.
  static let always = when { _ in true }

  /// Affects the images for which the condition holds.
  static func when(_ applies: @escaping @Sendable (SettingsInUse) -> Bool) -> PixelEffect {
    PixelEffect(applies: applies, member: Member())
  }

  /// Affects the images for which the condition holds in either pass.
  static func inAnyPass(_ applies: @escaping @Sendable (PassSettings) -> Bool) -> PixelEffect {
    when { $0.inAnyPass(applies) }
  }

  /// Affects the images for which `value` is not nil. The identity contains the value, under `name` if that is given.
  static func computed(
    as name: String? = nil, _ value: @escaping @Sendable (SettingsInUse) -> JSONValue?
  ) -> PixelEffect {
    PixelEffect(
      applies: { if case .some = value($0) { true } else { false } }, member: Member(name: name, value: value))
  }

  /// Affects the images for which the condition holds. The identity has no member for it; others are computed from it.
  static func through(_ applies: @escaping @Sendable (SettingsInUse) -> Bool) -> PixelEffect {
    PixelEffect(applies: applies, member: nil)
  }
}
