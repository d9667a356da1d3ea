import Foundation
import JSON
import Runs
import Settings
import Sheets
import WebPage

/// Several runs as one page, where the run is an axis.
///
/// If a run does not have an axis of another run, it has the value of its setting there, so equal settings are in one column.
struct RunComparison {
  /// A cell of the page, with its image.
  struct Cell {
    var page: PageCell
    var path: String?
  }

  /// The page, to be written with `cells`.
  let page: RunPage
  /// Every cell of every run.
  let all: [Cell]
  /// The ids of each run's images.
  let ids: [Set<String>]

  var cells: [PageCell] { all.map(\.page) }

  /// The maximum number of cells on a page.
  private static let limit = 20_000

  /// - Parameter folders: The runs, in the order of the axis.
  /// - Throws: `RunError`, or `TakeAwayError` if there are too many cells.
  init(_ folders: [RunFolder]) throws {
    let runs = try folders.map { try RunImages($0) }
    guard runs.reduce(0, { $0 + $1.entries.count }) <= Self.limit else {
      throw TakeAwayError("these runs have more than \(Self.limit) images; compare fewer runs")
    }
    var names: [String] = []
    for entry in runs.flatMap(\.entries) {
      for axis in entry.job.axes where !names.contains(axis.name) { names.append(axis.name) }
    }
    var picks = Picks()
    var all: [Cell] = []
    for (folder, run) in zip(folders, runs) {
      picks.byID.merge((try? Picks(of: folder).byID) ?? [:]) { $1 }
      let name = ServedRun.name(folder)
      let files = RunPageFiles(folder: folder)
      let thumbnails = try ThumbnailFiles(folder).refresh(run.entries, patience: .milliseconds(500))
      let encoded = name.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? name
      for entry in run.entries {
        var cell = files.cell(entry, thumbnails)
        let settings = Dictionary(cell.settings.map { ($0.key, $0.value) }) { $1 }
        let axes = names.compactMap { name -> AxisPosition? in
          cell.axes.first { $0.name == name }
            ?? settings[name].map { AxisPosition(name: name, value: $0, title: $0) }
        }
        cell.axes = [AxisPosition(name: "run", value: name, title: name)] + axes
        cell.index = all.count
        if case .image(let file, let thumbnail) = cell.content {
          cell.content = .image(
            file: "../../run/\(encoded)/\(file)", thumbnail: thumbnail.map { "../../run/\(encoded)/\($0)" })
        }
        all.append(Cell(page: cell, path: entry.path))
      }
    }
    self.all = all
    ids = runs.map { Set($0.entries.map(\.id)) }
    var heading = RunPage.Heading(
      title: folders.map(ServedRun.name).joined(separator: " · "), isRunning: false,
      written: Date().formatted(.iso8601),
      generator: "sdbatch \(SDBatch.version)", sheets: [], thumbnailSide: ThumbnailFiles.side)
    heading.picks = picks.json["picks"] ?? .null
    heading.served = RunPage.Served(version: nil, canRun: false)
    page = RunPage(heading, positions: all.map(\.page.axes), groups: [], layout: SheetOptions())
  }
}
