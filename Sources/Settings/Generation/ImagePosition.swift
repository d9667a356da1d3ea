/// How much of an image is done: the number of calls of the network in its first pass, or a later stage.
public struct ImagePosition: Comparable, Hashable, Sendable {
  private let order: Int

  private init(order: Int) { self.order = order }

  /// Before a call of the first pass, counted from 0.
  public static func call(_ call: Int) -> ImagePosition { ImagePosition(order: min(call, secondPass.order - 1)) }

  /// After the first pass, before anything of the second.
  public static let secondPass = ImagePosition(order: 1 << 40)

  /// In the second pass.
  public static let inSecondPass = ImagePosition(order: 1 << 41)

  /// After the last step, before the latent is decoded.
  public static let decoding = ImagePosition(order: 1 << 42)

  /// Whether one comes before the other.
  public static func < (one: ImagePosition, other: ImagePosition) -> Bool { one.order < other.order }

  /// How many of an image's steps are done by then, at most. A sampler that varies the calls of a step may have done fewer.
  public func steps(of settings: ImageSettings) -> Int {
    switch self {
    case .decoding: settings.allSteps
    case Self.secondPass...: settings.steps
    default: min(order / settings.sampler.plannedCalls(steps: 1), settings.steps)
    }
  }
}

/// Something that takes effect at a call of the network in the first pass.
public struct CallChange: Hashable, Sendable {
  /// The first call that it affects, counted from 0.
  public var call: Int
  /// What it is; equal texts mean the same effect.
  public var text: String

  /// A change at this call.
  public init(call: Int, text: String) {
    self.call = call
    self.text = text
  }
}
