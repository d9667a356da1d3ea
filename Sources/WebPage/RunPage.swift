import Foundation
import JSON
import Settings
import Sheets

/// The page of a run: one file that a browser shows without a network, with every job and where its picture is.
///
/// Markup, style and program are the files under `Resources`, put together with the run's data. Whatever comes from
/// prompts and labels is data, in an element that no browser runs, and the program makes text of it and nothing else; the
/// page's policy lets no other program run, and nothing be loaded but pictures.
public struct RunPage {
  /// What concerns the run as a whole.
  public struct Heading: Sendable {
    /// The name of the run.
    public var title: String
    /// Whether a run goes on, so that there will be more to see.
    public var isRunning: Bool
    /// When the page is made: ISO 8601 in UTC.
    public var written: String
    /// The program that makes it, with its version.
    public var generator: String
    /// Other files to look at, relative to the page.
    public var sheets: [String]
    /// The longest side of the small copies, in pixels.
    public var thumbnailSide: Int

    /// A heading.
    public init(
      title: String, isRunning: Bool, written: String, generator: String, sheets: [String], thumbnailSide: Int
    ) {
      self.title = title
      self.isRunning = isRunning
      self.written = written
      self.generator = generator
      self.sheets = sheets
      self.thumbnailSide = thumbnailSide
    }
  }

  /// Stands near the beginning of a page that was made while a run went on, and in no other: in texts, quotes are escaped.
  public static let runningMark = #""running":true"#

  private let heading: Heading
  private let axes: [SheetAxis]
  private let layout: SheetOptions
  private let numbers: [[[AxisPosition]: Int]]

  /// A page.
  ///
  /// - Parameters:
  ///   - heading: What concerns the run as a whole.
  ///   - positions: Where every job stands on the axes, in the order of the plan.
  ///   - groups: The names of the axes in each zip group of the recipe.
  ///   - layout: The directions that the page shows first; axes that there are not are left to the page.
  public init(_ heading: Heading, positions: [[AxisPosition]], groups: [[String]], layout: SheetOptions) {
    self.heading = heading
    self.layout = layout
    axes = SheetAxis.all(of: positions, groups: groups)
    numbers = axes.map { axis in
      Dictionary(uniqueKeysWithValues: axis.places.enumerated().map { ($0.element, $0.offset) })
    }
  }

  /// Writes the page.
  ///
  /// - Parameters:
  ///   - cells: Every job in the order of the plan; walked through once, so that they need not be in memory together.
  ///   - sink: Takes the bytes of the file, piece by piece.
  /// - Throws: What `cells` or the sink throws.
  public func write(_ cells: some Sequence<PageCell>, to sink: ([UInt8]) throws -> Void) throws {
    let template = PageTemplate(title: heading.title)
    try sink(template.beforeData)
    var writer = JSONWriter()
    var pieces = TextPieces()
    try writer.object { writer in
      writeHead(to: &writer)
      writer.lineBreak()
      writer.key("cells")
      try writer.array { writer in
        for cell in cells {
          writer.lineBreak()
          write(cell, &pieces, to: &writer)
          if writer.bytes.count > 1 << 18 { try writer.flush { try sink(PageTemplate.escaped($0)) } }
        }
        writer.endLine()
      }
    }
    try writer.flush { try sink(PageTemplate.escaped($0)) }
    try sink(template.afterData)
  }

  // MARK: Data

  private func writeHead(to writer: inout JSONWriter) {
    writer.member("schema", 1)
    writer.member("title", heading.title)
    writer.member("running", .bool(heading.isRunning))
    writer.member("written", heading.written)
    writer.member("generator", heading.generator)
    writer.member("sheets", .array(heading.sheets.map { .string($0) }))
    writer.member("thumbnail_side", heading.thumbnailSide)
    writer.lineBreak()
    writer.key("layout")
    writer.object { writer in
      writer.member("x", number(layout.x))
      writer.member("y", number(layout.y))
      writer.member("super_x", number(layout.superX))
      writer.member("super_y", number(layout.superY))
      writer.member("sliders", .array(layout.pages.compactMap(number).map { .integer(Int64($0)) }))
    }
    writer.lineBreak()
    writer.key("axes")
    writer.array { writer in
      for axis in axes {
        writer.lineBreak()
        writer.object { writer in
          writer.member("name", axis.name)
          writer.key("values")
          writer.array { writer in
            for place in axis.places.indices {
              writer.object { writer in
                // Texts all, for a browser's numbers end at 2^53.
                writer.member("values", .array(axis.places[place].map { .string($0.value) }))
                writer.member("title", axis.places[place].map(\.title).joined(separator: "\n"))
                writer.member("label", axis.label(place))
              }
            }
          }
        }
      }
    }
  }

  private func number(_ name: String?) -> Int? { name.flatMap { name in axes.firstIndex { $0.isCalled(name) } } }

  private func write(_ cell: PageCell, _ pieces: inout TextPieces, to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("index", cell.index)
      writer.member("id", String(cell.id.prefix(8)))
      writer.key("at")
      writer.array { writer in
        for (axis, numbers) in zip(axes, numbers) {
          if let place = axis.place(of: cell.axes).flatMap({ numbers[$0] }) {
            writer.integer(place)
          } else {
            writer.null()
          }
        }
      }
      switch cell.content {
      case .image(let file, let thumbnail):
        writer.member("status", "done")
        writer.member("file", file)
        if let thumbnail { writer.member("thumb", thumbnail) }
      case .failed(let reason):
        writer.member("status", "failed")
        writer.member("error", reason)
      case .pending: writer.member("status", "pending")
      }
      writer.member("width", cell.width)
      writer.member("height", cell.height)
      if let seconds = cell.seconds { writer.member("seconds", (seconds * 1000).rounded() / 1000) }
      writer.key("infotext")
      pieces.write(cell.infotext.components(separatedBy: ", "), to: &writer)
      writer.key("recipe")
      pieces.write(cell.recipe.components(separatedBy: "\n"), to: &writer)
      writer.key("settings")
      pieces.write(cell.settings.map { "\($0.key): \($0.value)" }, to: &writer)
    }
  }
}

/// Texts in pieces, each written once: a string when it comes for the first time, after that its number, counted from 0 in
/// the order of the file. The texts of ten thousand jobs differ in a few words.
private struct TextPieces {
  private var numbers: [String: Int] = [:]

  mutating func write(_ pieces: [String], to writer: inout JSONWriter) {
    writer.array { writer in
      for piece in pieces {
        if let number = numbers[piece] {
          writer.integer(number)
        } else {
          numbers[piece] = numbers.count
          writer.string(piece)
        }
      }
    }
  }
}
