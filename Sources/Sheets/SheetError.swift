/// Why a contact sheet cannot be made.
public enum SheetError: Error, Hashable, CustomStringConvertible {
  /// None of these files is a font.
  case noFont([String])
  /// No cell has this axis.
  case unknownAxis(String, known: [String])
  /// No cell has this value on the axis.
  case unknownValue(String, axis: String, known: [String])
  /// An axis was given two directions.
  case axisUsedTwice(String)
  /// There are no cells to show.
  case noCells(String)
  /// A tile with its labels does not fit on a page.
  case tileTooLarge(Int, limit: Int)

  /// What was found and what was expected.
  public var description: String {
    switch self {
    case .noFont(let paths):
      "no font for the labels of the contact sheet: none of \(paths.joined(separator: ", ")) can be read as one; "
        + "install fonts-dejavu-core, or name a font file with --font"
    case .unknownAxis(let name, let known):
      "\"\(name)\" is not an axis of this run"
        + (known.isEmpty ? ", which has none" : ": " + known.joined(separator: ", "))
    case .unknownValue(let value, let axis, let known):
      "\"\(value)\" is not a value of the axis \(axis): " + known.joined(separator: ", ")
    case .axisUsedTwice(let name): "the axis \(name) was given two directions, expected one"
    case .noCells(let reason): reason
    case .tileTooLarge(let size, let limit):
      "a tile of \(size) pixels does not fit on a page of at most \(limit) pixels a side; choose a smaller --tile"
    }
  }
}
