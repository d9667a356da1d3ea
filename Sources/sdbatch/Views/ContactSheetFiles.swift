import Foundation
import JSON
import Recipes
import Runs
import Sheets

/// The contact sheet of a run folder: `contact-sheet.png`, `contact-sheet-2.png` and so on.
struct ContactSheetFiles {
  let folder: RunFolder
  /// Shows only the images that have stars in these picks, on `picks-sheet.png`; nil for all images.
  var picks: Picks?

  /// The file of a page, counted from 0.
  func path(_ page: Int) -> String {
    let name = picks == nil ? "contact-sheet" : "picks-sheet"
    return folder.file(page == 0 ? "\(name).png" : "\(name)-\(page + 1).png")
  }

  /// Makes the sheet in the recipe's layout, unless it is up to date.
  ///
  /// - Returns: The number of pages; nil if it is up to date.
  /// - Throws: `SheetError` or `RunError`.
  func refresh() throws -> Int? {
    let isFresh = DerivedFile.isFresh(path(0), comparedWith: [folder.plan, folder.recipe] + folder.journals)
    return isFresh ? nil : try make(SheetOptions(), makesThumbnails: true)
  }

  /// Makes the sheet.
  ///
  /// - Parameters:
  ///   - options: How it looks; without directions, the recipe's are used.
  ///   - makesThumbnails: Whether to make thumbnails first, as the page needs them anyway; small tiles are then made from them.
  /// - Returns: The number of pages.
  /// - Throws: `SheetError` or `RunError`.
  func make(_ options: SheetOptions, makesThumbnails: Bool = false) throws -> Int {
    let run = try RunImages(folder)
    if makesThumbnails { _ = try ThumbnailFiles(folder).refresh(run.entries, patience: nil) }
    var options = options
    if !options.hasDirections { options.takeLayout(of: run) }
    if options.title.isEmpty { options.title = (folder.path as NSString).lastPathComponent }
    let thumbnails = ThumbnailFiles(folder)
    let cells = try entries(of: run).map { entry in
      var cell = SheetCell(entry)
      cell.thumbnail = entry.path.flatMap(thumbnails.thumbnail)
      return cell
    }
    let text = (try? FileReader.bytes(of: folder.recipe)).map { String(decoding: $0, as: UTF8.self) }
    let sheet = try ContactSheet(cells, groups: run.zipGroups, recipe: text ?? "", options: options)
    for page in 0..<sheet.pageCount {
      try DerivedFile.write(to: path(page)) { sink in try sheet.write(page: page, to: sink) }
    }
    // Remove pages of an earlier sheet that are no longer needed.
    var page = sheet.pageCount
    while unlink(path(page)) == 0 { page += 1 }
    return sheet.pageCount
  }

  /// The images to show.
  func entries(of run: RunImages) throws(SheetError) -> [RunImages.Entry] {
    guard let picks else { return run.entries }
    let entries = run.entries.filter { picks.isPicked($0.id) }
    if entries.isEmpty { throw .noCells("picks.json has no image with stars") }
    return entries
  }

  /// The names of the pages that exist.
  var names: [String] {
    var names: [String] = []
    while access(path(names.count), F_OK) == 0 { names.append((path(names.count) as NSString).lastPathComponent) }
    return names
  }
}

extension SheetCell {
  /// A job as sheets show it.
  init(_ entry: RunImages.Entry) {
    self.init(
      axes: entry.axes, content: entry.path.map { .image(path: $0) } ?? entry.error.map { .failed($0) } ?? .pending,
      width: entry.job.settings.finalWidth, height: entry.job.settings.finalHeight, infotext: entry.infotext,
      seconds: entry.seconds)
  }
}
