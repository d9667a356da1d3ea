import Foundation
import JSON
import Settings
import Sheets

/// The page of a run: one file with every job and the path of its image. It works in a browser without a network.
///
/// Markup, style and script are the files in `Resources`, combined with the run's data. All prompts and labels are data in an
/// element that browsers do not execute, and the script only ever shows them as text. The page's policy allows no other script,
/// and no resources except images.
public struct RunPage {
  /// Information about the run as a whole.
  public struct Heading: Sendable {
    /// The name of the run.
    public var title: String
    /// Whether the run is still going, so that more images will come.
    public var isRunning: Bool
    /// The time of writing: ISO 8601 in UTC.
    public var written: String
    /// The program with its version.
    public var generator: String
    /// The contact sheets, relative to the page.
    public var sheets: [String]
    /// The longest side of the thumbnails in pixels.
    public var thumbnailSide: Int
    /// The picks when the page was written, an object by the images' ids; null for none.
    public var picks = JSONValue.null
    /// What the server of the page can do; nil for a page that is a file.
    public var served: Served?

    /// Creates a heading.
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

  /// What a server can do for a page: it stores picks, and removes images.
  public struct Served: Sendable {
    /// The version of the state that the page shows, from which the server reports changes; nil if it reports none.
    public var version: Int?
    /// Whether it can stop, continue and start runs.
    public var canRun: Bool

    /// Creates a description of a server.
    public init(version: Int?, canRun: Bool) {
      self.version = version
      self.canRun = canRun
    }
  }

  /// A text near the start of pages that were written during a run. No other page contains it, because quotes are escaped in
  /// texts.
  public static let runningMark = #""running":true"#

  private let heading: Heading
  private let axes: [SheetAxis]
  private let layout: SheetOptions
  private let numbers: [[[AxisPosition]: Int]]

  /// Creates a page.
  ///
  /// - Parameters:
  ///   - heading: Information about the run as a whole.
  ///   - positions: The positions of all jobs on the axes, in the order of the plan.
  ///   - groups: The names of the axes in each zip group of the recipe.
  ///   - layout: The initial directions of the axes; unknown axes are ignored.
  public init(_ heading: Heading, positions: [[AxisPosition]], groups: [[String]], layout: SheetOptions) {
    self.heading = heading
    self.layout = layout
    axes = SheetAxis.all(of: positions, groups: groups)
    numbers = axes.map { axis in
      Dictionary(uniqueKeysWithValues: axis.steps.enumerated().map { ($0.element, $0.offset) })
    }
  }

  /// Writes the page.
  ///
  /// - Parameters:
  ///   - cells: Every job in the order of the plan. They are read once, so they need not be in memory together.
  ///   - sink: Called with the bytes of the file, piece by piece.
  /// - Throws: The errors of `cells` and of the sink.
  public func write(_ cells: some Sequence<PageCell>, to sink: ([UInt8]) throws -> Void) throws {
    let template = PageTemplate(title: heading.title, isServed: heading.served != nil)
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
    if let served = heading.served {
      writer.key("served")
      writer.object { writer in
        writer.member("version", served.version)
        writer.member("can_run", .bool(served.canRun))
      }
    }
    writer.lineBreak()
    writer.member("picks", heading.picks)
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
          writer.member("title", axis.title)
          writer.key("values")
          writer.array { writer in
            for step in axis.steps.indices {
              writer.object { writer in
                // Seeds are always texts, because JavaScript's numbers are exact only up to 2^53.
                writer.member("values", .array(axis.steps[step].map { .string($0.value) }))
                writer.member("title", axis.steps[step].map(\.title).joined(separator: "\n"))
                writer.member("label", axis.label(step))
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
      writer.member("id", cell.id)
      writer.key("at")
      writer.array { writer in
        for (axis, numbers) in zip(axes, numbers) {
          if let step = axis.step(of: cell.axes).flatMap({ numbers[$0] }) {
            writer.integer(step)
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

/// Splits texts into pieces and writes each piece once: as a string the first time, then as its index in the order of the file.
/// The texts of ten thousand jobs differ only in a few words.
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
