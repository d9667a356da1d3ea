/// The sizes that images can have.
public enum SizeLimit {
  /// The sides of an image, in pixels.
  public static let sides = 8...8192
}

extension HiresSize {
  /// Whether the second pass makes an image, and one that is not too large.
  public var isPossible: Bool { [finalWidth, finalHeight, width, height].allSatisfy(SizeLimit.sides.contains) }
}
