/// One image of a plan: its index, its cell of the grid, and its settings.
public struct Job: Hashable, Sendable {
  /// The index in the plan's order, from 0.
  public var index: Int
  /// The job's value on each axis, in the order of the axes; empty for a recipe without axes.
  public var axes: [AxisPosition]
  /// The resolved settings.
  public var settings: ImageSettings

  /// Creates a job with these settings at this index.
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
  /// The value as labels show it.
  public var title: String

  /// Creates a position on the named axis.
  public init(name: String, value: String, title: String) {
    self.name = name
    self.value = value
    self.title = title
  }
}
