import JSON

/// The settings that change guidance in a pass, as far as they affect pixels.
extension PassSettings {
  /// The guidance scale with the pass's sampler; 1 for no guidance.
  public var guidanceScale: Double { cfgScale * sampler.guidanceFactor }

  private var isGuided: Bool { guidanceScale != 1 }

  /// How much of the part of guidance that is parallel to the prompt's own result is kept; 1 for all of it.
  public var effectiveAPGEta: Double { isGuided ? apgEta : 1 }

  /// The largest norm of the guidance; 0 for no limit.
  public var effectiveAPGNormThreshold: Double { isGuided ? apgNormThreshold : 0 }

  /// The factor for the guidance of earlier calls; 0 for none.
  public var effectiveAPGMomentum: Double { isGuided ? apgMomentum : 0 }

  /// How strongly the image is steered away from one made without some layers; 0 for families that cannot skip layers.
  public var effectiveSkipLayerScale: Double { traits.skipsLayers ? skipLayerScale : 0 }

  /// Whether some calls skip layers.
  public var skipsLayers: Bool { effectiveSkipLayerScale != 0 }

  /// Which part of the calls also computes the prompt without some layers, to four places; 0 for none.
  public var skippedLayerShare: Double {
    guard skipsLayers else { return 0 }
    let calls = sampler.plannedCalls(steps: steps)
    let count = (0..<calls).count { skipLayerInterval.contains(call: $0, of: calls) }
    return (Double(count) / Double(max(calls, 1)) * 10_000).rounded() / 10_000
  }

  /// How far the deviation of the result is brought back to that without guidance; 0 for not at all.
  public var effectiveCFGRescale: Double { isGuided || skipsLayers ? cfgRescale : 0 }
}

extension SettingsInUse {
  /// A value of the second pass; nil if the pass does not sample or has the same value as the first pass.
  func ownSecond<Value: Equatable>(_ value: (PassSettings) -> Value) -> Value? {
    sampledAgain.flatMap { second in
      let own = value(second)
      return own == value(settings.base) ? nil : own
    }
  }

  /// Whether the condition holds in any pass that samples.
  func inAnySampling(_ holds: (PassSettings) -> Bool) -> Bool {
    holds(settings.base) || sampledAgain.map(holds) ?? false
  }
}

extension PixelEffect {
  /// Affects the images that have a pass in which `value` is not `off`. The identity has the first pass's value; that of the
  /// second pass is in another row.
  static func byPass(_ value: @escaping @Sendable (PassSettings) -> Double, off: Double) -> PixelEffect {
    PixelEffect(
      applies: { $0.inAnySampling { value($0) != off } },
      member: Member(name: nil) { JSONValue.number(value($0.settings.base)).only(if: value($0.settings.base) != off) })
  }

  /// Affects the images whose second pass has another `value` than the first.
  static func bySecondPass(
    as name: String, _ value: @escaping @Sendable (PassSettings) -> Double
  ) -> PixelEffect {
    .computed(as: name) { image in image.ownSecond(value).map { JSONValue.number($0) } }
  }
}

extension InfotextEntry {
  /// A key with the first pass's value, written unless it is `off`.
  static func byPass(
    _ key: String, at position: Int, spellings: [String] = [], _ value: @escaping @Sendable (PassSettings) -> Double,
    off: Double
  ) -> InfotextEntry {
    .computed(key, at: position, spellings: spellings, reading: .byKind) {
      JSONValue.number(value($0.settings.base)).only(if: value($0.settings.base) != off)
    }
  }

  /// A key with the second pass's value, written if the first pass has another.
  static func bySecondPass(
    _ key: String, at position: Int, _ value: @escaping @Sendable (PassSettings) -> Double
  ) -> InfotextEntry {
    .computed(key, at: position, reading: .byKind) { image in image.ownSecond(value).map { JSONValue.number($0) } }
  }
}
