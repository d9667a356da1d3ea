import Settings

/// A job as the page of a run shows it.
public struct PageCell: Sendable {
  /// What there is to see.
  public enum Content: Hashable, Sendable {
    /// The picture in this file, and a small copy of it if there is one; both relative to the page.
    case image(file: String, thumbnail: String?)
    /// The job failed, for this reason.
    case failed(String)
    /// The job has not been tried.
    case pending
  }

  /// The job's place in the plan.
  public var index: Int
  /// Its whole identity.
  public var id: String
  /// Where it stands on the axes of the grid.
  public var axes: [AxisPosition]
  /// What there is to see.
  public var content: Content
  /// In pixels.
  public var width: Int
  /// In pixels.
  public var height: Int
  /// How long the picture took, in seconds; nothing where that is not known.
  public var seconds: Double?
  /// What the picture was, or would be, made from.
  public var infotext: String
  /// A recipe for this picture alone.
  public var recipe: String
  /// What that recipe says, key by key.
  public var settings: [(key: String, value: String)]

  /// A job.
  public init(
    index: Int, id: String, axes: [AxisPosition], content: Content, width: Int, height: Int, seconds: Double?,
    infotext: String, recipe: String, settings: [(key: String, value: String)]
  ) {
    self.index = index
    self.id = id
    self.axes = axes
    self.content = content
    self.width = width
    self.height = height
    self.seconds = seconds
    self.infotext = infotext
    self.recipe = recipe
    self.settings = settings
  }
}
