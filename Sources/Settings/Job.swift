/// One image of a plan: its place in the written order, the cell of the grid that asked for it, and its settings.
public struct Job: Hashable, Sendable {
  /// Place in the plan's written order, from 0.
  public var index: Int
  /// Where the job stands on each axis, in the order of the axes; empty for a recipe without axes.
  public var axes: [AxisPosition]
  /// The resolved settings.
  public var settings: ImageSettings

  /// A job with these settings at this place.
  public init(index: Int, axes: [AxisPosition], settings: ImageSettings) {
    self.index = index
    self.axes = axes
    self.settings = settings
  }
}

/// One axis of the grid and the value that a job has on it.
public struct AxisPosition: Codable, Hashable, Sendable {
  /// The axis: a recipe key, or the name given to a long-form axis.
  public var name: String
  /// The value as the recipe writes it.
  public var value: String
  /// What a label shows for the value.
  public var title: String

  /// A position on the named axis.
  public init(name: String, value: String, title: String) {
    self.name = name
    self.value = value
    self.title = title
  }
}
