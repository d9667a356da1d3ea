/// A finished image, and whether faces were restored in it.
public struct FinishedPicture: Sendable {
  /// The image.
  public var image: RGBImage
  /// How many faces were restored; nil if none were looked for.
  public var faces: Int?
  /// The image before faces were restored; nil if none were looked for.
  public var before: RGBImage?

  /// Creates a finished image.
  public init(_ image: RGBImage, faces: Int? = nil, before: RGBImage? = nil) {
    (self.image, self.faces, self.before) = (image, faces, before)
  }
}
