import Text

/// A part of a pass, by the fraction of its calls of the network: from `start` on, before `end`.
public struct PassInterval: Hashable, Sendable {
  /// Where it starts, from 0.
  public let start: Double
  /// Where it ends, up to 1, which includes every later call.
  public let end: Double

  /// The whole pass.
  public static let whole = PassInterval(start: 0, end: 1)

  /// The part in which skip-layer guidance applies by default: the recommendation for Stable Diffusion 3.5 medium.
  public static let skippedLayers = PassInterval(start: 0.01, end: 0.2)

  private init(start: Double, end: Double) {
    self.start = start
    self.end = end
  }

  /// The part between two fractions; nil unless they are from 0 to 1 and ascending.
  public init?(_ start: Double, _ end: Double) {
    guard start >= 0, start <= end, end <= 1 else { return nil }
    self.init(start: start, end: end)
  }

  /// A part as text, such as `0.2 to 0.8`; nil for other text.
  public init?(_ text: String) {
    let words = text.split(whereSeparator: \.isWhitespace)
    guard words.count == 3, words[1].lowercased() == "to", let start = Double(words[0]), let end = Double(words[2])
    else { return nil }
    self.init(start, end)
  }

  /// As infotexts have it, such as `0.2 to 0.8`.
  public var text: String { "\(PythonNumber.repr(start)) to \(PythonNumber.repr(end))" }

  /// Whether it includes a call.
  ///
  /// - Parameters:
  ///   - call: Counted from 0.
  ///   - calls: How many the pass has, as the webui estimates. A few samplers make more.
  /// - Returns: Whether what the interval is for applies in this call.
  public func contains(call: Int, of calls: Int) -> Bool {
    let part = Double(call) / Double(max(calls, 1))
    return start <= part && (part < end || end == 1)
  }
}
