import Foundation
import Infotext
import Settings

/// The states of jobs, as the next run will see them: it does not do the jobs again that are done here.
///
/// A run, `status`, `verify` and `why` all ask this type, so they agree.
struct JobStates {
  private let folder: RunFolder
  private let crashes: CrashLog
  /// Images without a journal line, by seed and the first digits of the identity.
  private var orphans: [String: [String]]?

  /// Reads which jobs crashed the process.
  init(_ folder: RunFolder) throws {
    self.folder = folder
    crashes = try CrashLog(folder)
  }

  /// The state of a job, and the entry that is missing in the journal.
  ///
  /// - Parameters:
  ///   - planned: The job.
  ///   - journal: The run's journals.
  ///   - infotext: The text that its image contains.
  /// - Returns: Both. A job that is not done may also have an entry, about files that can be converted.
  /// - Throws: `RunError.notRead`.
  mutating func find(
    _ planned: IdentifiedJob, in journal: some JournalLines, infotext: @autoclosure () -> String
  ) throws -> (JobState, JournalEntry?) {
    let encodings = planned.job.settings.encodings
    if journal.index.images[planned.id] != nil { return try find(planned.id, as: encodings, in: journal) }
    let files = orphans(journal.index)[Self.key(planned.job.settings.seed, planned.id.prefix(8))] ?? []
    if !files.isEmpty {
      let text = infotext()
      let images = files.compactMap { ImageCheck.orphan(planned, file: $0, infotext: text, in: folder) }
      // The files of one image have the same pixels; if some differ, the lossless ones count.
      if let first = images.first(where: \.encoding.isLossless) ?? images.first {
        let all = images.filter { $0.pixelsSHA256 == first.pixelsSHA256 }.flatMap(\.files)
        let image = first.with(all).sorted(by: encodings, in: folder)
        let isDone = JournalIndex.Files(image).has(encodings)
        return (isDone ? .done : unfinished(planned.id, journal.index), .done(image))
      }
    }
    return (unfinished(planned.id, journal.index), nil)
  }

  /// The state of a job by its journal line alone, and the line that is missing in the journal.
  ///
  /// - Parameters:
  ///   - id: The identity of the job.
  ///   - encodings: The files that the job asks for.
  ///   - journal: The run's journals.
  /// - Returns: Both.
  /// - Throws: `RunError.notRead`.
  func find(
    _ id: JobID, as encodings: [ImageEncoding], in journal: some JournalLines
  ) throws -> (JobState, JournalEntry?) {
    guard let noted = journal.index.images[id], noted.files.has(encodings) else {
      return (unfinished(id, journal.index), nil)
    }
    var moved: [ImageEncoding: FileMark] = [:]
    for encoding in encodings {
      let other = encoding == noted.encoding ? nil : noted.others.first { $0.encoding == encoding }
      let path = folder.file(other?.file ?? noted.file)
      switch try ImageCheck(
        path, mark: other?.mark ?? noted.mark, sha256: { try other?.sha256 ?? journal.image(id)?.sha256 })
      {
      case .intact: break
      case .lost: return (unfinished(id, journal.index), nil)
      case .moved(let mark): moved[encoding] = mark
      }
    }
    // The file of the first encoding is the main file.
    guard !moved.isEmpty || noted.encoding != encodings.first else { return (.done, nil) }
    guard let image = try journal.image(id) else { return (unfinished(id, journal.index), nil) }
    let files = image.files.map { file in
      var file = file
      file.mark = moved[file.encoding] ?? file.mark
      return file
    }
    return (.done, .done(image.with(files).sorted(by: encodings, in: folder)))
  }

  /// Why a job must not be tried; nil if it may be tried.
  func verdict(_ id: JobID) -> String? { crashes.verdict(id) }

  private func unfinished(_ id: JobID, _ index: JournalIndex) -> JobState {
    index.failures[id] == nil && crashes.verdict(id) == nil ? .pending : .failed
  }

  // MARK: Images without a line

  /// Whether there are images without a journal line; they may belong to any job.
  mutating func hasOrphans(_ index: JournalIndex) -> Bool { !orphans(index).isEmpty }

  private mutating func orphans(_ index: JournalIndex) -> [String: [String]] {
    if let orphans { return orphans }
    let known = Set(index.images.values.lazy.flatMap(\.files.names))
    var found: [String: [String]] = [:]
    // A change of the recipe changes the number in the name, so the number does not count.
    for name in (try? AtomicFile.names(in: folder.images)) ?? [] where !known.contains("images/" + name) {
      guard let (seed, digits) = RunFileName.image(name) else { continue }
      found[Self.key(seed, String(digits.prefix(8))), default: []].append("images/" + name)
    }
    let sorted = found.mapValues { $0.sorted() }
    orphans = sorted
    return sorted
  }

  private static func key(_ seed: Int64, _ digits: String) -> String { "\(seed)-\(digits)" }

  /// Counts the jobs of the folder's plan by state. Equal jobs are counted separately; jobs that the next run leaves out are
  /// not counted.
  ///
  /// - Parameters:
  ///   - journal: The run's journals.
  ///   - body: Receives each job's index in the plan and its identity.
  /// - Returns: The number of jobs in each state.
  /// - Throws: `RunError`.
  mutating func counts(
    of journal: some JournalLines, _ body: (_ index: Int, JobID) -> Void = { _, _ in }
  ) throws -> RunCounts {
    var counts = RunCounts()
    let leftOut = try LeftOutJobs(folder, journal.index)
    guard hasOrphans(journal.index) else {
      try PlanFile.forEachID(in: folder) { index, id, encodings in
        if leftOut.contains(id) { return }
        body(index, id)
        counts.count(try find(id, as: encodings, in: journal).0)
      }
      return counts
    }
    var version = ""
    var index = 0
    try PlanFile.forEachJob(in: folder) { planned, details in
      if let details { version = details.engine.version }
      defer { index += 1 }
      if leftOut.contains(planned.id) { return }
      body(index, planned.id)
      counts.count(
        try find(
          planned, in: journal,
          infotext: Infotext(planned.job.settings, planned.ingredients, version: version).text
        ).0)
    }
    return counts
  }
}
