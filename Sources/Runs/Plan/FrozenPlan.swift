import Foundation
import JSON
import Settings
import Text

/// A job with its identity and what it is made from.
public struct PlannedJob: Hashable, Sendable {
  /// Its identity.
  public var id: JobID
  /// The job.
  public var job: Job
  /// What it is made from.
  public var ingredients: JobIngredients

  /// A job with this identity.
  public init(id: JobID, job: Job, ingredients: JobIngredients) {
    self.id = id
    self.job = job
    self.ingredients = ingredients
  }

  /// All that the identity is made of, as an object with sorted members.
  public var identity: JSONValue? {
    JobID.canonicalJSON(job.settings, ingredients).withUnsafeBufferPointer { try? JSONValue(parsing: $0) }
  }
}

/// What concerns a run as a whole.
public struct RunDetails: Hashable, Sendable {
  /// The recipe as the manifest shows it.
  public var recipe: JSONValue
  /// The engine that makes the images.
  public var engine: EngineDescription
}

/// `plan.jsonl`: the jobs as they stood when the run started, one a line, identity first.
///
/// The first line also holds `recipe` and `engine`. `ingredients` stand in the first line and in each whose differ
/// from the line before.
public enum FrozenPlan {
  /// Writes the plan; one that is the same already stays as it is.
  ///
  /// - Parameters:
  ///   - jobs: Every job, in order.
  ///   - details: Recipe and engine.
  ///   - folder: The run, whose lock is held.
  ///   - disk: The disk.
  /// - Throws: `BatchError.notWritten`.
  static func write(
    _ jobs: some Sequence<PlannedJob>, _ details: RunDetails, to folder: RunFolder, on disk: Disk
  ) throws {
    try AtomicFile.write(to: folder.plan, on: disk, keepsEqual: true) { file in
      try write(jobs, details, to: file)
    }
  }

  private static func write(
    _ jobs: some Sequence<PlannedJob>, _ details: RunDetails, to file: AtomicFile.Pieces
  ) throws {
    var writer = JSONWriter()
    var last: JobIngredients?
    for planned in jobs {
      append(
        planned, details: last == nil ? details : nil, showsIngredients: planned.ingredients != last, to: &writer)
      last = planned.ingredients
      if writer.bytes.count > 1 << 20 { try writer.flush(file.write) }
    }
    try writer.flush(file.write)
  }

  /// Writes the plan of a run that is not to begin yet, with the recipe: all shards then work on it.
  ///
  /// - Parameters:
  ///   - plan: What the run is to do.
  ///   - generator: Says what each job is made from.
  ///   - lock: The right to write in the folder.
  ///   - disk: The disk.
  /// - Throws: What the generator throws, or `BatchError.notWritten`.
  public static func freeze(
    _ plan: RunPlan<some Sequence<Job>>, _ generator: some ImageGenerator, _ lock: RunLock, on disk: Disk = Disk()
  ) throws {
    let identified = try IdentifiedPlan(plan.jobs, generator)
    let details = RunDetails(recipe: plan.recipe, engine: generator.description)
    if let text = plan.recipeText {
      try AtomicFile.write(to: lock.folder.recipe, on: disk, keepsEqual: true) { file in
        try file.write(Array(text.utf8))
      }
    }
    try write(identified.planned, details, to: lock.folder, on: disk)
  }

  /// Writes the plan unless there is one, and makes sure that the one that is there asks for the same pictures.
  ///
  /// - Parameters:
  ///   - plan: Every job, in order.
  ///   - details: Recipe and engine.
  ///   - folder: The run, which other shards may be working in.
  ///   - disk: The disk.
  /// - Throws: `BatchError`; `otherPlan` where the first plan in the folder was another.
  static func settle(
    _ plan: IdentifiedPlan<some Sequence<Job>>, _ details: RunDetails, in folder: RunFolder, on disk: Disk
  ) throws {
    if try AtomicFile.writeFirst(to: folder.plan, on: disk, { file in try write(plan.planned, details, to: file) }) {
      return
    }
    var count = 0
    var difference: Int?
    try forEachID(in: folder) { place, id in
      count += 1
      if difference == nil, place >= plan.count || plan.ids[place] != id { difference = place }
    }
    if difference == nil, count < plan.count { difference = count }
    guard let place = difference else { return }
    throw BatchError.otherPlan(path: folder.path, problem: try describe(plan, differingAt: place, from: folder))
  }

  /// Why a job is not the one that the folder's plan has in its place.
  private static func describe(
    _ plan: IdentifiedPlan<some Sequence<Job>>, differingAt place: Int, from folder: RunFolder
  ) throws -> String {
    let number = Timestamp.padded(place, 5)
    guard place < plan.count else { return "it goes on after job \(number), where the plan here ends" }
    var there: PlannedJob?
    try forEachJob(in: folder) { job, _ in if job.job.index == place { there = job } }
    guard let there, let here = plan.planned.dropFirst(place).first(where: { _ in true }) else {
      return "it ends before job \(number)"
    }
    let changes = JobReasons.changes(from: there, to: here)
    let isOfMachine = changes.allSatisfy { ["isa", "precision", "numerics"].contains($0.name) }
    let advice = isOfMachine ? "; SDBATCH_ISA and --precision make all machines compute alike" : ""
    return "its job \(number) differs in " + changes.map(\.text).joined(separator: ", ") + advice
  }

  private static func append(
    _ planned: PlannedJob, details: RunDetails?, showsIngredients: Bool, to writer: inout JSONWriter
  ) {
    writer.object { writer in
      writer.member("id", planned.id.description)
      writer.member("index", planned.job.index)
      writer.key("axes")
      writer.axes(planned.job.axes)
      writer.key("parameters")
      ParametersJSON.writeFrozen(planned.job.settings, to: &writer)
      if showsIngredients {
        writer.key("ingredients")
        writer.ingredients(planned.ingredients)
      }
      if let details {
        writer.member("recipe", details.recipe)
        writer.key("engine")
        writer.engine(details.engine)
      }
    }
    writer.endLine()
  }

  // MARK: Reading

  /// Calls `body` with the identity and the place of each job, without reading the rest of its line.
  ///
  /// - Parameters:
  ///   - folder: The run.
  ///   - body: Takes the job's place in the plan and its identity.
  /// - Throws: `BatchError`, or what `body` throws.
  static func forEachID(in folder: RunFolder, _ body: (Int, JobID) throws -> Void) throws {
    let start = Array(#"{"id":""#.utf8)
    try forEachLine(in: folder) { number, line in
      guard line.starts(with: start),
        let id = JobID(String(decoding: line.dropFirst(start.count).prefix(64), as: UTF8.self))
      else { throw damage(folder, line: number) }
      try body(number, id)
    }
  }

  /// Reads the plan back.
  ///
  /// - Parameter folder: The run.
  /// - Returns: Every job; recipe and engine, but for a plan without jobs.
  /// - Throws: `BatchError`.
  public static func read(_ folder: RunFolder) throws -> (details: RunDetails?, jobs: [PlannedJob]) {
    var jobs: [PlannedJob] = []
    var details: RunDetails?
    try forEachJob(in: folder) { job, found in
      jobs.append(job)
      if let found { details = found }
    }
    return (details, jobs)
  }

  /// Reads the plan back, one job at a time.
  ///
  /// - Parameters:
  ///   - folder: The run.
  ///   - body: Takes each job; with the first recipe and engine.
  /// - Throws: `BatchError`, or what `body` throws.
  public static func forEachJob(
    in folder: RunFolder, _ body: (_ job: PlannedJob, _ details: RunDetails?) throws -> Void
  ) throws {
    struct Line: Decodable {
      var id: String
      var index: Int
      var axes: [AxisPosition]
      var settings: ImageSettings
      var ingredients: JobIngredients?
      var engine: EngineDescription?

      enum CodingKeys: String, CodingKey {
        case id, index, axes, ingredients, engine
        case settings = "parameters"
      }
    }
    let decoder = JSONDecoder()
    var last: JobIngredients?
    try forEachLine(in: folder) { number, bytes in
      guard let line = try? decoder.decode(Line.self, from: Data(buffer: bytes)), let id = JobID(line.id),
        let ingredients = line.ingredients ?? last
      else { throw damage(folder, line: number) }
      last = ingredients
      var details: RunDetails?
      if let engine = line.engine, let recipe = (try? JSONValue(parsing: bytes))?["recipe"] {
        details = RunDetails(recipe: recipe, engine: engine)
      }
      let job = Job(index: line.index, axes: line.axes, settings: line.settings)
      try body(PlannedJob(id: id, job: job, ingredients: ingredients), details)
    }
  }

  private static func forEachLine(in folder: RunFolder, _ body: (Int, UnsafeBufferPointer<UInt8>) throws -> Void) throws
  {
    var number = 0
    do {
      try FileReader.forEachLine(of: folder.plan) { _, line, _ in
        try body(number, line)
        number += 1
      }
    } catch BatchError.notRead(folder.plan, let code) where code == ENOENT {
      throw BatchError.noRun(path: folder.path)
    }
  }

  private static func damage(_ folder: RunFolder, line: Int) -> BatchError {
    .damaged(path: folder.plan, problem: "line \(line + 1) is no job; run the recipe again to have it written anew")
  }
}
