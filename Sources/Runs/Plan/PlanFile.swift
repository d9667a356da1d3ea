import Foundation
import JSON
import Settings
import Text

/// The facts about a run as a whole.
public struct RunDetails: Hashable, Sendable {
  /// The recipe as the manifest shows it.
  public var recipe: JSONValue
  /// The engine that makes the images.
  public var engine: EngineDescription
}

/// `plan.jsonl`: the jobs as they were planned when the run started, one per line, identity first.
///
/// The first line also has `recipe` and `engine`. A line has `ingredients` if they differ from those of the previous line.
public enum PlanFile {
  /// Writes the plan; a file with equal bytes stays unchanged.
  ///
  /// - Parameters:
  ///   - jobs: Every job, in order.
  ///   - details: Recipe and engine.
  ///   - folder: The run, whose lock is held.
  ///   - disk: The disk.
  /// - Throws: `RunError.notWritten`.
  static func write(
    _ jobs: JobList, _ details: RunDetails, to folder: RunFolder, on disk: Disk
  ) throws {
    try AtomicFile.write(to: folder.plan, on: disk, keepsEqual: true) { file in
      try write(jobs, details, to: file)
    }
  }

  private static func write(
    _ jobs: JobList, _ details: RunDetails, to file: AtomicFile.Pieces
  ) throws {
    var lines = PlanWriter(details)
    for planned in jobs.identified {
      lines.append(planned)
      if lines.writer.bytes.count > 1 << 20 { try lines.writer.flush(file.write) }
    }
    try lines.writer.flush(file.write)
  }

  /// Writes seeds, recipe and plan of a run that does not start yet, so that all shards work with them. Replaces an existing
  /// plan.
  ///
  /// - Parameters:
  ///   - plan: What the run will do.
  ///   - seeds: The seeds that were drawn for it.
  ///   - engine: The engine that will make the images.
  ///   - folder: The run folder, whose lock is held.
  ///   - disk: The disk.
  /// - Throws: `RunError`.
  public static func freeze(
    _ plan: RunPlan, _ seeds: some Encodable, _ engine: EngineDescription, in folder: RunFolder, on disk: Disk = Disk()
  ) throws {
    try folder.checkIsUsable()
    let lock = try RunLock(folder, on: disk)
    defer { withExtendedLifetime(lock) {} }
    try SeedFile.write(seeds, to: folder, on: disk)
    let details = RunDetails(recipe: plan.recipe, engine: engine)
    if let text = plan.recipeText {
      try AtomicFile.write(to: folder.recipe, on: disk, keepsEqual: true) { file in
        try file.write(Array(text.utf8))
      }
    }
    try write(plan.jobs, details, to: folder, on: disk)
  }

  /// Writes the plan if there is none; otherwise, checks that it has the same jobs.
  ///
  /// - Parameters:
  ///   - jobs: Every job, in order.
  ///   - details: Recipe and engine.
  ///   - folder: The run, in which other shards may be working.
  ///   - disk: The disk.
  /// - Throws: `RunError`; `otherPlan` if the folder's plan has other jobs.
  static func settle(
    _ jobs: JobList, _ details: RunDetails, in folder: RunFolder, on disk: Disk
  ) throws {
    if try AtomicFile.writeFirst(to: folder.plan, on: disk, { file in try write(jobs, details, to: file) }) {
      return
    }
    var count = 0
    var difference: Int?
    try forEachID(in: folder) { index, id, _ in
      count += 1
      if difference == nil, index >= jobs.count || jobs.ids[index] != id { difference = index }
    }
    if difference == nil, count < jobs.count { difference = count }
    if difference == nil, let index = try otherFiles(jobs, in: folder) {
      throw RunError.otherPlan(
        path: folder.path,
        problem: "its job \(index) keeps the image in another format, quality or number of files, or under another name"
      )
    }
    guard let index = difference else { return }
    throw RunError.otherPlan(path: folder.path, problem: try describe(jobs, differingAt: index, from: folder))
  }

  /// The first job that asks for other files than the folder's plan does; nil if there is none.
  private static func otherFiles(_ jobs: JobList, in folder: RunFolder) throws -> Int? {
    var isDefault = !jobs.hasOwnFiles
    try forEachLine(in: folder) { _, line in isDefault = isDefault && !PlannedFiles.isMarked(line) }
    if isDefault { return nil }
    var found: [ImageSettings] = []
    try forEachJob(in: folder) { planned, _ in
      var files = ImageSettings()
      files.takeFiles(of: planned.job.settings)
      found.append(files)
    }
    return zip(jobs.identified, found).enumerated().first { _, pair in
      var files = ImageSettings()
      files.takeFiles(of: pair.0.job.settings)
      return files != pair.1
    }?.offset
  }

  /// How a job differs from the job with the same index in the folder's plan.
  private static func describe(
    _ jobs: JobList, differingAt index: Int, from folder: RunFolder
  ) throws -> String {
    guard index < jobs.count else { return "it continues after job \(index - 1), where this recipe ends" }
    var there: IdentifiedJob?
    try forEachJob(in: folder) { job, _ in if job.job.index == index { there = job } }
    var queue = JobQueue(jobs, [index])
    guard let there, let here = queue.next()?.job else { return "it ends before job \(index)" }
    let changes = JobReasons.changes(from: there, to: here)
    let isOfMachine = changes.allSatisfy { ["isa", "precision", "numerics"].contains($0.name) }
    let advice =
      isOfMachine
      ? "; set SDBATCH_ISA and --precision to make all machines compute the same, or keep images with --accept-isa" : ""
    return "its job \(index) differs in " + changes.map(\.text).joined(separator: ", ") + advice
  }

  /// Removes jobs from a plan, and gives the others new numbers.
  ///
  /// - Parameters:
  ///   - left: The identities of the jobs to remove.
  ///   - folder: The run, whose lock is held.
  ///   - disk: The disk.
  /// - Throws: `RunError`.
  static func leaveOut(_ left: Set<JobID>, in folder: RunFolder, on disk: Disk) throws {
    var lines: PlanWriter?
    var index = 0
    try AtomicFile.write(to: folder.plan, on: disk, keepsEqual: true) { file in
      try forEachJob(in: folder) { planned, details in
        if let details { lines = PlanWriter(details) }
        if left.contains(planned.id) { return }
        var planned = planned
        planned.job.index = index
        index += 1
        lines?.append(planned)
        if let bytes = lines?.writer.bytes.count, bytes > 1 << 20 { try lines?.writer.flush(file.write) }
      }
      try lines?.writer.flush(file.write)
    }
  }

  // MARK: Reading

  /// Calls `body` with the index and the identity of each job, without reading the rest of the line.
  ///
  /// - Parameters:
  ///   - folder: The run.
  ///   - body: Receives the job's index in the plan, its identity, and the files that it asks for.
  /// - Throws: `RunError`, or what `body` throws.
  static func forEachID(
    in folder: RunFolder, _ body: (_ index: Int, JobID, [ImageEncoding]) throws -> Void
  ) throws {
    let start = Array(#"{"id":""#.utf8)
    try forEachLine(in: folder) { number, line in
      guard line.starts(with: start),
        let id = JobID(String(decoding: line.dropFirst(start.count).prefix(64), as: UTF8.self))
      else { throw damage(folder, line: number) }
      guard let encodings = PlannedFiles.encodings(line) else { throw damage(folder, line: number) }
      try body(number, id, encodings)
    }
  }

  /// Whether the plan of a folder has jobs with exactly these identities, in this order.
  static func hasIDs(_ ids: [JobID], in folder: RunFolder) throws -> Bool {
    var count = 0
    var isEqual = true
    try forEachID(in: folder) { index, id, _ in
      count += 1
      isEqual = isEqual && index < ids.count && ids[index] == id
    }
    return isEqual && count == ids.count
  }

  /// Reads the plan.
  ///
  /// - Parameter folder: The run.
  /// - Returns: Every job; the recipe and the engine, unless the plan has no jobs.
  /// - Throws: `RunError`.
  public static func read(_ folder: RunFolder) throws -> (details: RunDetails?, jobs: [IdentifiedJob]) {
    var jobs: [IdentifiedJob] = []
    var details: RunDetails?
    try forEachJob(in: folder) { job, found in
      jobs.append(job)
      if let found { details = found }
    }
    return (details, jobs)
  }

  /// Reads the plan, one job at a time.
  ///
  /// - Parameters:
  ///   - folder: The run.
  ///   - body: Receives each job; the first one together with recipe and engine.
  /// - Throws: `RunError`, or what `body` throws.
  public static func forEachJob(
    in folder: RunFolder, _ body: (_ job: IdentifiedJob, _ details: RunDetails?) throws -> Void
  ) throws {
    var reader = PlanReader()
    try forEachLine(in: folder) { number, line in
      guard let (job, details) = try? reader.read(line), job.job.settings.isSound else {
        throw damage(folder, line: number)
      }
      try body(job, details)
    }
  }

  /// Whether the first job of a plan belongs to a night. Then all jobs do, except included cells, which come last. A plan that
  /// cannot be read has no nights.
  static func hasNights(_ folder: RunFolder) -> Bool {
    var isNightly = false
    try? forEachJob(in: folder) { planned, _ in
      isNightly = planned.job.night != nil
      throw CancellationError()
    }
    return isNightly
  }

  private static func forEachLine(in folder: RunFolder, _ body: (Int, UnsafeBufferPointer<UInt8>) throws -> Void) throws
  {
    var number = 0
    do {
      try FileReader.forEachLine(of: folder.plan) { _, line, isWhole in
        guard isWhole else { throw damage(folder, line: number) }
        try body(number, line)
        number += 1
      }
    } catch RunError.notRead(folder.plan, let code) where code == ENOENT {
      throw RunError.noRun(path: folder.path)
    }
    // All images of a nightly series may be forgotten.
    if number == 0, access(folder.forgotten, F_OK) != 0 {
      throw RunError.damaged(path: folder.plan, problem: "it has no jobs; run the recipe again to rewrite it")
    }
  }

  private static func damage(_ folder: RunFolder, line: Int) -> RunError {
    .damaged(path: folder.plan, problem: "line \(line + 1) is not a job; run the recipe again to rewrite it")
  }
}

/// Finds the files that the jobs of a plan ask for; most lines say nothing about files, and are not parsed.
private enum PlannedFiles {
  private static let marks = SettingRow.ofFiles.map { Array("\"\($0.key)\":".utf8) }

  /// The files that a line asks for; nil for a damaged line.
  ///
  /// Quotation marks in texts are escaped, so a match is always a member's name.
  static func encodings(_ line: UnsafeBufferPointer<UInt8>) -> [ImageEncoding]? {
    isMarked(line) ? PlanReader.settings(line)?.encodings : [.png]
  }

  static func isMarked(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
    guard var place = line.baseAddress else { return false }
    let end = place + line.count
    while place < end, let comma = memchr(place, Int32(UInt8(ascii: ",")), end - place) {
      place = UnsafePointer(comma.assumingMemoryBound(to: UInt8.self)) + 1
      let isMark = marks.contains { mark in end - place >= mark.count && memcmp(place, mark, mark.count) == 0 }
      if isMark { return true }
    }
    return false
  }
}

/// Writes the lines of a plan.
private struct PlanWriter {
  /// The lines so far.
  var writer = JSONWriter()
  private let details: RunDetails
  private var last: JobIngredients?
  private var sequence = SeedSequence()
  private var parameters = SeedText()

  init(_ details: RunDetails) { self.details = details }

  /// Writes the line of the next job.
  mutating func append(_ planned: IdentifiedJob) {
    let (job, ingredients) = (planned.job, planned.ingredients)
    sequence.note(job.settings, ingredients)
    writer.object { writer in
      writer.member("id", planned.id.description)
      writer.member("index", job.index)
      writer.key("axes")
      writer.axes(job.axes)
      writer.key("parameters")
      parameters.write(SeedText.Slots(seed: job.settings.seed), of: sequence.group, to: &writer) { slots, writer in
        var settings = job.settings
        settings.seed = slots.seed
        settings.writePlanned(to: &writer)
      }
      if ingredients != last {
        writer.key("ingredients")
        writer.ingredients(ingredients)
      }
      if last == nil {
        writer.member("recipe", details.recipe)
        writer.key("engine")
        writer.engine(details.engine)
      }
    }
    writer.endLine()
    last = ingredients
  }
}
