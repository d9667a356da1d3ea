import Foundation
import JSON
import Settings
import Text

/// The nights of a run, newest first, from its files alone; the run may be in progress.
///
/// Without a nightly series, the nights are the dates on which work on the images began.
public struct NightList: Sendable {
  /// One night.
  public struct Night: Hashable, Sendable {
    /// Its date.
    public var date: LocalDate
    /// How many of its jobs are done, failed and pending.
    public var counts = RunCounts()
    /// How many of its images were forgotten or deleted.
    public var forgotten = 0
    /// How many of its images have stars.
    public var starred = 0
    /// How long its images took in total.
    public var seconds = 0.0
    /// Why jobs failed; each reason once.
    public var errors: [String] = []

    /// An object for programs.
    public var json: JSONValue {
      [
        "night": .string("\(date)"), "jobs": .integer(Int64(counts.total)), "done": .integer(Int64(counts.done)),
        "failed": .integer(Int64(counts.failed)), "pending": .integer(Int64(counts.pending)),
        "forgotten": .integer(Int64(forgotten)), "starred": .integer(Int64(starred)), "seconds": .number(seconds),
        "errors": .array(errors.map { .string($0) }),
      ]
    }
  }

  /// The absolute path of the run folder.
  public let folder: String
  /// Whether the dates are those of a nightly series.
  public let isSeries: Bool
  /// Newest first.
  public let nights: [Night]

  /// Reads a run folder.
  ///
  /// - Parameter folder: The run.
  /// - Throws: `RunError`; `noRun` if there is no plan.
  public init(_ folder: RunFolder) throws {
    self.folder = folder.path
    let journal = JournalReader(folder, try JournalIndex(folder))
    let states = try JobStates(folder)
    let leftOut = try LeftOutJobs(folder, journal.index)
    let picks = (try? Picks(of: folder)) ?? Picks()
    var nights: [LocalDate: Night] = [:]
    var isSeries = false
    var seen: Set<JobID> = []
    func change(_ date: LocalDate, _ change: (inout Night) -> Void) {
      change(&nights[date, default: Night(date: date)])
    }
    try PlanFile.forEachJob(in: folder) { planned, _ in
      isSeries = isSeries || planned.job.night != nil
      let image = try journal.image(planned.id)
      let failure = try journal.failure(planned.id)
      let started = image?.started ?? failure?.started
      let day = started.map { LocalDate(secondsSince1970: Int($0.milliseconds / 1000)) }
      guard let date = planned.job.night ?? (isSeries ? nil : day), seen.insert(planned.id).inserted else { return }
      if leftOut.contains(planned.id) {
        if leftOut.deleted.contains(planned.id) { change(date) { $0.forgotten += 1 } }
        return
      }
      let state = try states.find(planned.id, as: planned.job.settings.encodings, in: journal).0
      change(date) { night in
        night.counts.count(state)
        if state == .done { night.seconds += image?.seconds ?? 0 }
        if picks.isPicked(planned.id.description) { night.starred += 1 }
        if state == .failed, let error = failure?.error, !night.errors.contains(error) { night.errors.append(error) }
      }
    }
    for entry in try ForgottenImages(of: folder).entries.values where entry.file != nil {
      if let date = entry.night, leftOut.contains(entry.id) { change(date) { $0.forgotten += 1 } }
    }
    self.isSeries = isSeries
    self.nights = nights.values.sorted { $0.date > $1.date }
  }

  /// An object for programs.
  public var json: JSONValue {
    ["folder": .string(folder), "series": .bool(isSeries), "nights": .array(nights.map(\.json))]
  }
}
