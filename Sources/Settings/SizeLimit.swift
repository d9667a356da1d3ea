/// The sizes that images can have.
public enum SizeLimit {
  /// The allowed length of a side, in pixels.
  public static let sides = 8...8192
}

extension HiresSize {
  /// Whether all sides of the second pass are within the limits.
  public var isPossible: Bool { [finalWidth, finalHeight, width, height].allSatisfy(SizeLimit.sides.contains) }
}
