/// How much memory weights may take to be fast. It decides which convolutions use Winograd's algorithm, and so the last digits
/// of every image. It is part of a job's id.
public enum WeightPacking: String, Sendable, CaseIterable {
  /// The fastest form.
  case fast
  /// The smallest form.
  case small
}
