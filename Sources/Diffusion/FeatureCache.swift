import Networks

/// What the network's deep layers said at the last call that computed them, for the calls until the next such one.
///
/// The calls that compute everything are every so many of an image's, counted from its start, so an image that is taken up
/// again at one of them is the same as without stopping.
final class FeatureCache {
  private let interval: Int
  /// By the place of a part of the prompt; the negative prompt has a place of its own, for it is left out in some calls.
  private var features: [Int: UNetFeatures] = [:]

  /// The place of the negative prompt.
  static let negative = -1

  /// A cache for an image whose job asks for this interval; nothing where everything is always computed.
  init?(interval: Int) {
    guard interval > 1 else { return nil }
    self.interval = interval
  }

  /// Whether nothing that is kept is needed from this call on.
  func isRenewed(atCall call: Int) -> Bool { call % interval == 0 }

  /// What is kept of these places, in order; nothing where it is time for all layers, or a place has not been asked since.
  func features(of places: [Int], atCall call: Int) -> [UNetFeatures]? {
    if isRenewed(atCall: call) { features = [:] }
    let kept = places.compactMap { features[$0] }
    return kept.count == places.count ? kept : nil
  }

  /// Keeps what the deep layers said.
  func keep(_ kept: [UNetFeatures], of places: [Int]) {
    for (place, feature) in zip(places, kept) { features[place] = feature }
  }
}
