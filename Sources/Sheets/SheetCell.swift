import Settings

/// A job on a contact sheet.
public struct SheetCell: Hashable, Sendable {
  /// What the cell shows.
  public enum Content: Hashable, Sendable {
    /// The image in this file.
    case image(path: String)
    /// The job failed, for this reason.
    case failed(String)
    /// The job has not been tried.
    case pending
  }

  /// A smaller copy of an image.
  public struct Thumbnail: Hashable, Sendable {
    /// The file.
    public var path: String
    /// Its longest side in pixels.
    public var side: Int

    /// A copy.
    public init(path: String, side: Int) {
      self.path = path
      self.side = side
    }
  }

  /// The job's position on the axes of the grid.
  public var axes: [AxisPosition]
  /// What the cell shows.
  public var content: Content
  /// The image's width in pixels.
  public var width: Int
  /// The image's height in pixels.
  public var height: Int
  /// The infotext of the image, which may not exist yet.
  public var infotext: String
  /// The time that the image took, in seconds; nil if it is not known.
  public var seconds: Double?
  /// A smaller copy of the image, which is read in less time; nil if there is none.
  public var thumbnail: Thumbnail?

  /// Creates a cell of a grid.
  public init(
    axes: [AxisPosition], content: Content, width: Int, height: Int, infotext: String, seconds: Double? = nil
  ) {
    self.axes = axes
    self.content = content
    self.width = width
    self.height = height
    self.infotext = infotext
    self.seconds = seconds
  }
}
