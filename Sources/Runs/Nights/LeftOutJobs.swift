import Foundation
import Settings

/// The jobs in a run's plan that the next run leaves out: forgotten images, and images of a night that somebody deleted.
///
/// The next run removes them from the plan. Until then, `status`, `verify`, `why`, sheets and pages ask this type, so they
/// agree.
struct LeftOutJobs {
  private var ids: Set<JobID> = []
  /// The jobs whose images somebody deleted since the last run.
  private(set) var deleted: Set<JobID> = []

  /// Finds these jobs of a run folder.
  ///
  /// - Parameters:
  ///   - folder: The run.
  ///   - index: Its journals.
  /// - Throws: `RunError`.
  init(_ folder: RunFolder, _ index: JournalIndex) throws {
    let forgotten = try ForgottenImages(of: folder)
    var missing: Set<JobID> = []
    if access(folder.images, F_OK) == 0, PlanFile.hasNights(folder) {
      for (id, image) in index.images
      where image.files.names.allSatisfy({ access(folder.file($0), F_OK) != 0 }) { missing.insert(id) }
    }
    for entry in forgotten.entries.values {
      // If the image is at its path, somebody put it back.
      if let file = entry.file, !entry.isMoving, access(folder.file(file), F_OK) == 0 { continue }
      ids.insert(entry.id)
      missing.remove(entry.id)
    }
    if missing.isEmpty { return }
    do {
      try PlanFile.forEachJob(in: folder) { planned, _ in
        if planned.job.night != nil, missing.contains(planned.id) { deleted.insert(planned.id) }
      }
    } catch RunError.damaged {
      // The code that reads the plan reports that.
    }
    ids.formUnion(deleted)
  }

  /// Whether the next run leaves a job out.
  func contains(_ id: JobID) -> Bool { ids.contains(id) }
}
