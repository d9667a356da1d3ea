/// The layout of a page of a contact sheet.
struct SheetPage {
  /// A tile, or a hole in the grid.
  struct Tile {
    var cell: SheetCell?
    /// The left edge of its box in pixels.
    var x: Int
    /// Lines under the tile, if columns and rows have no labels.
    var caption: [String] = []
  }

  /// A text in a band.
  struct Label {
    var lines: [String]
    var x: Int
    var width: Int
    var isCentered: Bool
    var color = Canvas.Color.ink
    var size: Int
  }

  /// A horizontal strip of the page.
  struct Band {
    var height: Int
    /// The height of its tiles; images are centred in it.
    var tileHeight = 0
    var labels: [Label] = []
    var tiles: [Tile] = []
  }

  var width: Int
  var bands: [Band]

  var height: Int { bands.reduce(0) { $0 + $1.height } }
}
