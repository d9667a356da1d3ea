import Foundation
import Infotext
import JSON
import Settings
import Text

/// Why the next run makes a job's image or skips the job.
public struct JobReason: Hashable, Sendable {
  /// One part of an identity that differs between two images.
  public struct Change: Hashable, Sendable {
    /// The recipe's key, or `model`, `vae`, `vocabulary`, `precision`, `isa` or `numerics`.
    public var name: String
    /// Its value for the earlier image; nil if that identity has no such part.
    public var earlier: JSONValue?
    /// Its value for the job now; nil if that identity has no such part.
    public var now: JSONValue?

    var text: String { "\(name): \(Self.text(earlier)), now \(Self.text(now))" }

    private static func text(_ value: JSONValue?) -> String {
      switch value {
      case nil, .null: "none"
      // The first digits of a digest are enough.
      case .string(let text) where text.utf8.count == 64 && text.allSatisfy(\.isHexDigit): String(text.prefix(10))
      case .string(let text): "\"\(text)\""
      case .some(let value): value.jsonText
      }
    }
  }

  /// The job's index in the plan.
  public var index: Int
  /// The complete identity.
  public var id: String
  /// Whether the next run makes the image.
  public var runs: Bool
  /// One word: `done`, `touched`, `unrecorded`, `missing`, `altered`, `requeued`, `crashed`, `failed`, `other_isa`, `elsewhere`,
  /// `forgotten`, `deleted` or `new`.
  public var cause: String
  /// The reason in words.
  public var reason: String
  /// The image that the journal names for the job, relative to the run folder.
  public var file: String?
  /// The image with the most similar identity.
  public var nearest: String?
  /// How that image differs.
  public var changes: [Change] = []
  /// How `status` counts the job; nil for a job that the next run leaves out.
  var state: JobState? = .pending

  /// A line for people, and one line for each change.
  public var text: String {
    var lines = ["job \(index) (\(id.prefix(8))) will \(runs ? "run" : "be skipped"): \(reason)"]
    if let nearest {
      lines[0] += "; the nearest image is \(nearest), which differs in"
      lines += changes.map { "  \($0.text)" }
    }
    return lines.map(\.printableLine).joined(separator: "\n")
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

/// Explains why jobs will run or be skipped, from the files of a run and the jobs as the next run would plan them.
public struct JobReasons {
  private let folder: RunFolder
  private let index: JournalIndex
  private let journal: JournalReader
  private let version: String
  private let store: ImageStore?

  /// Reads the journal of a run.
  ///
  /// - Parameters:
  ///   - folder: The run; it may be in progress.
  ///   - version: The program that would run.
  ///   - store: The images in other run folders; nil if the run would not use them.
  /// - Throws: `RunError`; `noRun` if there is no plan.
  public init(_ folder: RunFolder, version: String = "", store: ImageStore? = nil) throws {
    self.folder = folder
    self.store = store
    self.version = version
    try folder.checkIsRun()
    index = try JournalIndex(folder)
    journal = JournalReader(folder, index)
  }

  // MARK: Which job

  /// Finds the job that a person means.
  ///
  /// - Parameters:
  ///   - name: Its index in the plan, the first digits of its identity, or the name of its image.
  ///   - jobs: The jobs of the plan.
  /// - Returns: The job.
  /// - Throws: `RunError.noJob` if there is none, or more than one.
  public func job(named name: String, in jobs: [IdentifiedJob]) throws -> IdentifiedJob {
    if let index = Int(name), jobs.indices.contains(index), name.utf8.count < 8 { return jobs[index] }
    if RunFolder.hasImageEnding(name) {
      // A path in any form: absolute, relative to the current or the run folder, or the file name alone.
      let file = (name as NSString).lastPathComponent
      let stem = "images/" + RunFolder.stem(of: file)
      func isMeant(_ known: String) -> Bool { known == name || ("/" + name).hasSuffix("/" + known) }
      func isAlike(_ known: String) -> Bool { known.hasSuffix("/" + name) }
      var ids = Set(index.images.lazy.filter { $0.value.files.names.contains(where: isMeant) }.map(\.key))
      if ids.isEmpty {
        ids = Set(index.images.lazy.filter { $0.value.files.names.contains(where: isAlike) }.map(\.key))
      }
      if ids.count > 1 {
        throw RunError.noJob(name: name, problem: "\(ids.count) images have this name; give its folder too")
      }
      if let job = jobs.first(where: { ids.contains($0.id) || RunFolder.imageStem($0.job, $0.id) == stem }) {
        return job
      }
      let known = ids.isEmpty ? "no image has this name" : "no job of the plan makes this image"
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
          "found no such job in \(folder.path), expected a number from 0 to \(jobs.count - 1), the first digits of "
          + "an identity, or the name of an image")
    }
    guard found.count == 1 else {
      throw RunError.noJob(
        name: name, problem: "\(found.count) jobs begin with these digits; give more digits of the identity")
    }
    return job
  }

  // MARK: Why

  /// Explains why each of some jobs will run or be skipped.
  ///
  /// - Parameter jobs: The jobs, with the ingredients that they have now.
  /// - Returns: A reason for each; the search for the most similar image stops after a few seconds.
  /// - Throws: `RunError` if the journal or an image cannot be read.
  public func reasons(_ jobs: [IdentifiedJob]) throws -> [JobReason] {
    var states = try JobStates(folder)
    let others = try OtherImages(jobs, journal, in: folder).images
    let forgotten = try ForgottenImages(of: folder)
    var reasons = try jobs.map { planned in
      if let reason = leftOut(planned, forgotten) { return reason }
      var reason = try reason(planned, &states, others)
      reason.state =
        reason.cause == "other_isa"
        ? .done
        : try states.find(
          planned, in: journal, infotext: Infotext(planned.job.settings, planned.ingredients, version: version).text
        ).0
      return reason
    }
    findElsewhere(&reasons, jobs.map(\.job.settings.encodings))
    let limit = max(1, 2_000_000 / max(index.images.count, 1))
    let searched = reasons.indices.filter { ["new", "other_isa"].contains(reasons[$0].cause) }.prefix(limit)
    try findNearest(Array(searched), jobs, &reasons)
    return reasons
  }

  private func reason(
    _ planned: IdentifiedJob, _ states: inout JobStates, _ others: [JobID: OtherImages.Image]
  ) throws -> JobReason {
    func reason(runs: Bool, _ cause: String, _ text: String, file: String? = nil) -> JobReason {
      JobReason(
        index: planned.job.index, id: planned.id.description, runs: runs, cause: cause, reason: text, file: file)
    }
    let encodings = planned.job.settings.encodings
    var stored = index.images[planned.id].map { (file: $0.file, mark: $0.mark, sha256: String?.none) }
    if let noted = index.images[planned.id], !noted.others.isEmpty || encodings != [noted.encoding],
      let image = try journal.image(planned.id)
    {
      if let reason = try conversion(image, to: encodings) {
        return JobReason(
          index: planned.job.index, id: planned.id.description, runs: true, cause: "format", reason: reason,
          file: image.file)
      }
      let files = image.files.filter { encodings.contains($0.encoding) }
      guard files.count == encodings.count else {
        let names = encodings.filter { encoding in !files.contains { $0.encoding == encoding } }
        return reason(
          runs: true, "format",
          "\(image.file) does not preserve its pixels, so that \(names.map(\.description).joined(separator: " and ")) "
            + (hasLatent(planned.id) ? "is made from the latent that was kept" : "needs the image to be made again"),
          file: image.file)
      }
      let lost = try files.first { file in
        if case .lost = try ImageCheck(folder.file(file.file), mark: file.mark, sha256: { file.sha256 }) { return true }
        return false
      }
      stored = (lost ?? image.sorted(by: encodings, in: folder).files.first).map { ($0.file, $0.mark, $0.sha256) }
    }
    if let noted = stored {
      let path = folder.file(noted.file)
      let name = noted.file
      switch try ImageCheck(
        path, mark: noted.mark, sha256: { try noted.sha256 ?? journal.image(planned.id)?.sha256 })
      {
      case .intact:
        let source =
          index.images[planned.id]?.isReused == true
          ? try journal.image(planned.id)?.reusedFrom.map { " (taken from \($0))" } : nil
        return reason(runs: false, "done", "its image exists and is unchanged" + (source ?? ""), file: name)
      case .moved:
        return reason(
          runs: false, "touched", "its image has another modification time, but the same bytes", file: name)
      case .lost:
        guard let mark = try? FileMark(path: path) else {
          return reason(runs: true, "missing", "\(name) is missing", file: name)
        }
        let what =
          mark.size == noted.mark.size ? "other bytes than" : "\(mark.size) bytes, not the \(noted.mark.size) that"
        return reason(runs: true, "altered", "\(name) has \(what) were written", file: name)
      }
    }
    let text = Infotext(planned.job.settings, planned.ingredients, version: version)
    if case (.done, .done(let image)?) = try states.find(planned, in: journal, infotext: text.text) {
      return reason(
        runs: false, "unrecorded", "its image exists; the next run adds its missing journal line",
        file: image.file)
    }
    if let verdict = states.verdict(planned.id) { return reason(runs: false, "crashed", verdict) }
    if let other = others[planned.id], !other.isAskedFor, let noted = index.images[other.id] {
      return reason(
        runs: false, "other_isa",
        """
        its image exists, made with \(other.ingredients.isa) (\(other.ingredients.precision)); a run stops before it makes \
        the image again, or keeps it with --accept-isa
        """, file: noted.file)
    }
    if let job = try journal.requeued(planned.id) {
      return reason(
        runs: true, "requeued",
        "verify --repair put it back into the queue on \(job.started.iso): its image \(job.reason)")
    }
    if let failure = try journal.failure(planned.id) {
      return reason(
        runs: true, "failed",
        "its last try failed on \(failure.started.iso) after \(failure.seconds) s: \(failure.error)")
    }
    return reason(runs: true, "new", "it has no image yet")
  }

  /// Why the next run leaves out a job of a night; nil if it does not.
  private func leftOut(_ planned: IdentifiedJob, _ forgotten: ForgottenImages) -> JobReason? {
    func reason(_ cause: String, _ text: String, _ file: String?) -> JobReason {
      JobReason(
        index: planned.job.index, id: planned.id.description, runs: false, cause: cause, reason: text, file: file,
        state: nil)
    }
    if let entry = forgotten.entries[planned.id] {
      if let file = entry.file, !entry.isMoving, access(folder.file(file), F_OK) == 0 { return nil }
      let why =
        switch entry.reason {
        case .forget: "sdbatch forget took it out of the series on \(entry.forgotten.iso)"
        case .keep: "the recipe no longer kept its night on \(entry.forgotten.iso)"
        case .deleted: "its image was deleted before the run of \(entry.forgotten.iso)"
        }
      var place = ""
      if let file = entry.file, access(folder.trashed(file), F_OK) == 0 { place = "; it is \(folder.trashed(file))" }
      return reason("forgotten", why + place + "; --remake makes it again", entry.file)
    }
    guard planned.job.night != nil, let noted = index.images[planned.id], access(folder.images, F_OK) == 0,
      noted.files.names.allSatisfy({ access(folder.file($0), F_OK) != 0 })
    else { return nil }
    return reason("deleted", "its image was deleted, and belongs to a night; --remake makes it again", noted.file)
  }

  /// Why an image is converted; nil if all its files exist, or none of them preserves the pixels.
  private func conversion(_ image: FinishedImage, to encodings: [ImageEncoding]) throws -> String? {
    let sound = try image.files.filter { file in
      if case .lost = try ImageCheck(folder.file(file.file), mark: file.mark, sha256: { file.sha256 }) { return false }
      return true
    }
    let missing = encodings.filter { encoding in !sound.contains { $0.encoding == encoding } }
    guard !missing.isEmpty, let source = sound.first(where: \.encoding.isLossless) else { return nil }
    return
      "its image exists as \(source.file), and is converted to \(missing.map(\.description).joined(separator: " and "))"
  }

  /// Whether the latent of a finished image is kept.
  private func hasLatent(_ id: JobID) -> Bool { access("\(folder.checkpoints)/\(id).checkpoint", F_OK) == 0 }

  /// Finds which of the new images other run folders have.
  private func findElsewhere(_ reasons: inout [JobReason], _ encodings: [[ImageEncoding]]) {
    guard let store else { return }
    var wanted: [JobID: [Int]] = [:]
    for (index, reason) in reasons.enumerated() where ["new", "missing", "altered", "failed"].contains(reason.cause) {
      if let id = JobID(reason.id) { wanted[id, default: []].append(index) }
    }
    for (id, path) in store.paths(of: wanted.mapValues { indices in encodings[indices[0]] }, outside: folder) {
      for index in wanted[id] ?? [] {
        reasons[index].cause = "elsewhere"
        reasons[index].reason += "; the run takes it from \(path), if that file is unchanged"
      }
    }
  }

  /// How many jobs are done, failed and pending, as `status` counts them.
  public static func counts(_ reasons: [JobReason]) -> RunCounts {
    var counts = RunCounts()
    for case let state? in reasons.map(\.state) { counts.count(state) }
    return counts
  }

  // MARK: What changed

  private typealias Identity = [(name: String, value: JSONValue)]

  private static func identity(_ json: JSONValue?) -> Identity? {
    guard case .object(let members) = json else { return nil }
    return members.map { ($0.name, $0.value) }
  }

  /// Finds the most similar image of each job, in one pass over all images.
  private func findNearest(_ searched: [Int], _ jobs: [IdentifiedJob], _ reasons: inout [JobReason]) throws {
    let wanted = searched.compactMap { index in Self.identity(jobs[index].identity).map { (index, $0) } }
    guard !wanted.isEmpty else { return }
    var best: [Int: (weight: Int, line: Int)] = [:]
    for (id, image) in self.index.images where access(folder.file(image.file), F_OK) == 0 {
      guard let made = Self.identity(try journal.identity(id)) else { continue }
      for (index, identity) in wanted {
        let weight = Self.weight(made, identity)
        // Among equally similar images, take the latest.
        if let known = best[index], (known.weight, -known.line) <= (weight, -image.line.order) { continue }
        best[index] = (weight, image.line.order)
        reasons[index].nearest = image.file
        reasons[index].changes = Self.changes(from: made, to: identity)
      }
    }
  }

  /// Images with different seeds or prompts look less alike than images that differ in other settings.
  private static func weight(_ one: Identity, _ other: Identity) -> Int {
    walk(one, other).reduce(0) { $0 + (["seed", "prompt"].contains($1.name) ? 3 : 1) }
  }

  /// How the identities of two jobs differ.
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
