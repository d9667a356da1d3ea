/// What a contact sheet is to look like.
public struct SheetOptions: Hashable, Sendable {
  /// The order of tiles that stand one after the other.
  public enum Order: String, CaseIterable, Sendable {
    /// The recipe's.
    case written
    /// The fastest first; what is not there last.
    case seconds
  }

  /// The axis that runs across; by default the last that no other direction takes.
  public var x: String?
  /// The axis that runs down; by default the last left over.
  public var y: String?
  /// Lays whole blocks side by side.
  public var superX: String?
  /// Lays whole blocks one below the other.
  public var superY: String?
  /// One page for each combination of values of these axes and of those that have no direction.
  public var pages: [String] = []
  /// The longest side of a tile in pixels; by default that of the largest picture, at most 512, less where many tiles
  /// would not fit on a page.
  public var tile: Int?
  /// How many tiles stand side by side where only one axis is shown.
  public var columns: Int?
  /// The order where only one axis is shown.
  public var order = Order.written
  /// Values, or titles, to which axes are held.
  public var filters: [Filter] = []
  /// The name of the sheet, in its title.
  public var title = ""
  /// Font files, the first that has a letter draws it; after them the fonts that are usually there.
  public var fonts: [String] = []
  /// No side of a page is longer, in pixels.
  public var sideLimit = 16_384
  /// No page has more pixels.
  public var areaLimit = 100_000_000

  /// Values of one axis that are shown; the others are left out.
  public struct Filter: Hashable, Sendable {
    /// The axis.
    public var axis: String
    /// A value or a title on it.
    public var value: String

    /// Holds an axis to a value.
    public init(axis: String, value: String) {
      self.axis = axis
      self.value = value
    }
  }

  /// The defaults.
  public init() {}
}
