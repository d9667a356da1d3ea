/// The results of the network's deep layers in the last call that ran them, for the calls until the next such call.
///
/// Every `interval`-th call of an image, counted from its start, runs all layers; if that call is not evaluated, the next one
/// does. An image that is resumed at one of these calls is the same as without stopping.
final class FeatureCache<Features> {
  private let interval: Int
  private var features: [PromptRole: (features: Features, call: Int)] = [:]

  /// Creates a cache for an image with this interval; nil if all layers run in every call.
  init?(interval: Int) {
    guard interval > 1 else { return nil }
    self.interval = interval
  }

  /// Whether nothing that was kept is used from this call on.
  func isRenewed(atCall call: Int) -> Bool { call % interval == 0 }

  /// The features of these prompts, in order; nil if all layers must run, because the interval is over or a prompt has not been
  /// evaluated since.
  func features(of roles: [PromptRole], atCall call: Int) -> [Features]? {
    let renewal = call - call % interval
    let kept = roles.compactMap { features[$0] }.filter { $0.call >= renewal && $0.call < call }.map(\.features)
    return kept.count == roles.count ? kept : nil
  }

  /// Keeps the features of these prompts.
  func keep(_ kept: [Features], of roles: [PromptRole], atCall call: Int) {
    for (role, feature) in zip(roles, kept) { features[role] = (feature, call) }
  }
}
