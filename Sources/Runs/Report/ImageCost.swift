/// How much time, memory and disk an image of one kind takes on this machine.
public struct ImageCost: Hashable, Sendable {
  /// For the sampling alone.
  public var secondsPerStep: Double
  /// Everything except the sampling: prompts, decoding, writing.
  public var otherSeconds: Double
  /// The most memory that the process had, in MiB.
  public var peakMemory: Int?
  /// The size of the PNG.
  public var fileBytes: Int?

  /// The cost of an image with two passes, from the costs of images with each pass's size.
  ///
  /// - Parameters:
  ///   - second: The cost of an image with the second pass's size.
  ///   - steps: The steps of the first pass.
  ///   - secondSteps: The steps of the second pass.
  /// - Returns: The cost, with the average time of a step.
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
