import Foundation
import Infotext
import Settings
import Text

extension Manifest {
  /// Writes the manifest of a run from its plan and journals, even if several processes made the images.
  ///
  /// - Parameters:
  ///   - folder: The run folder; the caller holds its lock.
  ///   - journal: Its journals.
  ///   - disk: The disk.
  ///   - state: The state of a job.
  /// - Returns: How many jobs are done, failed and pending.
  /// - Throws: `RunError`.
  @discardableResult
  static func rewrite(
    in folder: RunFolder, journal: some JournalLines, on disk: Disk, state: (IdentifiedJob) throws -> JobState
  ) throws -> RunCounts {
    var head: RunDetails?
    var ingredients: [JobIngredients] = []
    var counts = RunCounts()
    try PlanFile.forEachJob(in: folder) { planned, details in
      if let details { head = details }
      if ingredients.last != planned.ingredients, !ingredients.contains(planned.ingredients) {
        ingredients.append(planned.ingredients)
      }
      counts.count(try state(planned))
    }
    guard let head else { return counts }
    let earlier = (try? ManifestReader(path: folder.manifest).head())?["run"]?["started"]?.text.flatMap(Timestamp.init)
    let manifest = Manifest(
      details: head, started: earlier ?? journal.index.firstStart ?? .now(), finished: .now(),
      ending: counts.pending > 0 ? .stopped : counts.failed > 0 ? .failed : .done, counts: counts,
      ingredients: ingredients)
    try manifest.write(to: folder, on: disk) { append in
      try PlanFile.forEachJob(in: folder) { planned, _ in try append(planned, try state(planned), journal) }
    }
    return counts
  }
}
