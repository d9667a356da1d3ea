import Settings

/// A job on the page of a run.
public struct PageCell: Sendable {
  /// What the cell shows.
  public enum Content: Hashable, Sendable {
    /// The image in this file, and its thumbnail if there is one; both paths are relative to the page.
    case image(file: String, thumbnail: String?)
    /// The job failed, for this reason.
    case failed(String)
    /// The job has not been tried.
    case pending
  }

  /// The job's index in the plan.
  public var index: Int
  /// The job's full id.
  public var id: String
  /// The job's position on the axes of the grid.
  public var axes: [AxisPosition]
  /// What the cell shows.
  public var content: Content
  /// The image's width in pixels.
  public var width: Int
  /// The image's height in pixels.
  public var height: Int
  /// The time that the image took, in seconds; nil if it is not known.
  public var seconds: Double?
  /// The infotext of the image, which may not exist yet.
  public var infotext: String
  /// A recipe for only this image.
  public var recipe: String
  /// The keys and values of that recipe.
  public var settings: [(key: String, value: String)]

  /// Creates a cell for a job.
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
