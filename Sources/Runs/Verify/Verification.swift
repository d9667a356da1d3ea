import Foundation
import Imaging
import Infotext
import JSON
import Settings

/// The result of reading every byte of a run folder.
///
/// Reading changes nothing. During a run, files that the run may be writing are not checked.
public struct Verification {
  /// The absolute path of the run folder.
  public let folder: String
  /// How many jobs are done, failed and pending as the next run counts them. A run checks less than this type does, so it may
  /// count jobs of `findings` as done.
  public internal(set) var counts = RunCounts()
  /// Everything that is wrong.
  public internal(set) var findings: [Finding] = []
  /// How many images were read, including those that are not in the current plan.
  public private(set) var imagesRead = 0
  /// How many bytes these images have.
  public private(set) var bytesRead: Int64 = 0
  /// Images on the disk that are not in the current plan, relative to the run folder.
  public internal(set) var unasked: [String] = []
  /// Whether a run is active; then the journal's end, the manifest, orphans and leftovers are not checked.
  public let isLive: Bool

  /// The names of files that are folders instead.
  private var blocked: Set<String> = []
  /// The recipe in the plan; nil for a plan without jobs.
  private var plannedRecipe: JSONValue?
  /// What `repair` writes into `recipe.yaml`.
  private(set) var recipeReplacement: String?

  let run: RunFolder
  private(set) var index: JournalIndex
  /// Whether there are images without a journal line.
  private var hasOrphans = false
  /// How many undamaged images were made with each instruction set and precision, such as `avx2 (fp32)`.
  public private(set) var machines: [String: Int] = [:]
  /// Whether an image was made with another instruction set than the plan's.
  private var hasOtherMachine = false
  /// By identity, the index of the first job in the plan, and whether its image is undamaged.
  private(set) var firstJobs: [JobID: (index: Int, isSound: Bool)] = [:]
  /// Lines that are damaged or duplicates, by the journal's name; numbers from 0.
  private(set) var uselessLines: [String: Set<Int>] = [:]

  /// Reads a run folder.
  ///
  /// - Parameters:
  ///   - folder: The run.
  ///   - lock: The folder's lock, if the caller holds it.
  ///   - language: Reads the copy of the recipe; nil leaves it unchecked.
  ///   - others: Finds what is wrong with files that runs themselves do not know.
  ///   - observe: Receives each finding as it is found.
  /// - Throws: `RunError`, `noRun` if there is no plan.
  public init(
    _ folder: RunFolder, lock: RunLock? = nil, language: RecipeLanguage? = nil,
    others: (RunFolder) -> [Finding] = { _ in [] }, observe: (Finding) -> Void = { _ in }
  ) throws {
    self.folder = folder.path
    run = folder
    try folder.checkIsRun()
    isLive = lock == nil && RunLock.holder(of: folder) != nil
    var audit = JournalAudit()
    var settled: [String: Bool] = [JournalFiles.main: true]
    index = try JournalIndex(folder) { name, line, entry in
      // A shard may be writing its journal.
      let isSettled = try settled[name] ?? FileMark(path: folder.file(name)).isOlder(thanSeconds: 3600)
      settled[name] = isSettled
      if isSettled { audit.note(name, line, entry) }
    }
    uselessLines = audit.uselessLines
    if !isLive {
      audit.noteOwners(index.images)
      if index.hasTornLine { audit.noteTornLine() }
      findings += audit.findings
    }
    let obstacles = folder.obstacles().map { Finding(obstacle: $0, in: folder) }
    let images = Set(index.images.values.lazy.flatMap { $0.files.names })
    findings += obstacles.filter { !images.contains($0.file) }
    blocked = Set(obstacles.map(\.file))
    try examineImages()
    if !isLive {
      try findStrays()
      let isReadable = !findings.contains { $0.kind == .plan } && !blocked.contains(run.name(of: run.manifest))
      if isReadable { try compareManifest() }
      if let language { examineRecipe(language) }
      examinePicks()
      findings += others(folder)
    }
    findings.forEach(observe)
  }

  /// Whether nothing is wrong.
  public var isClean: Bool { findings.isEmpty }

  // MARK: Images

  private mutating func examineImages() throws {
    let reader = JournalReader(run, index)
    var states = try JobStates(run)
    hasOrphans = states.hasOrphans(index)
    let leftOut = try LeftOutJobs(run, index)
    var (version, isa) = ("", "")
    /// The first job whose settings give another id than its line has.
    var misplanned: Int?
    do {
      try PlanFile.forEachJob(in: run) { planned, details in
        if let details {
          (version, isa) = (details.engine.version, details.engine.isa)
          plannedRecipe = details.recipe
        }
        let id = planned.id
        let isPlanned = JobID(planned.job.settings, planned.ingredients) == id
        if !isPlanned, misplanned == nil { misplanned = planned.job.index }
        if leftOut.contains(id) {
          if leftOut.deleted.contains(id), firstJobs[id] == nil { noteDeleted(planned) }
          firstJobs[id] = (planned.job.index, true)
          return
        }
        if firstJobs[id] == nil {
          // If the plan's settings are wrong, the image may still be right.
          let isSound = try examine(id, reader, planned, isPlanned: isPlanned, version: version)
          firstJobs[id] = (planned.job.index, isSound)
          if isSound {
            machines["\(planned.ingredients.isa) (\(planned.ingredients.precision))", default: 0] += 1
            hasOtherMachine = hasOtherMachine || planned.ingredients.isa != isa
          }
        }
        // Count what the next run will find; it checks less.
        counts.count(
          try states.find(
            planned, in: reader,
            infotext: Infotext(planned.job.settings, planned.ingredients, version: version).text
          ).0)
      }
    } catch RunError.damaged(_, let problem) {
      findings.append(
        Finding(
          kind: .plan, file: "plan.jsonl", problem: problem, remedy: "no job after it was checked"))
      return
    }
    if let misplanned {
      findings.append(
        Finding(
          kind: .plan, file: "plan.jsonl", index: misplanned,
          problem: "its settings give another id than its line has",
          remedy: "the next run of the recipe rewrites the plan"))
    }
    for (id, image) in index.images.sorted(by: { $0.value.file < $1.value.file }) where firstJobs[id] == nil {
      let files = image.files.names.filter { access(run.file($0), F_OK) == 0 }
      guard !files.isEmpty else { continue }
      unasked += files
      _ = try examine(id, reader, nil, isPlanned: false, version: version)
    }
  }

  /// Reports an image of a night that somebody deleted since the last run.
  private mutating func noteDeleted(_ planned: IdentifiedJob) {
    guard let file = index.images[planned.id]?.file else { return }
    findings.append(
      Finding(
        kind: .deleted, file: file, index: planned.job.index, id: planned.id.description,
        problem: "was deleted, and belongs to a night",
        remedy: "the next run leaves it out; a run with --remake makes it again"))
  }

  /// Whether the image is the one in the journal.
  private mutating func examine(
    _ id: JobID, _ reader: JournalReader, _ planned: IdentifiedJob?, isPlanned: Bool, version: String
  ) throws -> Bool {
    guard let noted = try reader.image(id) else { return false }
    let settings = isPlanned ? planned?.job.settings : nil
    let encodings = planned?.job.settings.encodings
    let jobIndex = planned?.job.index
    imagesRead += 1
    var isSound = true
    for stored in noted.files {
      let isAsked = encodings?.contains(stored.encoding) ?? true
      // A file in another format was converted, and may be deleted.
      if !isAsked || encodings == nil, access(run.file(stored.file), F_OK) != 0 { continue }
      if !isAsked { unasked.append(stored.file) }
      let examination = ImageExamination(
        stored, of: noted, size: settings.map { ($0.finalWidth, $0.finalHeight) }, in: run)
      bytesRead += examination.bytesRead
      let line = try examination.problem == nil ? reader.identityDigest(id) : nil
      guard
        let problem = examination.problem
          ?? LineExamination(noted, identity: line, planned: isPlanned ? planned : nil, version: version).problem
      else { continue }
      let remedy =
        blocked.contains(stored.file)
        ? "the next run makes it again once the folder of that name is moved away"
        : jobIndex == nil || !isAsked
          ? "it is not in the current recipe: --prune deletes it"
          : examination.isSeenByRuns
            ? "the next run makes it again" : "a run does not see this: --repair has it made again"
      findings.append(
        Finding(
          kind: problem.kind, file: stored.file, index: isAsked ? jobIndex : nil, id: id.description,
          problem: problem.text, remedy: remedy))
      if isAsked { isSound = false }
    }
    return isSound
  }

  // MARK: Other files

  private mutating func examineRecipe(_ language: RecipeLanguage) {
    guard let plannedRecipe, !blocked.contains(run.name(of: run.recipe)) else { return }
    let examination = RecipeExamination(run, planned: plannedRecipe, language)
    findings += examination.finding.map { [$0] } ?? []
    recipeReplacement = examination.replacement
  }

  private mutating func examinePicks() {
    let name = run.name(of: run.picks)
    guard !blocked.contains(name) else { return }
    do {
      _ = try Picks(of: run)
    } catch {
      var problem = "cannot be read: \(error)"
      if case RunError.damaged(_, let reason) = error { problem = "is damaged: \(reason)" }
      findings.append(
        Finding(
          kind: .picks, file: name, problem: problem,
          remedy: "no stars count until it is put back or moved away"))
    }
  }

  // MARK: Stray files

  private mutating func findStrays() throws {
    let known = Set(index.images.values.lazy.flatMap(\.files.names))
    let stems = Set(known.map(RunFolder.stem))
    let folders =
      [(run.path, ""), (run.checkpoints, "checkpoints/")]
      + [(run.images, "images/"), (run.thumbnails, "thumbs/")].flatMap { root, prefix in
        RunFolder.folders(in: root).map { $0.isEmpty ? (root, prefix) : ("\(root)/\($0)", "\(prefix)\($0)/") }
      }
    for (folder, prefix) in folders {
      guard let names = try? AtomicFile.names(in: folder) else { continue }
      for name in names.sorted() {
        if TemporaryFile.isOne(name, of: prefix.isEmpty ? RunFileName.isOfRun : RunFileName.isWritten) {
          guard TemporaryFile.isLeftover("\(folder)/\(name)") else { continue }
          findings.append(
            Finding(
              kind: .leftover, file: prefix + name, problem: "is a temporary file of a process that ended",
              remedy: "the next run and --repair remove it"))
        } else if prefix.hasPrefix("images/"), RunFolder.hasImageEnding(name), !name.hasPrefix("."),
          !known.contains(prefix + name),
          RunFolder.stemAfterFaces(name) == RunFolder.stem(of: name)
            || !stems.contains(prefix + RunFolder.stemAfterFaces(name))
        {
          findings.append(
            Finding(
              kind: .orphan, file: prefix + name, problem: "is an image without a journal line",
              remedy: "a run adopts it if it is complete and belongs to one of its jobs; else move it or delete it"))
        } else if let problem = derivedProblem(prefix + name, stems) {
          findings.append(
            Finding(
              kind: .derived, file: prefix + name, problem: problem,
              remedy: "--repair removes it, and sdbatch sheet makes it again"))
        }
      }
    }
  }

  /// The problem of a file that is derived from images; nil for a complete file, and for all other files.
  private func derivedProblem(_ file: String, _ images: Set<String>) -> String? {
    if file == "index.html" {
      let bytes = (try? FileReader.bytes(of: run.page)) ?? []
      return bytes.suffix(16).elementsEqual("</body>\n</html>\n".utf8) ? nil : "is incomplete"
    }
    guard file.hasSuffix(".png"), file.hasPrefix("thumbs/") || file.hasPrefix("contact-sheet") else { return nil }
    if file.hasPrefix("thumbs/"), !images.contains("images/" + RunFolder.stem(of: file).dropFirst("thumbs/".count)) {
      return "is a thumbnail without an image"
    }
    do {
      // All checksums, but not the pixels.
      _ = try PNGFile.texts(in: FileReader.bytes(of: run.file(file)))
      return nil
    } catch {
      return "is damaged (\(error))"
    }
  }

  private mutating func compareManifest() throws {
    let damaged = Set(findings.lazy.filter(\.isOfImage).compactMap(\.id))
    var comparison = ManifestComparison(run, index)
    let isToCompare = { (id: JobID) in !damaged.contains(id.description) }
    // The next run counts images that have no journal line yet; the manifest does not.
    for problem in try comparison.problems(isToCompare: isToCompare, counts: hasOrphans ? nil : counts) {
      findings.append(
        Finding(
          kind: .manifest, file: "manifest.json", problem: problem, remedy: "the next run and --repair rewrite it"))
    }
  }

  /// One line for people.
  public var summary: String {
    var parts = ["\(imagesRead) \(imagesRead == 1 ? "image" : "images") read"]
    let repaired = findings.count(where: \.isRepaired)
    if findings.isEmpty {
      parts.append("all correct")
    } else {
      parts.append("\(findings.count) \(findings.count == 1 ? "difference" : "differences")")
      if repaired > 0 { parts.append("\(repaired) of them repaired") }
    }
    if isMixed {
      let kinds = machines.sorted { $0.key < $1.key }.map { "\($0.value) made with \($0.key)" }
      parts.append(kinds.joined(separator: " and "))
    }
    let left = counts.failed + counts.pending
    if left > 0 { parts.append("\(left) of \(counts.total) jobs to do") }
    if !unasked.isEmpty {
      parts.append(
        unasked.count == 1
          ? "1 image is not in the current recipe (`verify --prune` removes it)"
          : "\(unasked.count) images are not in the current recipe (`verify --prune` removes them)")
    }
    if isLive { parts.append("a run is active, so manifest, orphans and leftovers were not checked") }
    return "\(folder): \(parts.joined(separator: ", "))"
  }

  /// An object for programs; it has `made_with` if the images were not all made with one instruction set and precision.
  public var json: JSONValue {
    var members = [
      JSONMember("folder", .string(folder)), JSONMember("status", .string(findings.isEmpty ? "clean" : "differences")),
      JSONMember("live", .bool(isLive)), JSONMember("images_read", .integer(Int64(imagesRead))),
      JSONMember("bytes_read", .integer(bytesRead)),
      JSONMember(
        "counts",
        [
          "total": .integer(Int64(counts.total)), "done": .integer(Int64(counts.done)),
          "failed": .integer(Int64(counts.failed)), "pending": .integer(Int64(counts.pending)),
        ]),
    ]
    if isMixed {
      let kinds = machines.sorted { $0.key < $1.key }
      members.append(JSONMember("made_with", .object(kinds.map { JSONMember($0.key, .integer(Int64($0.value))) })))
    }
    members.append(JSONMember("findings", .array(findings.map(\.json))))
    members.append(JSONMember("unasked", .array(unasked.map { .string($0) })))
    return .object(members)
  }

  /// Whether the images were made with several instruction sets or precisions, or with others than the plan's.
  private var isMixed: Bool { machines.count > 1 || hasOtherMachine }
}

/// Finds journal lines that are damaged or duplicates.
private struct JournalAudit {
  private(set) var findings: [Finding] = []
  private(set) var uselessLines: [String: Set<Int>] = [:]
  private var journal = JournalFiles.main
  /// How many lines of each journal were read.
  private var lines: [String: Int] = [:]
  /// The digest of the last line about each image in the same journal.
  private var last: [JobID: Int] = [:]

  mutating func note(_ journal: String, _ bytes: UnsafeBufferPointer<UInt8>, _ entry: JournalLine?) {
    if journal != self.journal { last = [:] }
    self.journal = journal
    let line = lines[journal, default: 0]
    defer { lines[journal] = line + 1 }
    let name = "\(journal), line \(line + 1)"
    guard let entry else {
      // A later version of the program may have written it.
      guard (try? JSONValue(parsing: bytes))?["event"]?.text == nil else { return }
      add(.damagedLine, name, "is not an entry", "runs ignore it; --repair removes it")
      return
    }
    var hasher = Hasher()
    hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
    let digest = hasher.finalize()
    if last[entry.id] == digest {
      add(.duplicate, name, "is a duplicate", "it is harmless; --repair removes it")
    }
    last[entry.id] = digest
  }

  private mutating func add(_ kind: Finding.Kind, _ name: String, _ problem: String, _ remedy: String) {
    uselessLines[journal, default: []].insert(lines[journal, default: 0])
    findings.append(Finding(kind: kind, file: name, problem: problem, remedy: remedy))
  }

  /// Reports files that belong to two images.
  mutating func noteOwners(_ images: [JobID: JournalIndex.Image]) {
    var owners: [String: JobID] = [:]
    for (id, image) in images.sorted(by: { $0.value.line < $1.value.line }) {
      for file in image.files.names {
        guard let owner = owners.updateValue(id, forKey: file) else { continue }
        findings.append(
          Finding(
            kind: .duplicate, file: file, id: id.description,
            problem: "is recorded for two images, \(owner.prefix(8)) and \(id.prefix(8))",
            remedy: "the image that is not in the file is made again, in a separate file"))
      }
    }
  }

  mutating func noteTornLine() {
    findings.append(
      Finding(
        kind: .tornLine, file: JournalFiles.main,
        problem: "ends in the middle of line \(lines[JournalFiles.main, default: 0] + 1)",
        remedy: "the next run and --repair remove the rest of a line; its image gets a new line"))
  }
}
