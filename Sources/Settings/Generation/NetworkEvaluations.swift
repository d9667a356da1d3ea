/// How often images asked the network, with each context by itself.
public struct NetworkEvaluations: Hashable, Sendable {
  /// Questions in all.
  public var asked: Int
  /// Those whose answer was known from an earlier image.
  public var saved: Int

  /// So many questions.
  public init(asked: Int = 0, saved: Int = 0) {
    self.asked = asked
    self.saved = saved
  }

  /// What was asked since an earlier count.
  public static func - (now: NetworkEvaluations, before: NetworkEvaluations) -> NetworkEvaluations {
    NetworkEvaluations(asked: now.asked - before.asked, saved: now.saved - before.saved)
  }
}
