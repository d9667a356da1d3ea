import Foundation
import JSON
import Recipes
import Runs
import Settings
import Sheets
import WebPage

/// The page of a run folder, `index.html`, with its thumbnails in `thumbs/`.
struct RunPageFiles {
  let folder: RunFolder

  /// Makes the page of a run that has ended, unless it is up to date.
  ///
  /// - Parameter patience: The longest time for making thumbnails; nil for no limit.
  /// - Throws: `RunError`.
  func refresh(patience: Duration?) throws {
    if DerivedFile.isFresh(folder.page, comparedWith: [folder.plan, folder.recipe, folder.picks] + folder.journals),
      !saysRunning
    {
      return
    }
    try make(SheetOptions(), isRunning: false, patience: patience)
  }

  /// Whether the existing page shows a run that is in progress, as a killed run leaves it.
  private var saysRunning: Bool {
    let bytes = (try? FileReader(path: folder.page).read(0..<1 << 17)) ?? []
    let beginning = String(decoding: bytes, as: UTF8.self)
    return beginning.contains(RunPage.runningMark)
  }

  /// Makes the page.
  ///
  /// - Parameters:
  ///   - layout: The directions at first; if there are none, the recipe's.
  ///   - isRunning: Whether the run is in progress.
  ///   - patience: The longest time for making thumbnails; the rest are made the next time.
  /// - Throws: `RunError`.
  func make(_ layout: SheetOptions, isRunning: Bool, patience: Duration? = nil) throws {
    try DerivedFile.write(to: folder.page) { sink in
      try write(layout, isRunning: isRunning, served: nil, patience: patience, to: sink)
    }
  }

  /// Writes the page piece by piece.
  ///
  /// - Parameters:
  ///   - layout: The directions at first; if there are none, the recipe's.
  ///   - isRunning: Whether the run is in progress.
  ///   - served: What the server can do that answers the browser; nil for a file.
  ///   - patience: The longest time for making thumbnails.
  ///   - sink: Receives the pieces.
  /// - Throws: `RunError`, or what `sink` throws.
  func write(
    _ layout: SheetOptions, isRunning: Bool, served: RunPage.Served?, patience: Duration?,
    to sink: ([UInt8]) throws -> Void
  ) throws {
    let run = try RunImages(folder)
    let thumbnails = try ThumbnailFiles(folder).refresh(run.entries, patience: patience)
    var layout = layout
    if !layout.hasDirections { layout.takeLayout(of: run) }
    var heading = RunPage.Heading(
      title: (folder.path as NSString).lastPathComponent, isRunning: isRunning, written: Self.now,
      generator: "sdbatch \(SDBatch.version)", sheets: ContactSheetFiles(folder: folder).names,
      thumbnailSide: ThumbnailFiles.side)
    heading.served = served
    // If picks.json is damaged, the page is made without it.
    if let picks = try? Picks(of: folder), !picks.byID.isEmpty { heading.picks = picks.json["picks"] ?? .null }
    let page = RunPage(
      heading, positions: run.entries.map(\.axes), groups: run.zipGroups, layout: layout)
    try page.write(run.entries.lazy.map { cell($0, thumbnails) }, to: sink)
  }

  /// A job as the page shows it.
  func cell(_ entry: RunImages.Entry, _ thumbnails: Set<String>) -> PageCell {
    let parameters = entry.job.settings
    let recipe = ImageRecipe(parameters)
    return PageCell(
      index: entry.job.index, id: entry.id, axes: entry.axes, content: content(entry, thumbnails),
      width: parameters.finalWidth, height: parameters.finalHeight, seconds: entry.seconds,
      infotext: entry.infotext,
      recipe: recipe.text, settings: recipe.settings)
  }

  private func content(_ entry: RunImages.Entry, _ thumbnails: Set<String>) -> PageCell.Content {
    guard let path = entry.path else { return entry.error.map { .failed($0) } ?? .pending }
    let name = folder.name(of: path)
    let thumbnail = RunFolder.thumbnail(of: name)
    return .image(file: name, thumbnail: thumbnails.contains(thumbnail) ? thumbnail : nil)
  }

  private static var now: String { Date().formatted(.iso8601) }
}

extension RunImages {
  /// The names of the axes in each group of the recipe's `zip`.
  var zipGroups: [[String]] {
    (recipe["zip"]?.elements ?? []).compactMap { group in
      guard case .object(let members) = group, members.count > 1 else { return nil }
      return members.map(\.name)
    }
  }
}

extension SheetOptions {
  /// Whether an axis was given a direction.
  var hasDirections: Bool { x != nil || y != nil || superX != nil || superY != nil || !pages.isEmpty }

  /// Uses the directions of the recipe's `sheet:`; axes that no longer exist in a changed grid get the defaults.
  mutating func takeLayout(of run: RunImages) {
    let layout = run.recipe["sheet"] ?? .null
    let known = Set(run.entries.flatMap { $0.job.axes.map(\.name) })
    func axis(_ name: JSONValue?) -> String? { name?.text.flatMap { known.contains($0) ? $0 : nil } }
    x = axis(layout["x"])
    y = axis(layout["y"])
    superX = axis(layout["super_x"])
    superY = axis(layout["super_y"])
    pages = (layout["pages"]?.elements ?? layout["pages"].map { [$0] } ?? []).compactMap(axis)
  }
}
