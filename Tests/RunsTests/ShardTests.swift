import Foundation
import Settings
import Synchronization
import Testing
import Text

@testable import Runs

@Suite struct ShardTests {
  static func shard(_ index: Int, _ count: Int) throws -> Shard { try #require(Shard(index: index, count: count)) }

  @discardableResult
  private func run(
    _ shard: Shard, _ jobs: [Job], in space: Workspace, _ generator: FakeGenerator? = nil, on disk: Disk = Disk(),
    every interval: Duration = .seconds(30), stopRequest: @escaping () -> StopReason? = { nil }
  ) throws -> RunOutcome {
    try runFakeShard(
      shard, jobs, generator ?? space.generator, in: space.folder, on: disk, every: interval, stopRequest: stopRequest)
  }

  // MARK: Parts

  @Test func `a shard is read as it is written, and nothing else is one`() {
    #expect(Shard("2/50") == Shard(index: 2, count: 50))
    #expect(Shard("2/50")?.description == "2/50")
    for text in ["", "2", "/", "2/", "/50", "50/50", "-1/3", "+1/3", "1/0", "1/2/3", " 1/3", "1/x", "1/2000000", "٣/٥"]
    {
      #expect(Shard(text) == nil, "\(text)")
    }
  }

  @Test(arguments: [1, 2, 3, 7, 50, 200])
  func `every piece of work is in one shard, and shards differ by no more than a piece`(count: Int) throws {
    var random = SystemRandomNumberGenerator()
    for length in [0, 1, 2, 49, 500] {
      let costs = (0..<length).map { _ in Int.random(in: 1...1000, using: &random) }
      let parts = try (0..<count).map { try Self.shard($0, count).positions(costs) }
      #expect(parts.flatMap { $0 }.sorted() == Array(0..<length))
      for part in parts where !part.isEmpty { #expect(part == Array(part[0]...part[part.count - 1])) }
      let fair = Double(costs.reduce(0, +)) / Double(count)
      for part in parts {
        let cost = Double(part.map { costs[$0] }.reduce(0, +))
        #expect(abs(cost - fair) <= Double(costs.max() ?? 0), "\(costs)")
      }
    }
  }

  @Test func `costs as large as a plan can have do not overflow`() throws {
    let costs = Array(repeating: 10_000 * 16_384 * 16_384, count: 1000)
    #expect(try Self.shard(999, 1000).positions(costs) == [999])
    #expect(try Self.shard(Shard.limit - 1, Shard.limit).positions(costs.prefix(1)).isEmpty)
  }

  // MARK: Runs

  @Test func `shards in any order make what a run that is alone makes`() throws {
    let jobs = fakeJobs([5, 3, 9, 3, 1, 7, 8, 2])
    let whole = try Workspace()
    try whole.run(jobs)
    let space = try Workspace()
    var made = 0
    for index in [2, 0, 3, 1] { made += try run(Self.shard(index, 4), jobs, in: space).imagesMade }
    #expect(made == 7)
    #expect(try space.images() == whole.images())
    #expect(!FileManager.default.fileExists(atPath: space.folder.manifest))
    #expect(!FileManager.default.fileExists(atPath: space.folder.lock))
    #expect(space.lines(space.folder.journal).isEmpty)

    let counts = try Collector.collect(try RunLock(space.folder, patience: .seconds(300)))
    #expect(counts == RunCounts(done: 8))
    for (found, expected) in zip(try space.manifestJobs(), try whole.manifestJobs()) {
      for key in ["id", "index", "status", "file", "sha256", "pixels_sha256", "infotext"] {
        #expect("\(found[key] ?? "")" == "\(expected[key] ?? "")")
      }
    }
    let run = try #require(try space.manifest()["run"] as? [String: Any])
    #expect(run["status"] as? String == "done")
    #expect(try Verification(space.folder).findings.isEmpty)
    #expect(try space.run(jobs).imagesMade == 0)
  }

  @Test func `a shard that is repeated makes nothing again, and leaves nothing new behind`() throws {
    let jobs = fakeJobs([1, 2, 3, 4])
    let space = try Workspace()
    try run(Self.shard(1, 2), jobs, in: space)
    let names = try Set(FileManager.default.contentsOfDirectory(atPath: space.folder.path))
    let outcome = try run(Self.shard(1, 2), jobs, in: space)
    #expect(outcome.imagesMade == 0 && outcome.counts == RunCounts(done: 2))
    #expect(try Set(FileManager.default.contentsOfDirectory(atPath: space.folder.path)) == names)
  }

  @Test func `the same shard twice at once is harmless`() async throws {
    let jobs = fakeJobs(Array(1...30)) { $0.steps = 5 }
    let whole = try Workspace()
    try whole.run(jobs)
    let space = try Workspace()
    let folder = space.folder
    let generator = space.generator
    try await withThrowingTaskGroup(of: RunOutcome.self) { group in
      for index in [0, 1, 0, 1, 0] {
        let shard = try Self.shard(index, 2)
        group.addTask { try runFakeShard(shard, jobs, generator, in: folder, every: .zero) }
      }
      for try await outcome in group { #expect(outcome.counts == RunCounts(done: 15)) }
    }
    #expect(try space.images() == whole.images())
    #expect(try Collector.collect(try RunLock(folder, patience: .seconds(300))) == RunCounts(done: 30))
    #expect(try Verification(folder).findings.isEmpty)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.checkpoints).isEmpty)
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) { #expect(!name.hasPrefix(".")) }
  }

  @Test func `a shard killed at any step on the disk loses nothing, and continues elsewhere`() async throws {
    let jobs = fakeJobs([1, 2, 3, 4])
    let whole = try Workspace()
    try whole.run(jobs)
    let counted = Mutex(0)
    let rehearsal = try Workspace()
    try run(
      Self.shard(0, 2), jobs, in: rehearsal, on: Disk { _ in counted.withLock { $0 += 1 } }, every: .zero)
    let count = counted.withLock { $0 }
    #expect(count > 40)
    for fatal in 0..<count {
      let space = try Workspace()
      await #expect(processExitsWith: .signal(SIGKILL)) { [path = space.path as String, fatal = fatal as Int] in
        let counter = StepCounter()
        let disk = Disk { _ in if counter.next() == fatal { kill(getpid(), SIGKILL) } }
        try runFakeShard(
          try ShardTests.shard(0, 2), fakeJobs([1, 2, 3, 4]), FakeGenerator(log: path + "/calls"),
          in: RunFolder(path + "/run"), on: disk, every: .zero)
      }
      try run(Self.shard(1, 2), jobs, in: space)
      #expect(try space.temporaries() == [], "killed at step \(fatal)")
      try run(Self.shard(0, 2), jobs, in: space)
      #expect(try space.images() == whole.images(), "killed at step \(fatal)")
      #expect(
        try Collector.collect(try RunLock(space.folder, patience: .seconds(300))) == RunCounts(done: 4),
        "killed at step \(fatal)")
      #expect(try Verification(space.folder).findings.isEmpty, "killed at step \(fatal)")
    }
  }

  @Test func `a shard continues the image that another process of it began`() throws {
    let jobs = fakeJobs([1, 2]) { $0.steps = 6 }
    let whole = try Workspace()
    try whole.run(jobs)
    let space = try Workspace()
    var generator = space.generator
    let steps = Mutex(0)
    generator.onProgress = { if case .sampling = $0 { steps.withLock { $0 += 1 } } }
    let stopped = try run(
      Self.shard(0, 2), jobs, in: space, generator,
      stopRequest: { steps.withLock { $0 } > 3 ? .signal(SIGUSR1) : nil })
    #expect(stopped.stop == .signal(SIGUSR1) && stopped.counts == RunCounts(pending: 1))
    #expect(try run(Self.shard(1, 2), jobs, in: space).counts == RunCounts(done: 1))
    #expect(try FileManager.default.contentsOfDirectory(atPath: space.folder.checkpoints).count == 1)
    #expect(try run(Self.shard(0, 2), jobs, in: space).counts == RunCounts(done: 1))
    #expect(space.generator.steps.filter { $0 == 1 }.count == 6)
    #expect(try space.images() == whole.images())
  }

  // MARK: Plans

  @Test func `the first plan counts for all shards`() throws {
    let space = try Workspace()
    try run(Self.shard(0, 2), fakeJobs([1, 2]), in: space)
    for (jobs, words) in [
      (fakeJobs([1, 3]), "its job 1 differs in seed: 2, now 3"),
      (fakeJobs([1, 2, 3]), "it ends before job 2"),
      (fakeJobs([1]), "it continues after job 0"),
    ] {
      let error = #expect(throws: RunError.self) { try run(Self.shard(1, 2), jobs, in: space) }
      guard case .otherPlan = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
      #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }
    #expect(try run(Self.shard(1, 2), fakeJobs([1, 2]), in: space).imagesMade == 1)
  }

  @Test func `of draws that are made at once the first count`() async throws {
    let space = try Workspace()
    let folder = space.folder
    let winners: [Int] = try await withThrowingTaskGroup(of: Int?.self) { group in
      for draw in 0..<16 {
        group.addTask { try SeedFile.writeFirst(["seed": draw], to: folder) ? draw : nil }
      }
      return try await group.reduce(into: []) { winners, draw in if let draw { winners.append(draw) } }
    }
    #expect(winners.count == 1)
    #expect(try SeedFile.read([String: Int].self, from: folder) == ["seed": winners[0]])
  }

  // MARK: What other commands see

  @Test func `the status shows each shard`() throws {
    let jobs = fakeJobs([1, 2, 3, 4])
    let space = try Workspace()
    var generator = space.generator
    generator.failingSeeds = [3]
    try run(Self.shard(0, 2), jobs, in: space, generator)
    try run(Self.shard(1, 2), jobs, in: space, generator)
    try run(Self.shard(1, 2), jobs, in: space, generator)
    let status = try RunStatus(space.folder)
    #expect(status.counts == RunCounts(done: 3, failed: 1))
    #expect(status.shards.map(\.shard.description) == ["0/2", "1/2"])
    #expect(status.shards.map(\.images) == [2, 1])
    #expect(status.shards.map(\.starts) == [1, 2])
    #expect(status.failures.map(\.index) == [2])
    #expect(status.text.contains("2 of 2 shards started"))
  }

  @Test func `what verify puts back into the queue is made again, by a shard or by a run that is alone`() throws {
    let jobs = fakeJobs([1, 2])
    let space = try Workspace()
    try run(Self.shard(0, 1), jobs, in: space)
    let name = try #require(try space.images().keys.sorted().first)
    let path = space.folder.images + "/" + name
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: URL(fileURLWithPath: path))
    let lock = try RunLock(space.folder, patience: .seconds(300))
    var verification = try Verification(space.folder, lock: lock)
    try verification.repair(lock)
    #expect(try RunStatus(space.folder).counts == RunCounts(done: 1, pending: 1))
    #expect(try run(Self.shard(0, 1), jobs, in: space).imagesMade == 1)
    #expect(try Collector.collect(lock) == RunCounts(done: 2))
    #expect(try Verification(space.folder, lock: lock).findings.isEmpty)
  }

  @Test func `a run that is alone leaves the files that a shard may be writing`() throws {
    let space = try Workspace()
    let jobs = fakeJobs([1])
    try run(Self.shard(0, 1), jobs, in: space)
    let live = space.folder.images + "/.00001.png.1-abc.shard.tmp"
    let dead = space.folder.images + "/.00002.png.1-abc.shard.tmp"
    for path in [live, dead] { try Data("x".utf8).write(to: URL(fileURLWithPath: path)) }
    let twoDays = Date(timeIntervalSinceNow: -2 * 86400)
    try FileManager.default.setAttributes([.modificationDate: twoDays], ofItemAtPath: dead)
    try space.run(jobs)
    #expect(FileManager.default.fileExists(atPath: live))
    #expect(!FileManager.default.fileExists(atPath: dead))
  }

  @Test func `lines of several journals count by their time, and in each by their order`() throws {
    let space = try Workspace()
    let jobs = fakeJobs([1])
    try space.run(jobs)
    // The shard failed an hour before, by its clock; then its clock was set back even more.
    let id = try #require(try PlanFile.read(space.folder).jobs.first?.id)
    func failure(_ minutesAgo: Int64, _ error: String) -> [UInt8] {
      let time = Timestamp(milliseconds: Timestamp.now().milliseconds - minutesAgo * 60_000)
      return JournalEntry.failed(FailedJob(id: id, index: 0, started: time, seconds: 1, error: error)).line
    }
    let path = space.folder.file(JournalFiles.name(try Self.shard(0, 2), start: 1))
    try Data(failure(60, "first") + failure(120, "second")).write(to: URL(fileURLWithPath: path))
    let index = try JournalIndex(space.folder)
    #expect(index.images[id] != nil && index.failures[id] == nil)
    try Data(failure(-60, "first") + failure(-30, "second")).write(to: URL(fileURLWithPath: path))
    let later = JournalReader(space.folder, try JournalIndex(space.folder))
    #expect(try later.failure(id)?.error == "second")
    #expect(try later.image(id) != nil)
  }
}

/// Also for tests that run in a separate process.
@discardableResult
func runFakeShard(
  _ shard: Shard, _ jobs: [Job], _ generator: FakeGenerator, in folder: RunFolder, on disk: Disk = Disk(),
  every interval: Duration = .seconds(30), store: ImageStore? = nil,
  stopRequest: @escaping () -> StopReason? = { nil }
) throws -> RunOutcome {
  var runner = Runner(
    generator, shard: shard, in: folder, on: disk, checkpointInterval: interval, stopRequest: stopRequest,
    store: store)
  let jobs = try JobList(jobs) { try generator.ingredients(for: $0) }
  return try runner.run(
    RunPlan(jobs: jobs, recipe: ["prompt": "fish", "steps": 3], recipeText: "prompt: fish\n"))
}
