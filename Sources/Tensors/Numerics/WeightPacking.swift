/// How much memory weights may take to be fast. It decides which convolutions use Winograd's algorithm, and so the last
/// digits of every image: it is part of a job's identity.
public enum WeightPacking: String, Sendable, CaseIterable {
  /// The fastest form.
  case fast
  /// The smallest form.
  case small
}
