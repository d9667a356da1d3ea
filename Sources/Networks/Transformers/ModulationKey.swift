/// What a modulation by noise level, guidance and text depends on.
struct ModulationKey: Hashable {
  /// 1000 times the noise level.
  let timestep: Float
  /// What the network was distilled for; 0 for networks that do not read it.
  let guidance: Float
  /// The encoding of the text as a whole.
  let pooled: [Float]
  /// Whose that is, which is compared instead of its numbers.
  let context: ContextIdentity

  static func == (a: ModulationKey, b: ModulationKey) -> Bool {
    a.timestep.bitPattern == b.timestep.bitPattern && a.guidance.bitPattern == b.guidance.bitPattern
      && a.context == b.context
  }

  func hash(into hasher: inout Hasher) {
    hasher.combine(timestep.bitPattern)
    hasher.combine(guidance.bitPattern)
    hasher.combine(context)
  }
}
