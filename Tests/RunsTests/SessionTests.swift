import Foundation
import JSON
import Runs
import Settings
import Synchronization
import Testing

/// The order of a session's work, with everything outside replaced by parts that record what they are asked to do.
@Suite struct SessionTests {
  @Test func `each step of a whole run is durable before the next`() throws {
    let session = try FakeSession()
    let outcome = try session.run()
    #expect(outcome.counts == RunCounts(done: 2))
    #expect(
      session.log.lines == [
        "check 1", "create run.lock", "work begins", "plan reported", "rename seeds.json", "answers made",
        "rename recipe.yaml", "rename plan.jsonl", "create journal.jsonl", "rename images/00000-1.png",
        "rename images/00001-2.png", "rename manifest.json", "observer closed", "answers closed", "sheet",
        "page, no limit", "delivered", "work ends",
      ])
  }

  @Test func `a run with nothing to do ends the same way and makes no image`() throws {
    let session = try FakeSession()
    _ = try session.run()
    session.log.clear()
    #expect(try session.run().imagesMade == 0)
    #expect(
      session.log.lines == [
        "check 1", "create run.lock", "work begins", "plan reported", "answers made", "create journal.jsonl",
        "rename manifest.json", "observer closed", "answers closed", "sheet", "page, no limit", "delivered",
        "work ends",
      ])
  }

  @Test func `nothing is written before the whole check has passed`() throws {
    var session = try FakeSession()
    session.jobs = fakeJobs([1, 2]) { $0.model = ModelReference(name: "model \($0.seed)", path: "/m") }
    session.jobs[1].settings.model.name = "damaged"
    #expect(throws: FakeGenerator.ModelFailure.self) { try session.run() }
    #expect(session.log.lines == ["check 1", "check 2"])
    #expect(!FileManager.default.fileExists(atPath: session.space.folder.path))
  }

  @Test func `errors of a kind that is reported together are`() throws {
    var session = try FakeSession()
    session.jobs = fakeJobs([1, 2, 3, 4]) {
      $0.model = ModelReference(name: "missing \($0.seed % 2)", path: "/m\($0.seed)")
    }
    session.jobs[2].settings.model.name = "there"
    let failures = #expect(throws: InputFailures.self) { try session.run() }
    #expect(failures?.messages == ["missing 1", "missing 0"])
    #expect(!FileManager.default.fileExists(atPath: session.space.folder.path))
  }

  @Test func `the check ends when the run is asked to stop`() throws {
    var session = try FakeSession()
    session.stopRequest = { .maxTime }
    #expect(throws: StopRequested(.maxTime)) { try session.run() }
    #expect(session.log.lines.isEmpty)
  }

  @Test func `the lock is held to the end`() throws {
    let session = try FakeSession()
    let folder = session.space.folder
    session.log.beforeLine = { line in
      let isChecking = line.hasPrefix("check") || line == "create run.lock"
      #expect((RunLock.holder(of: folder) != nil) == !isChecking, "\(line)")
    }
    _ = try session.run()
    #expect(RunLock.holder(of: folder) == nil)
  }

  @Test func `a folder that another run is using is left alone`() throws {
    let session = try FakeSession()
    let lock = try RunLock(session.space.folder)
    #expect(throws: RunError.self) { try session.run() }
    #expect(session.log.lines == ["check 1", "create run.lock"])
    withExtendedLifetime(lock) {}
  }

  @Test func `seeds that the run before drew while this one waited count`() throws {
    var session = try FakeSession()
    session.options.lockPatience = .seconds(300)
    let folder = session.space.folder
    let other = Mutex<RunLock?>(try RunLock(folder))
    session.isWaiting = { owner in
      #expect(owner.contains("pid \(getpid())"))
      try? SeedFile.write(["seed": Int64(7)], to: folder)
      other.withLock { $0 = nil }
    }
    _ = try session.run()
    #expect(try SeedFile.read([String: Int64].self, from: folder) == ["seed": 7])
    // Both plans were checked, and nothing was written for the first.
    #expect(session.log.lines.filter { $0 == "check 1" }.count == 2)
    #expect(!session.log.lines.contains("rename seeds.json"))
  }

  @Test func `an error is thrown once the page says that the run is over`() throws {
    let session = try FakeSession()
    session.space.damage = ["demo"]
    #expect(throws: FakeGenerator.ModelFailure.self) { try session.run() }
    #expect(
      Array(session.log.lines.suffix(4)) == [
        "rename manifest.json", "observer closed", "page, 0.0 seconds", "work ends",
      ])
  }

  @Test func `answers that cannot be written end the run before the sheet`() throws {
    var session = try FakeSession()
    session.answersFail = true
    #expect(throws: CocoaError.self) { try session.run() }
    #expect(
      Array(session.log.lines.suffix(4)) == ["observer closed", "answers closed", "page, 0.0 seconds", "work ends"])
  }

  @Test func `a run that is stopped makes no sheet and a page within a second`() throws {
    var session = try FakeSession()
    let images = session.space.folder.images
    session.stopRequest = {
      FileManager.default.fileExists(atPath: images + "/../journal.jsonl") ? .signal(SIGINT) : nil
    }
    let outcome = try session.run()
    #expect(outcome.stop == .signal(SIGINT) && outcome.counts == RunCounts(pending: 2))
    #expect(
      Array(session.log.lines.suffix(5)) == [
        "observer closed", "answers closed: SIGINT", "page, 1.0 seconds", "delivered", "work ends",
      ])
  }

  @Test func `a shard takes no lock, and leaves answers, sheet and page to others`() throws {
    var session = try FakeSession()
    session.options.shard = Shard(index: 0, count: 1)
    #expect(try session.run().counts == RunCounts(done: 2))
    #expect(
      session.log.lines.map { $0.replacing(/journal-.*/, with: "journal") } == [
        "check 1", "work begins", "link seeds.json", "plan reported", "link plan.jsonl", "link recipe.yaml",
        "create journal", "rename images/00000-1.png", "rename images/00001-2.png", "observer closed", "work ends",
      ])
    #expect(!FileManager.default.fileExists(atPath: session.space.folder.lock))
    #expect(!FileManager.default.fileExists(atPath: session.space.folder.manifest))
  }

  @Test func `a shard whose check fails writes nothing`() throws {
    var session = try FakeSession()
    session.options.shard = Shard(index: 0, count: 2)
    session.jobs = fakeJobs([1]) { $0.model = ModelReference(name: "damaged", path: "/m") }
    #expect(throws: FakeGenerator.ModelFailure.self) { try session.run() }
    #expect(!FileManager.default.fileExists(atPath: session.space.folder.path))
  }

  @Test func `a shard works on the folder's plan although its recipe would result in more jobs by now`() throws {
    var session = try FakeSession()
    session.options.shard = Shard(index: 0, count: 2)
    _ = try session.run()
    session.options.shard = Shard(index: 1, count: 2)
    session.jobs = fakeJobs([1, 2, 3])
    session.drawn = ["seed": 5, "tomorrow": 6]
    _ = try session.run()
    #expect(try session.space.images().count == 2)
    #expect(session.space.lines(session.space.folder.plan).count == 2)
    #expect(try SeedFile.read([String: Int64].self, from: session.space.folder) == ["seed": 5])
  }
}

/// A session with the fake generator, whose parts log what they do.
private struct FakeSession {
  /// A run folder, and the models that are found to be damaged when images are made.
  final class Space {
    private let workspace: Workspace
    var damage: Set<String> = []
    var folder: RunFolder { workspace.folder }
    var generator: FakeGenerator {
      var generator = workspace.generator
      generator.damagedModels = damage
      return generator
    }

    init() throws { workspace = try Workspace() }

    func images() throws -> [String: [UInt8]] { try workspace.images() }
    func lines(_ path: String) -> [String] { workspace.lines(path) }
  }

  struct Planner: RunPlanner {
    var jobs: [Job]
    var drawn: [String: Int64]

    func storedSeeds(in folder: RunFolder) throws -> [String: Int64] {
      try SeedFile.read([String: Int64].self, from: folder) ?? [:]
    }

    func plan(_ seeds: inout [String: Int64]) throws -> Source {
      seeds.merge(drawn) { stored, _ in stored }
      return Source(jobs: jobs)
    }
  }

  struct Source: JobSource {
    var jobs: [Job]
    var json: JSONValue { ["prompt": "fish"] }
    var recipeText: String? { "prompt: fish\n" }
  }

  struct Missing: InputFailure, CustomStringConvertible {
    var description: String
    var isReportedWithOthers: Bool { true }
  }

  let space: Space
  let log = Log()
  var jobs = fakeJobs([1, 2])
  var drawn: [String: Int64] = ["seed": 5]
  var options = RunSession<FakeGenerator, Planner>.Options()
  var stopRequest: () -> StopReason? = { nil }
  var isWaiting: (String) -> Void = { _ in }
  var answersFail = false

  init() throws { space = try Space() }

  func run() throws -> RunOutcome {
    let disk = Disk { [log, path = space.folder.path] step in
      guard let line = Self.line(step, in: path) else { return }
      log.note(line)
    }
    let generator = space.generator
    var session = RunSession(
      generator, Planner(jobs: jobs, drawn: drawn), in: space.folder, options, on: disk)
    session.ingredients = { settings in
      log.note("check \(settings.seed)")
      if settings.model.name == "damaged" { throw FakeGenerator.ModelFailure() }
      if settings.model.name.hasPrefix("missing") { throw Missing(description: settings.model.name) }
      return try generator.ingredients(for: settings)
    }
    session.stopRequest = stopRequest
    session.isWaiting = isWaiting
    session.workBegins = { log.note("work begins") }
    session.reportPlan = { _ in log.note("plan reported") }
    session.observer = { _ in Parts(log) }
    session.answers = { _, _ in
      log.note("answers made")
      return Answers(log, fails: answersFail)
    }
    session.views = Parts(log)
    session.workEnds = { log.note("work ends") }
    return try session.run()
  }

  /// The steps that determine the order: files that get their names, and files that are opened to append.
  private static func line(_ step: Disk.Step, in folder: String) -> String? {
    let name = String(step.path.dropFirst(folder.count + 1))
    switch step.action {
    case .rename, .link:
      // A slow machine saves unfinished images.
      if name.hasPrefix("checkpoints") { return nil }
      // Without the digits of the identity.
      return "\(step.action) \(name.replacing(/-[0-9a-f]{8}\.png/, with: ".png"))"
    case .create where name.hasPrefix("journal") || name == "run.lock": return "create \(name)"
    default: return nil
    }
  }

  final class Log: @unchecked Sendable {
    private let noted = Mutex<[String]>([])
    /// Called before a line is noted; set before the run.
    var beforeLine: (String) -> Void = { _ in }
    var lines: [String] { noted.withLock { $0 } }

    func note(_ line: String) {
      beforeLine(line)
      noted.withLock { $0.append(line) }
    }

    func clear() { noted.withLock { $0 = [] } }
  }

  final class Parts: RunObserver, RunViews {
    private let log: Log

    init(_ log: Log) { self.log = log }

    func note(_ event: RunEvent) {}
    func close() { log.note("observer closed") }
    func makeSheet() throws { log.note("sheet") }
    func refreshPage(patience: Duration?) throws { log.note("page, \(patience?.description ?? "no limit")") }
  }

  final class Answers: RunAnswers {
    private let log: Log
    private let fails: Bool

    init(_ log: Log, fails: Bool) { (self.log, self.fails) = (log, fails) }

    func note(_ event: RunEvent) {}
    func deadline(for job: Job) -> String? { nil }
    func close(_ stop: StopReason?) throws {
      log.note("answers closed" + (stop.map { ": \($0.text)" } ?? ""))
      if fails { throw CocoaError(.fileWriteUnknown) }
    }
    func deliver(until isStopping: @escaping () -> Bool) { log.note("delivered") }
  }
}
