import Foundation
import Settings
import Text

/// Removes nights from a series: the decision, and carrying it out.
public struct NightCleanup {
  /// What happens to a night.
  public struct Night: Hashable, Sendable {
    /// Its date.
    public var date: LocalDate
    /// Whether a rule keeps it.
    public var isKept: Bool
    /// How many of its jobs stay.
    public var staying = 0
    /// How many of its jobs are forgotten now.
    public var forgotten = 0
  }

  /// Newest first.
  public let nights: [Night]
  /// How many images move to `trash/`.
  public let images: Int
  /// How many bytes these images have.
  public let bytes: Int64
  /// How many images stay because they have stars, although no rule keeps their nights.
  public var starred: Int { forgetting.starred }

  /// How many days a forgotten image stays in `trash/`.
  public static let daysInTrash = Forgetting.daysInTrash

  private let forgetting: Forgetting
  private let folder: RunFolder

  /// Makes the decision, and changes nothing.
  ///
  /// - Parameters:
  ///   - folder: The run.
  ///   - rules: Which nights are kept.
  /// - Throws: `NoNights` for a run without a nightly series, or `RunError`.
  public init(_ folder: RunFolder, keeping rules: KeepRules) throws {
    self.folder = folder
    try folder.checkIsRun()
    var candidates: [Forgetting.Candidate] = []
    try PlanFile.forEachJob(in: folder) { planned, _ in
      candidates.append(Forgetting.Candidate(id: planned.id, night: planned.job.night))
    }
    let dates = Set(candidates.compactMap(\.night))
    guard !dates.isEmpty else { throw NoNights(path: folder.path) }
    forgetting = try Forgetting(candidates, in: folder, keeping: rules, reason: .forget)
    let kept = rules.kept(dates)
    var nights: [LocalDate: Night] = [:]
    let added = Set(forgetting.added.map(\.id))
    for job in candidates {
      guard let date = job.night else { continue }
      var night = nights[date] ?? Night(date: date, isKept: kept.contains(date))
      if added.contains(job.id) {
        night.forgotten += 1
      } else if !forgetting.leftOut.contains(job.id) {
        night.staying += 1
      }
      nights[date] = night
    }
    self.nights = nights.values.sorted { $0.date > $1.date }
    let moving = forgetting.added.filter(\.isMoving)
    images = moving.count
    bytes = moving.flatMap(\.files).reduce(0) { $0 + ((try? FileMark(path: folder.file($1)).size) ?? 0) }
  }

  /// Carries out the decision; after a kill at any time, the next command or run repairs the folder.
  ///
  /// - Parameters:
  ///   - lock: The lock of the folder, taken before the decision.
  ///   - disk: The disk.
  /// - Throws: `RunError`; `folderInUse` while shards are at work.
  public func apply(_ lock: RunLock, on disk: Disk = Disk()) throws {
    guard RunActivity(folder).images.isEmpty else {
      throw RunError.folderInUse(path: folder.path, owner: "its shards are at work")
    }
    try forgetting.apply(on: disk)
    try PlanFile.leaveOut(forgetting.leftOut, in: folder, on: disk)
    let journal = JournalReader(folder, try JournalIndex(folder))
    let states = try JobStates(folder)
    try Manifest.rewrite(in: folder, journal: journal, on: disk) { planned in
      try states.find(planned.id, as: planned.job.settings.encodings, in: journal).0
    }
  }

  /// Deletes everything that was forgotten from `trash/`.
  ///
  /// - Parameters:
  ///   - lock: The lock of the folder.
  ///   - disk: The disk.
  /// - Returns: How many images were deleted, and how many bytes.
  /// - Throws: `RunError`.
  public static func emptyTrash(_ lock: RunLock, on disk: Disk = Disk()) throws -> (images: Int, bytes: Int64) {
    try Forgetting.prune(lock.folder, ForgottenImages(of: lock.folder), olderThanDays: 0, on: disk)
  }
}

/// The error of a run without a nightly series.
public struct NoNights: InputFailure, CustomStringConvertible {
  let path: String

  /// The message.
  public var description: String {
    "\(path) has no nights: its recipe has no nightly series, such as nightly: {count: 16, keep: 30}"
  }
}
