import Foundation
import JSON
import Settings
import Text

/// Why the next run makes a job's picture, or passes it by.
public struct JobReason: Hashable, Sendable {
  /// One part of an identity that differs between two pictures.
  public struct Change: Hashable, Sendable {
    /// The recipe's key, or `model`, `vae`, `vocabulary`, `precision`, `isa` or `numerics`.
    public var name: String
    /// What it was for the earlier picture; nothing where it had no part in it.
    public var earlier: JSONValue?
    /// What it is for the job.
    public var now: JSONValue?

    var text: String { "\(name): \(Self.text(earlier)), now \(Self.text(now))" }

    private static func text(_ value: JSONValue?) -> String {
      switch value {
      case nil, .null: "none"
      // Digests are known by their first digits.
      case .string(let text) where text.utf8.count == 64 && text.allSatisfy(\.isHexDigit): String(text.prefix(10))
      case .string(let text): "\"\(text)\""
      case .some(let value): value.jsonText
      }
    }
  }

  /// The job's place in the plan.
  public var index: Int
  /// The whole identity.
  public var id: String
  /// Whether the next run makes the picture.
  public var runs: Bool
  /// One word: `done`, `touched`, `missing`, `altered`, `requeued`, `failed` or `new`.
  public var cause: String
  /// What was found, in words.
  public var reason: String
  /// The image that the journal names for the job, relative to the run folder.
  public var file: String?
  /// The image that is most like the one to make.
  public var nearest: String?
  /// What the nearest image has otherwise.
  public var changes: [Change] = []

  /// A line for people, and one for each change.
  public var text: String {
    var lines = ["job \(Timestamp.padded(index, 5)) (\(id.prefix(8))) \(runs ? "runs" : "is skipped"): \(reason)"]
    if let nearest {
      lines[0] += "; \(nearest) is the nearest and differs in"
      lines += changes.map { "  \($0.text)" }
    }
    return lines.joined(separator: "\n")
  }

  /// An object for programs.
  public var json: JSONValue {
    [
      "index": .integer(Int64(index)), "id": .string(id), "runs": .bool(runs), "cause": .string(cause),
      "reason": .string(reason), "file": file.map { .string($0) } ?? .null,
      "nearest": nearest.map { .string($0) } ?? .null,
      "changes": .array(
        changes.map { ["name": .string($0.name), "earlier": $0.earlier ?? .null, "now": $0.now ?? .null] }),
    ]
  }
}

/// Tells why jobs run or are skipped, from the files of a run and the jobs as the next run would plan them.
public struct JobReasons {
  private let folder: RunFolder
  private let index: JournalIndex
  private let journal: JournalReader

  /// Reads the journal of a run.
  ///
  /// - Parameter folder: The run; it may be going on.
  /// - Throws: `RunError`, `noRun` where there is no plan.
  public init(_ folder: RunFolder) throws {
    self.folder = folder
    guard access(folder.plan, F_OK) == 0 else { throw RunError.noRun(path: folder.path) }
    index = try JournalIndex(folder)
    journal = JournalReader(folder, index)
  }

  // MARK: Which job

  /// Finds the job that a person means.
  ///
  /// - Parameters:
  ///   - name: Its place in the plan, the first digits of its identity, or the name of its image.
  ///   - jobs: The jobs of the plan.
  /// - Returns: The job.
  /// - Throws: `RunError.noJob` if there is none, or more than one.
  public func job(named name: String, in jobs: [IdentifiedJob]) throws -> IdentifiedJob {
    if let place = Int(name), jobs.indices.contains(place), name.utf8.count < 8 { return jobs[place] }
    let file = (name as NSString).lastPathComponent
    if file.hasSuffix(".png") {
      let ids = Set(index.images.lazy.filter { $0.value.file == "images/" + file }.map(\.key))
      if let job = jobs.first(where: { ids.contains($0.id) || RunFolder.imageName($0.job, $0.id) == "images/" + file })
      {
        return job
      }
      let known = ids.isEmpty ? "the journal knows no image of this name" : "no job of the plan asks for this image"
      throw RunError.noJob(name: name, problem: "\(known) in \(folder.path)")
    }
    let digits = name.lowercased()
    var found: [JobID: IdentifiedJob] = [:]
    if !digits.isEmpty, digits.allSatisfy(\.isHexDigit) {
      for job in jobs where job.id.description.hasPrefix(digits) && found[job.id] == nil { found[job.id] = job }
    }
    guard let job = found.values.first else {
      throw RunError.noJob(
        name: name,
        problem:
          "found no such job in \(folder.path), expected a place from 0 to \(jobs.count - 1), the first digits of "
          + "an identity, or the name of an image")
    }
    guard found.count == 1 else {
      throw RunError.noJob(name: name, problem: "\(found.count) jobs begin so; give more digits of the identity")
    }
    return job
  }

  // MARK: Why

  /// Tells why each of some jobs runs or is skipped.
  ///
  /// - Parameter jobs: The jobs, with what they would be made from now.
  /// - Returns: A reason for each; the nearest image is looked for as long as that takes no more than seconds.
  /// - Throws: `RunError` if the journal or an image cannot be read.
  public func reasons(_ jobs: [IdentifiedJob]) throws -> [JobReason] {
    var reasons = try jobs.map(reason)
    let limit = max(1, 2_000_000 / max(index.images.count, 1))
    let searched = reasons.indices.filter { reasons[$0].cause == "new" }.prefix(limit)
    try findNearest(Array(searched), jobs, &reasons)
    return reasons
  }

  private func reason(_ planned: IdentifiedJob) throws -> JobReason {
    func reason(runs: Bool, _ cause: String, _ text: String, file: String? = nil) -> JobReason {
      JobReason(
        index: planned.job.index, id: planned.id.description, runs: runs, cause: cause, reason: text, file: file)
    }
    if let noted = index.images[planned.id] {
      let path = folder.file(noted.file)
      let name = noted.file
      switch try ImageCheck(path, mark: noted.mark, sha256: { try journal.image(planned.id)?.sha256 }) {
      case .intact:
        return reason(runs: false, "done", "\(name) is there, with the size and time that were noted", file: name)
      case .moved:
        return reason(
          runs: false, "touched", "\(name) has another time than was noted, but the same bytes", file: name)
      case .lost:
        guard let mark = try? FileMark(path: path) else {
          return reason(runs: true, "missing", "\(name) is missing", file: name)
        }
        let what =
          mark.size == noted.mark.size ? "other bytes than" : "\(mark.size) bytes, not the \(noted.mark.size) that"
        return reason(runs: true, "altered", "\(name) has \(what) were written", file: name)
      }
    }
    if let job = try journal.requeued(planned.id) {
      return reason(
        runs: true, "requeued", "verify --repair put it back on \(job.started.iso): its image \(job.reason)")
    }
    if let failure = try journal.failure(planned.id) {
      return reason(
        runs: true, "failed", "it failed on \(failure.started.iso) after \(failure.seconds) s: \(failure.error)")
    }
    return reason(runs: true, "new", "there is no picture of it yet")
  }

  // MARK: What changed

  private typealias Identity = [(name: String, value: JSONValue)]

  private static func identity(_ json: JSONValue?) -> Identity? {
    guard case .object(let members) = json else { return nil }
    return members.map { ($0.name, $0.value) }
  }

  /// Goes once through the images that were made, and keeps the nearest of each job.
  private func findNearest(_ searched: [Int], _ jobs: [IdentifiedJob], _ reasons: inout [JobReason]) throws {
    let wanted = searched.compactMap { place in Self.identity(jobs[place].identity).map { (place, $0) } }
    guard !wanted.isEmpty else { return }
    var best: [Int: (weight: Int, line: Int)] = [:]
    for (id, image) in index.images where access(folder.file(image.file), F_OK) == 0 {
      guard let made = Self.identity(try journal.identity(id)) else { continue }
      for (place, identity) in wanted {
        let weight = Self.weight(made, identity)
        // Of those equally near the latest.
        if let known = best[place], (known.weight, -known.line) <= (weight, -image.line.order) { continue }
        best[place] = (weight, image.line.order)
        reasons[place].nearest = image.file
        reasons[place].changes = Self.changes(from: made, to: identity)
      }
    }
  }

  /// Another seed or prompt makes a picture less alike than other settings do.
  private static func weight(_ one: Identity, _ other: Identity) -> Int {
    walk(one, other).reduce(0) { $0 + (["seed", "prompt"].contains($1.name) ? 3 : 1) }
  }

  /// What makes the pictures of two jobs different ones.
  static func changes(from earlier: IdentifiedJob, to now: IdentifiedJob) -> [JobReason.Change] {
    changes(from: identity(earlier.identity) ?? [], to: identity(now.identity) ?? [])
  }

  private static func changes(from earlier: Identity, to now: Identity) -> [JobReason.Change] {
    walk(earlier, now).map { JobReason.Change(name: $0.name, earlier: $0.one, now: $0.other) }
  }

  /// The members that differ; both identities are sorted by name.
  private static func walk(
    _ one: Identity, _ other: Identity
  ) -> [(name: String, one: JSONValue?, other: JSONValue?)] {
    var found: [(name: String, one: JSONValue?, other: JSONValue?)] = []
    var (i, j) = (0, 0)
    while i < one.count || j < other.count {
      if j == other.count || (i < one.count && one[i].name < other[j].name) {
        found.append((one[i].name, one[i].value, nil))
        i += 1
      } else if i == one.count || other[j].name < one[i].name {
        found.append((other[j].name, nil, other[j].value))
        j += 1
      } else {
        if one[i].value != other[j].value { found.append((one[i].name, one[i].value, other[j].value)) }
        i += 1
        j += 1
      }
    }
    return found
  }
}
