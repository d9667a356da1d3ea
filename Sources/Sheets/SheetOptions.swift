/// The options of a contact sheet.
public struct SheetOptions: Hashable, Sendable {
  /// The order of tiles if only one axis is shown.
  public enum Order: String, CaseIterable, Sendable {
    /// The order of the recipe.
    case written
    /// The fastest first, and jobs without an image last.
    case seconds
  }

  /// The horizontal axis; by default the last axis without another direction.
  public var x: String?
  /// The vertical axis; by default the last of the remaining axes.
  public var y: String?
  /// The axis that puts whole blocks side by side. By default, for both super axes: a short remaining axis, unless there are
  /// pages.
  public var superX: String?
  /// The axis that puts whole blocks below each other.
  public var superY: String?
  /// The axes with one page for each combination of their values, in addition to the axes without a direction.
  public var pages: [String] = []
  /// The axis of which every value is a page, in the order of the axis, for an animation. The other axes are laid out as if it
  /// were not there.
  public var frames: String?
  /// The longest side of a tile in pixels. The default is that of the largest image, at most 512, or less so that the tiles
  /// fit on a page.
  public var tile: Int?
  /// The number of columns if only one axis is shown.
  public var columns: Int?
  /// The order if only one axis is shown.
  public var order = Order.written
  /// The values or titles to which axes are restricted.
  public var filters: [Filter] = []
  /// The title of the sheet.
  public var title = ""
  /// Font files. Each character is drawn with the first font that has it; the system's default fonts come last.
  public var fonts: [String] = []
  /// The longest side of a page in pixels.
  public var sideLimit = 16_384
  /// The largest number of pixels of a page.
  public var areaLimit = 100_000_000

  /// A value of an axis to show. Other values of the axis are left out, unless another filter has them.
  public struct Filter: Hashable, Sendable {
    /// The axis.
    public var axis: String
    /// A value or a title of the axis.
    public var value: String

    /// Creates a filter that restricts an axis to a value.
    public init(axis: String, value: String) {
      self.axis = axis
      self.value = value
    }
  }

  /// The defaults.
  public init() {}
}
