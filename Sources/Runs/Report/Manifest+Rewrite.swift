import Foundation
import Infotext
import Settings
import Text

extension Manifest {
  /// Writes the manifest of a run from its plan and journals, whoever made the images.
  ///
  /// - Parameters:
  ///   - folder: The run, whose lock is held.
  ///   - journal: Its journals.
  ///   - disk: The disk.
  ///   - state: The state of a job.
  /// - Returns: How many jobs are done, failed and pending.
  /// - Throws: `RunError`.
  @discardableResult
  static func rewrite(
    in folder: RunFolder, journal: some JournalLines, on disk: Disk, state: (JobID) throws -> JobState
  ) throws -> RunCounts {
    var head: RunDetails?
    var ingredients: [JobIngredients] = []
    var counts = RunCounts()
    try PlanFile.forEachJob(in: folder) { planned, details in
      if let details { head = details }
      if ingredients.last != planned.ingredients, !ingredients.contains(planned.ingredients) {
        ingredients.append(planned.ingredients)
      }
      counts.count(try state(planned.id))
    }
    guard let head else { return counts }
    let earlier = (try? ManifestReader(path: folder.manifest).head())?["run"]?["started"]?.text.flatMap(Timestamp.init)
    let manifest = Manifest(
      details: head, started: earlier ?? journal.index.firstStart ?? .now(), finished: .now(),
      ending: counts.pending > 0 ? .stopped : counts.failed > 0 ? .failed : .done, counts: counts,
      ingredients: ingredients)
    try manifest.write(to: folder, on: disk) { append in
      try PlanFile.forEachJob(in: folder) { planned, _ in try append(planned, try state(planned.id), journal) }
    }
    return counts
  }
}

/// Combines what shards have done.
public enum Collector {
  /// Writes the manifest of a run from the plan and all journals.
  ///
  /// An image counts as done if the next run would not make it again; one that a killed shard left without a journal line gets
  /// its line. `verify` reads every byte.
  ///
  /// - Parameters:
  ///   - lock: The right to write in the folder.
  ///   - disk: The disk.
  /// - Returns: How many jobs are done, failed and pending.
  /// - Throws: `RunError`, `noRun` if there is no plan.
  public static func collect(_ lock: RunLock, on disk: Disk = Disk()) throws -> RunCounts {
    let folder = lock.folder
    var states = try JobStates(folder)
    if try states.hasOrphans(JournalIndex(folder)) { try adoptOrphans(&states, in: folder, on: disk) }
    let journal = JournalReader(folder, try JournalIndex(folder))
    return try Manifest.rewrite(in: folder, journal: journal, on: disk) { try states.find($0, in: journal).0 }
  }

  /// Notes the images that have no journal line.
  private static func adoptOrphans(_ states: inout JobStates, in folder: RunFolder, on disk: Disk) throws {
    var version = ""
    var news: [JournalEntry] = []
    let journal = JournalReader(folder, try JournalIndex(folder))
    try PlanFile.forEachJob(in: folder) { planned, details in
      if let details { version = details.engine.version }
      let text = Infotext(planned.job.settings, planned.ingredients, version: version).text
      let (state, entry) = try states.find(planned, in: journal, infotext: text)
      if state == .done, journal.index.images[planned.id] == nil, let entry { news.append(entry) }
    }
    if news.isEmpty { return }
    let main = try Journal(folder, on: disk)
    for entry in news { try main.append(entry, isDurable: false) }
    try main.synchronise()
  }
}
