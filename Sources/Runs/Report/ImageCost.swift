/// How much time, memory and disk an image of one kind takes on this machine.
public struct ImageCost: Hashable, Sendable {
  /// Of the sampling alone.
  public var secondsPerStep: Double
  /// Everything except the sampling: prompts, decoding, writing.
  public var otherSeconds: Double
  /// The most memory that the process held, in MiB.
  public var peakMemory: Int?
  /// The size of the PNG.
  public var fileBytes: Int?

  /// The cost of an image of two passes, from the costs of images of each pass's size.
  ///
  /// - Parameters:
  ///   - second: Of an image of the second pass's size.
  ///   - steps: Of the first pass.
  ///   - secondSteps: Of the second pass.
  /// - Returns: The cost, with the average of a step.
  public func joined(to second: ImageCost, steps: Int, secondSteps: Int) -> ImageCost {
    var cost = second
    let seconds = secondsPerStep * Double(steps) + second.secondsPerStep * Double(secondSteps)
    cost.secondsPerStep = seconds / Double(steps + secondSteps)
    cost.peakMemory = second.peakMemory.map { max($0, peakMemory ?? 0) }
    return cost
  }

  /// The seconds for an image with this many steps.
  public func seconds(steps: Int) -> Double { secondsPerStep * Double(steps) + otherSeconds }
}
