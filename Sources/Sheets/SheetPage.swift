/// A page of a contact sheet: what stands where, before anything is drawn.
struct SheetPage {
  /// A tile, or a hole in the grid.
  struct Tile {
    var cell: SheetCell?
    /// Left edge of its box in pixels.
    var x: Int
    /// Shown under the tile, where columns and rows have no labels.
    var caption: [String] = []
  }

  /// Text inside a band.
  struct Label {
    var lines: [String]
    var x: Int
    var width: Int
    var isCentered: Bool
    var color = Canvas.Color.ink
    var size: Int
  }

  /// A strip across the page.
  struct Band {
    var height: Int
    var labels: [Label] = []
    var tiles: [Tile] = []
  }

  var width: Int
  var bands: [Band]

  var height: Int { bands.reduce(0) { $0 + $1.height } }
}
