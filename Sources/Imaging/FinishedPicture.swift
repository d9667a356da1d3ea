/// An image, and what was done to it last.
public struct FinishedPicture: Sendable {
  /// The image.
  public var image: RGBImage
  /// How many faces were restored; nil if none were looked for.
  public var faces: Int?
  /// The image before that; nil if no faces were looked for.
  public var before: RGBImage?

  /// An image.
  public init(_ image: RGBImage, faces: Int? = nil, before: RGBImage? = nil) {
    (self.image, self.faces, self.before) = (image, faces, before)
  }
}
