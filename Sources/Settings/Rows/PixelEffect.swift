import JSON

extension JSONValue {
  /// The value, or no value. A `nil` beside a `JSONValue` would be JSON's null.
  func only(if condition: Bool) -> JSONValue? { condition ? .some(self) : Optional.none }
}

/// When a setting affects pixels, and what of it goes into an image's identity.
public struct PixelEffect: Sendable {
  /// Whether a change of the setting may change pixels.
  let applies: @Sendable (SettingsInUse) -> Bool
  /// The member of the identity that holds the setting; nil if other members hold what it results in.
  let member: Member?

  /// A member of the identity, written while the effect applies.
  struct Member: Sendable {
    /// Its name; nil for the setting's key.
    var name: String?
    /// What it holds; nil for the setting's value.
    var value: (@Sendable (SettingsInUse) -> JSONValue?)?
  }

  /// Images are the same whatever the setting.
  static let none = PixelEffect(applies: { _ in false }, member: nil)

  /// It affects every image.
  static let always = when { _ in true }

  /// It affects the images for which this holds.
  static func when(_ applies: @escaping @Sendable (SettingsInUse) -> Bool) -> PixelEffect {
    PixelEffect(applies: applies, member: Member())
  }

  /// It affects images in one of whose passes this holds.
  static func inAnyPass(_ applies: @escaping @Sendable (PassSettings) -> Bool) -> PixelEffect {
    when { $0.inAnyPass(applies) }
  }

  /// It affects the images for which there is a value; that goes into the identity, under `name` if it is given.
  static func computed(
    as name: String? = nil, _ value: @escaping @Sendable (SettingsInUse) -> JSONValue?
  ) -> PixelEffect {
    PixelEffect(
      applies: { if case .some = value($0) { true } else { false } }, member: Member(name: name, value: value))
  }

  /// It affects the images for which this holds, through what other members of the identity are computed from.
  static func through(_ applies: @escaping @Sendable (SettingsInUse) -> Bool) -> PixelEffect {
    PixelEffect(applies: applies, member: nil)
  }
}
