import Settings

/// A job as a contact sheet shows it.
public struct SheetCell: Hashable, Sendable {
  /// What there is to see.
  public enum Content: Hashable, Sendable {
    /// The picture in this file.
    case image(path: String)
    /// The job failed, for this reason.
    case failed(String)
    /// The job has not been tried.
    case pending
  }

  /// The job's place on the axes of the grid.
  public var axes: [AxisPosition]
  /// What there is to see.
  public var content: Content
  /// In pixels.
  public var width: Int
  /// In pixels.
  public var height: Int
  /// What the picture was, or would be, made from.
  public var infotext: String
  /// How long the picture took, in seconds; nothing where that is not known.
  public var seconds: Double?

  /// A cell of a grid.
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
