import Infotext

/// Combines the work of shards.
public enum Collector {
  /// Writes the manifest of a run from the plan and all journals.
  ///
  /// An image counts as done if the next run would not make it again. An image that a killed shard left without a journal line
  /// gets its line, and temporary files of shards are removed. Only `verify` reads every byte.
  ///
  /// - Parameters:
  ///   - lock: The folder's lock.
  ///   - disk: The disk.
  /// - Returns: How many jobs are done, failed and pending.
  /// - Throws: `RunError`; `noRun` if there is no plan.
  public static func collect(_ lock: RunLock, on disk: Disk = Disk()) throws -> RunCounts {
    let folder = lock.folder
    try folder.removeLeftovers(on: disk)
    var states = try JobStates(folder)
    if try states.hasOrphans(JournalIndex(folder)) { try adoptOrphans(&states, in: folder, on: disk) }
    let journal = JournalReader(folder, try JournalIndex(folder))
    return try Manifest.rewrite(in: folder, journal: journal, on: disk) { planned in
      try states.find(planned.id, as: planned.job.settings.encodings, in: journal).0
    }
  }

  /// Adds the journal lines that images do not have yet.
  private static func adoptOrphans(_ states: inout JobStates, in folder: RunFolder, on disk: Disk) throws {
    var version = ""
    var news: [JournalEntry] = []
    let journal = JournalReader(folder, try JournalIndex(folder))
    try PlanFile.forEachJob(in: folder) { planned, details in
      if let details { version = details.engine.version }
      let text = Infotext(planned.job.settings, planned.ingredients, version: version).text
      let (_, entry) = try states.find(planned, in: journal, infotext: text)
      if journal.index.images[planned.id] == nil, let entry { news.append(entry) }
    }
    if news.isEmpty { return }
    let main = try Journal(folder, on: disk)
    for entry in news { try main.append(entry, isDurable: false) }
    try main.synchronise()
  }
}
