/// How many evaluations of the network images needed; each context counts separately.
public struct NetworkEvaluations: Hashable, Sendable {
  /// The evaluations that were needed.
  public var asked: Int
  /// The evaluations that were skipped, because an earlier image had the same one.
  public var saved: Int

  /// Counts of evaluations.
  public init(asked: Int = 0, saved: Int = 0) {
    self.asked = asked
    self.saved = saved
  }

  /// The evaluations since an earlier count.
  public static func - (now: NetworkEvaluations, before: NetworkEvaluations) -> NetworkEvaluations {
    NetworkEvaluations(asked: now.asked - before.asked, saved: now.saved - before.saved)
  }
}
