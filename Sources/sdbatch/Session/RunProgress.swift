import Foundation
import Runs

/// Shows the progress of a run: on the terminal, in `progress.json` for `status`, and on the page.
final class RunProgress: RunObserver {
  private let printer: ProgressPrinter
  private let file: ProgressFile
  private let page: LivePage?
  private let folder: RunFolder
  private var hasMadeImages = false

  /// - Parameters:
  ///   - folder: The run folder.
  ///   - style: How to print.
  ///   - shard: The part of the plan that the run does; nil for all of it.
  ///   - lock: The lock of the run; nil for a shard.
  ///   - page: The page to update; nil for none.
  init(_ folder: RunFolder, style: ProgressPrinter.Style, shard: Shard?, lock: RunLock?, page: LivePage?) {
    self.folder = folder
    self.page = page
    printer = ProgressPrinter(style: style)
    file = ProgressFile(folder, shard: shard, lock: lock)
  }

  func note(_ event: RunEvent) {
    printer.show(event)
    if case .imageDone = event { hasMadeImages = true }
    file.note(event, secondsPerStep: printer.pace.secondsPerStep, secondsLeft: printer.pace.secondsLeft)
    page?.note(event)
  }

  func close() {
    printer.close()
    file.close()
    if hasMadeImages { learnCosts() }
  }

  /// Stores how long the images took, for the estimates of `plan`.
  private func learnCosts() {
    var costs = CostBook(environment: ProcessInfo.processInfo.environment)
    costs.learn(from: folder)
    costs.save()
  }
}
