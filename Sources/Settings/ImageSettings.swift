/// Every setting of one image, resolved: no default and no random number is left to fill in.
///
/// The settings of the first pass can be read and changed directly: `settings.cfgScale`.
@dynamicMemberLookup
public struct ImageSettings: Hashable, Sendable {
  /// What each pass does, unless the second has a setting of its own.
  public var base: PassSettings
  /// The second pass (hires fix); nil for an image that is made in one pass.
  public var hires: HiresSettings?

  /// The defaults of a recipe, with a seed that still has to be set.
  public init() { base = PassSettings() }

  /// An image that is made in one pass.
  public init(_ pass: PassSettings) { base = pass }

  /// A setting of the first pass.
  @inlinable public subscript<Value>(dynamicMember path: WritableKeyPath<PassSettings, Value>) -> Value {
    get { base[keyPath: path] }
    set { base[keyPath: path] = newValue }
  }

  /// What the settings of the first pass result in.
  @inlinable public subscript<Value>(dynamicMember path: KeyPath<PassSettings, Value>) -> Value { base[keyPath: path] }
}

extension ImageSettings {
  /// What the first pass does.
  public var firstPass: PassSettings {
    var first = base
    if hires?.refinerPass == .second { first.refiner = nil }
    return first
  }

  /// What the second pass does, at its size before anything is cut off; nil without a second pass.
  public var secondPass: PassSettings? {
    guard let hires, let size = hiresSize else { return nil }
    var second = base
    (second.width, second.height) = (size.width, size.height)
    if let checkpoint = hires.checkpoint { second.model = checkpoint }
    if hires.refinerPass == .first { second.refiner = nil }
    if hires.steps != 0 { second.steps = hires.steps }
    if let sampler = hires.sampler { second.sampler = sampler }
    if let scheduler = hires.scheduler { second.scheduler = scheduler }
    if !hires.prompt.isEmpty { second.prompt = hires.prompt }
    if !hires.negativePrompt.isEmpty { second.negativePrompt = hires.negativePrompt }
    if hires.tokenMergingRatio != 0 { second.tokenMergingRatio = hires.tokenMergingRatio }
    return second
  }

  /// The size of the second pass; nil without one.
  public var hiresSize: HiresSize? {
    hires.map { HiresSize($0, firstWidth: base.width, firstHeight: base.height) }
  }

  /// Of the finished image, in pixels.
  public var finalWidth: Int { hiresSize?.finalWidth ?? base.width }

  /// Of the finished image, in pixels.
  public var finalHeight: Int { hiresSize?.finalHeight ?? base.height }

  /// Sampling steps of all passes.
  public var allSteps: Int {
    guard let hires else { return base.steps }
    return base.steps + (hires.denoisingStrength == 0 ? 0 : hires.steps == 0 ? base.steps : hires.steps)
  }
}
