/// All settings of one image, resolved: all defaults are filled in and all random seeds are drawn.
///
/// The settings of the first pass can be read and changed directly: `settings.cfgScale`.
@dynamicMemberLookup
public struct ImageSettings: Hashable, Sendable {
  @usableFromInline struct Passes: Hashable, Sendable {
    @usableFromInline var base: PassSettings
    @usableFromInline var hires: HiresSettings?
  }

  @usableFromInline var passes: CopyOnWrite<Passes>

  /// The settings of both passes, unless the second pass overrides one.
  @inlinable public var base: PassSettings {
    _read { yield passes.value.base }
    _modify { yield &passes.value.base }
  }

  /// The second pass (hires fix); nil for an image that is made in one pass.
  @inlinable public var hires: HiresSettings? {
    _read { yield passes.value.hires }
    _modify { yield &passes.value.hires }
  }

  /// The defaults of a recipe; the seed must still be set.
  public init() { self = Self.standard }

  /// Creates an image that is made in one pass.
  public init(_ pass: PassSettings) { passes = CopyOnWrite(Passes(base: pass)) }

  private static let standard = ImageSettings(PassSettings())

  /// A setting of the first pass.
  @inlinable public subscript<Value>(dynamicMember path: WritableKeyPath<PassSettings, Value>) -> Value {
    get { base[keyPath: path] }
    set { base[keyPath: path] = newValue }
  }

  /// A value derived from the settings of the first pass.
  @inlinable public subscript<Value>(dynamicMember path: KeyPath<PassSettings, Value>) -> Value { base[keyPath: path] }
}

extension ImageSettings {
  /// The effective settings of the first pass.
  public var firstPass: PassSettings {
    var first = base
    if hires?.refinerPass == .second { first.refiner = nil }
    return first
  }

  /// The effective settings of the second pass, at its size before cropping; nil without a second pass.
  public var secondPass: PassSettings? {
    guard let hires, let size = hiresSize else { return nil }
    var second = base
    (second.width, second.height) = (size.width, size.height)
    if let checkpoint = hires.checkpoint {
      // Each family has its own shift.
      if checkpoint.family != base.model.family { second.shift = 0 }
      second.model = checkpoint
    }
    if hires.refinerPass == .first { second.refiner = nil }
    if hires.steps != 0 { second.steps = hires.steps }
    if let sampler = hires.sampler { second.sampler = sampler }
    if let scheduler = hires.scheduler { second.scheduler = scheduler }
    if hires.cfgScale != 0 { second.cfgScale = hires.cfgScale }
    if hires.distilledCFGScale != 0 { second.distilledCFGScale = hires.distilledCFGScale }
    if !hires.prompt.isEmpty { second.prompt = hires.prompt }
    if !hires.negativePrompt.isEmpty { second.negativePrompt = hires.negativePrompt }
    if hires.tokenMergingRatio != 0 { second.tokenMergingRatio = hires.tokenMergingRatio }
    if let interval = hires.guidanceInterval { second.guidanceInterval = interval }
    if let rescale = hires.cfgRescale { second.cfgRescale = rescale }
    if let eta = hires.apgEta { second.apgEta = eta }
    if let threshold = hires.apgNormThreshold { second.apgNormThreshold = threshold }
    if let momentum = hires.apgMomentum { second.apgMomentum = momentum }
    if let scale = hires.skipLayerScale { second.skipLayerScale = scale }
    if hires.featureForecast != 0 { second.featureForecast = hires.featureForecast }
    return second
  }

  /// The size of the second pass; nil without one.
  public var hiresSize: HiresSize? {
    hires.map { hires in
      HiresSize(
        hires, firstWidth: base.width, firstHeight: base.height,
        geometry: (hires.checkpoint ?? base.model).family.traits.geometry)
    }
  }

  /// The width of the finished image, in pixels.
  public var finalWidth: Int { hiresSize?.finalWidth ?? base.width }

  /// The height of the finished image, in pixels.
  public var finalHeight: Int { hiresSize?.finalHeight ?? base.height }

  /// The sampling steps of both passes together.
  public var allSteps: Int {
    guard let hires else { return base.steps }
    return base.steps + (hires.denoisingStrength == 0 ? 0 : hires.steps == 0 ? base.steps : hires.steps)
  }
}
