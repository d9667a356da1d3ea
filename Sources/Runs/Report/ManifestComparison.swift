import Foundation
import JSON
import Settings
import Text

/// Makes the manifest again from plan and journal, and compares it with the existing one line by line.
struct ManifestComparison {
  private let folder: RunFolder
  private let index: JournalIndex

  init(_ folder: RunFolder, _ index: JournalIndex) {
    self.folder = folder
    self.index = index
  }

  /// The differences: one text for each job, and one for each other part.
  ///
  /// - Parameters:
  ///   - isToCompare: Whether to compare a job's entry; false if its image is damaged, which was reported already.
  ///   - counts: How many jobs are done, failed and pending; nil to not compare that.
  /// - Returns: The differences in words; none for the manifest that a run would write.
  /// - Throws: `RunError` if plan or journal cannot be read.
  mutating func problems(isToCompare: (JobID) -> Bool, counts: RunCounts?) throws -> [String] {
    let found: ManifestReader
    do {
      found = try ManifestReader(path: folder.manifest)
    } catch RunError.notRead(_, let code) where code == ENOENT {
      return ["is missing"]
    } catch RunError.notRead(_, let code) {
      return ["cannot be read: \(String(cString: strerror(code)))"]
    } catch RunError.damaged(_, let problem) {
      return [problem]
    }
    var problems: [String] = []
    let journal = JournalReader(folder, index)
    var head: RunDetails?
    var entries: ManifestEntries?
    var ingredients: [JobIngredients] = []
    var allCompared = true
    try PlanFile.forEachJob(in: folder) { planned, details in
      if let details { head = details }
      if ingredients.last != planned.ingredients, !ingredients.contains(planned.ingredients) {
        ingredients.append(planned.ingredients)
      }
      guard let head, problems.count < 1000 else { return }
      if entries == nil { entries = ManifestEntries(engine: head.engine) }
      let line = try found.next()
      guard isToCompare(planned.id) else {
        allCompared = false
        return
      }
      guard let line else {
        if problems.last != "ends before the last job" { problems.append("ends before the last job") }
        return
      }
      let state: JobState =
        index.images[planned.id]?.files.has(planned.job.settings.encodings) == true
        ? .done : index.failures[planned.id] != nil ? .failed : .pending
      var writer = JSONWriter()
      try entries?.append(planned, state, journal, to: &writer)
      if let difference = Self.difference(line, writer.bytes, planned) {
        problems.append("job \(planned.job.index): \(difference)")
      }
    }
    if try found.next() != nil { problems.append("has more jobs than the plan") }
    if let head {
      let manifest = Manifest(
        details: head, started: .now(), finished: .now(), ending: .done, counts: counts ?? RunCounts(),
        ingredients: ingredients)
      problems += headProblems(try found.head(), manifest, hasCounts: allCompared && counts != nil)
    }
    return problems
  }

  private func headProblems(_ found: JSONValue, _ expected: Manifest, hasCounts: Bool) -> [String] {
    var writer = JSONWriter()
    writer.object { expected.writeHead(to: &$0) }
    guard let expected = writer.bytes.withUnsafeBufferPointer({ try? JSONValue(parsing: $0) }) else { return [] }
    var problems = ["schema", "recipe", "models", "engine"].filter { !Self.isSame(found[$0], expected[$0]) }.map {
      "\($0) differs from the plan"
    }
    if hasCounts, !Self.isSame(found["run"]?["counts"], expected["run"]?["counts"]) {
      problems.append("its counts differ from plan and journal")
    }
    return problems
  }

  /// Which members of a job differ; nil if none does.
  private static func difference(_ found: [UInt8], _ expected: [UInt8], _ planned: IdentifiedJob) -> String? {
    if found == expected { return nil }
    guard let found = found.withUnsafeBufferPointer({ try? JSONValue(parsing: $0) }),
      let expected = expected.withUnsafeBufferPointer({ try? JSONValue(parsing: $0) }),
      case .object(let members) = expected
    else { return "is not an entry" }
    let names = members.filter { member in
      let found = member.name == "parameters" ? completed(found[member.name], planned) : found[member.name]
      return !isSame(withoutLocalTime(found), withoutLocalTime(member.value))
    }.map(\.name)
    return names.isEmpty ? nil : "differs from plan and journal in \(names.joined(separator: ", "))"
  }

  /// Parameters with the defaults of settings that did not exist yet when an older program wrote them.
  private static func completed(_ parameters: JSONValue?, _ planned: IdentifiedJob) -> JSONValue? {
    guard case .object(let members) = parameters else { return parameters }
    var defaults = ImageSettings()
    if planned.job.settings.hires != nil { defaults.hires = HiresSettings() }
    var writer = JSONWriter()
    SettingsInUse(defaults, planned.ingredients).writeShown(to: &writer)
    guard case .object(let all)? = writer.bytes.withUnsafeBufferPointer({ try? JSONValue(parsing: $0) }) else {
      return parameters
    }
    let names = Set(members.map(\.name))
    return .object(members + all.filter { !names.contains($0.name) })
  }

  /// The webui's time stamp is in local time, so it depends on the time zone.
  private static func withoutLocalTime(_ value: JSONValue?) -> JSONValue? {
    guard case .object(let members) = value else { return value }
    return .object(members.filter { $0.name != "job_timestamp" })
  }

  /// Whether two values are equal apart from the order of members and the form of numbers.
  private static func isSame(_ one: JSONValue?, _ other: JSONValue?) -> Bool {
    switch (one, other) {
    case (.object(let one), .object(let other)):
      one.count == other.count
        && zip(one.sorted { $0.name < $1.name }, other.sorted { $0.name < $1.name }).allSatisfy {
          $0.name == $1.name && isSame($0.value, $1.value)
        }
    case (.array(let one), .array(let other)):
      one.count == other.count && zip(one, other).allSatisfy { isSame($0, $1) }
    case (.number?, .integer?), (.integer?, .number?): one?.numberValue == other?.numberValue
    default: one == other
    }
  }
}

/// Reads the jobs of a manifest one at a time: one line for each, as runs write them; any other JSON is read at once.
final class ManifestReader {
  private var lines: LineReader?
  private var headBytes: [UInt8] = []
  private var whole: (head: JSONValue, jobs: ArraySlice<JSONValue>)?

  /// Opens a manifest.
  ///
  /// - Parameter path: The file.
  /// - Throws: `RunError.notRead`, or `damaged` for a file that is not a manifest.
  init(path: String) throws {
    let lines = try LineReader(path: path)
    while let line = try lines.next(), headBytes.count < 64 << 20 {
      headBytes += line + [UInt8(ascii: "\n")]
      if line == Array("\"jobs\":[".utf8) {
        self.lines = lines
        return
      }
    }
    let bytes = try FileReader.bytes(of: path)
    guard let value = bytes.withUnsafeBufferPointer({ try? JSONValue(parsing: $0) }),
      case .array(let jobs) = value["jobs"]
    else { throw RunError.damaged(path: path, problem: "is not a manifest") }
    whole = (value, jobs[...])
  }

  /// The next job's object, as its bytes in the file; nil after the last.
  func next() throws -> [UInt8]? {
    if let lines {
      guard var line = try lines.next(), line.first == UInt8(ascii: "{") else {
        return nil
      }
      if line.last == UInt8(ascii: ",") { line.removeLast() }
      return line
    }
    guard let job = whole?.jobs.popFirst() else { return nil }
    var writer = JSONWriter()
    writer.value(job)
    return writer.bytes
  }

  /// Everything except the jobs.
  func head() throws -> JSONValue {
    if let whole { return whole.head }
    return (headBytes + Array("]}".utf8)).withUnsafeBufferPointer { try? JSONValue(parsing: $0) } ?? .null
  }
}
