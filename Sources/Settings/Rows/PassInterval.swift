import Text

/// A part of a pass, as fractions of its calls of the network: from `start` on, up to but not including `end`.
public struct PassInterval: Hashable, Sendable {
  /// Where it starts, from 0.
  public let start: Double
  /// Where it ends, up to 1. An end of 1 includes all later calls.
  public let end: Double

  /// The whole pass.
  public static let whole = PassInterval(start: 0, end: 1)

  /// The default part for skip-layer guidance, as recommended for Stable Diffusion 3.5 medium.
  public static let skippedLayers = PassInterval(start: 0.01, end: 0.2)

  private init(start: Double, end: Double) {
    self.start = start
    self.end = end
  }

  /// Creates a part between two fractions; nil unless they are from 0 to 1 and ascending.
  public init?(_ start: Double, _ end: Double) {
    guard start >= 0, start <= end, end <= 1 else { return nil }
    self.init(start: start, end: end)
  }

  /// Reads a part such as `0.2 to 0.8`; nil for other text.
  public init?(_ text: String) {
    let words = text.split(whereSeparator: \.isWhitespace)
    guard words.count == 3, words[1].lowercased() == "to", let start = Double(words[0]), let end = Double(words[2])
    else { return nil }
    self.init(start, end)
  }

  /// The text for infotexts, such as `0.2 to 0.8`.
  public var text: String { "\(PythonNumber.repr(start)) to \(PythonNumber.repr(end))" }

  /// Whether the interval contains a call.
  ///
  /// - Parameters:
  ///   - call: The index of the call, from 0.
  ///   - calls: The number of calls of the pass, as the webui estimates it. A few samplers make more.
  /// - Returns: Whether the call is in the interval.
  public func contains(call: Int, of calls: Int) -> Bool {
    let part = Double(call) / Double(max(calls, 1))
    return start <= part && (part < end || end == 1)
  }
}
