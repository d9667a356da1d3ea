import Runs
import Sheets

/// Makes the contact sheet and the page at the end of a run.
final class RunPages: RunViews {
  private let folder: RunFolder
  private let saysWhere: Bool

  /// - Parameters:
  ///   - folder: The run folder.
  ///   - saysWhere: Whether to print the path of a new contact sheet.
  init(_ folder: RunFolder, saysWhere: Bool) {
    self.folder = folder
    self.saysWhere = saysWhere
  }

  /// Makes the sheet; if a font is missing, a run that made all images does not fail.
  func makeSheet() throws {
    do {
      guard let pages = try ContactSheetFiles(folder: folder).refresh() else { return }
      // The summary stays the last line of cron mail.
      guard saysWhere else { return }
      Console.output("contact sheet: \(folder.file("contact-sheet.png"))" + (pages > 1 ? " and \(pages - 1) more" : ""))
    } catch let error as SheetError {
      Console.error("no contact sheet: \(error)")
    }
  }

  func refreshPage(patience: Duration?) throws { try RunPageFiles(folder: folder).refresh(patience: patience) }
}
