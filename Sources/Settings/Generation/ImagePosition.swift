/// How much of an image is done, counted in calls of the network in each pass.
public struct ImagePosition: Comparable, Hashable, Sendable {
  private let order: Int

  private init(order: Int) { self.order = order }

  /// Just before a call of the first pass, counted from 0.
  public static func call(_ call: Int) -> ImagePosition { ImagePosition(order: min(call, secondPass.order - 1)) }

  /// After the first pass, before the second one starts.
  public static let secondPass = ImagePosition(order: 1 << 40)

  /// Just before a call of the second pass, counted from 0 in that pass; the image has been enlarged.
  public static func secondPassCall(_ call: Int) -> ImagePosition {
    ImagePosition(order: min(secondPass.order + 1 + call, decoding.order - 1))
  }

  /// After the last step, before the latent is decoded.
  public static let decoding = ImagePosition(order: 1 << 42)

  /// Whether one comes before the other.
  public static func < (one: ImagePosition, other: ImagePosition) -> Bool { one.order < other.order }

  /// The largest number of the image's steps that may be done by then. Samplers whose number of calls per step varies may have
  /// done fewer.
  public func steps(of settings: ImageSettings) -> Int {
    switch self {
    case .decoding: return settings.allSteps
    case .secondPassCall(0)...:
      let sampler = settings.secondPass?.sampler ?? settings.sampler
      let steps = (order - Self.secondPassCall(0).order) / sampler.plannedCalls(steps: 1)
      return min(settings.steps + steps, settings.allSteps)
    case .secondPass: return settings.steps
    default: return min(order / settings.sampler.plannedCalls(steps: 1), settings.steps)
    }
  }
}

/// Something that takes effect at a call of the network in one of the passes.
public struct CallChange: Hashable, Sendable {
  /// The first call that it affects, counted from 0 in its pass.
  public var call: Int
  /// What changes; equal texts mean the same effect.
  public var text: String
  /// Whether the call is one of the second pass.
  public var isInSecondPass: Bool

  /// Creates a change at this call.
  public init(call: Int, text: String, isInSecondPass: Bool = false) {
    self.call = call
    self.text = text
    self.isInSecondPass = isInSecondPass
  }

  /// The position of the change in the image's work.
  public var position: ImagePosition { isInSecondPass ? .secondPassCall(call) : .call(call) }
}
