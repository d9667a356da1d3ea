/// The architectures that this version runs.
public enum ModelFamily: String, Sendable, CaseIterable {
  /// Stable Diffusion 1.x.
  case sd1
}
