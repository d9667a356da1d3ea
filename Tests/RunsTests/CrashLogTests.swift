import Foundation
import Runs
import Settings
import Testing

/// Jobs that end the process.
@Suite struct CrashLogTests {
  static let names: [Int32: String] = [
    SIGSEGV: "SIGSEGV", SIGBUS: "SIGBUS", SIGILL: "SIGILL", SIGTRAP: "SIGTRAP", SIGABRT: "SIGABRT", SIGFPE: "SIGFPE",
  ]

  /// Runs jobs 1, 2 and 3 in a process that job 2 ends with a signal.
  private func crash(_ space: Workspace, _ number: Int32, at stage: GenerationProgress = .decoding) async {
    let isEarly = stage == .encoding
    await #expect(processExitsWith: .signal(number)) {
      [path = space.path as String, number = number as Int32, isEarly = isEarly as Bool] in
      CrashSignals.install()
      var generator = FakeGenerator(log: path + "/calls")
      generator.onProgress = { [generator] progress in
        if generator.calls.last == 2, progress == (isEarly ? .encoding : .decoding) { raise(number) }
      }
      try runFake(fakeJobs([1, 2, 3]), generator, in: RunFolder(path + "/run"), every: .zero)
    }
  }

  @Test(arguments: [SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT, SIGFPE])
  func `a job that crashed the process twice is reported and not tried again`(number: Int32) async throws {
    let space = try Workspace()
    await crash(space, number)
    #expect(space.lines(space.folder.crashes).count == 1)
    await crash(space, number)
    #expect(space.generator.calls == [1, 2, 2])
    var quarantined: [Int] = []
    for _ in 0..<2 {
      let outcome = try space.run(fakeJobs([1, 2, 3])) {
        nil
      } observe: { event in
        if case .jobQuarantined(let job, _, _) = event { quarantined.append(job.index) }
      }
      #expect(outcome.counts == RunCounts(done: 2, failed: 1))
    }
    #expect(quarantined == [1, 1])
    #expect(space.generator.calls == [1, 2, 2, 3])
    let error = try #require(try space.manifestJobs()[1]["error"] as? String)
    let name = try #require(Self.names[number])
    #expect(error.hasPrefix("it crashed the program 2 times (\(name), \(name)) and is not tried again"))
    #expect(space.lines(space.folder.journal).count == 3)
    // --only-failed does not cancel it; removing the file does.
    #expect(try space.run(fakeJobs([1, 2, 3]), only: .failed).counts == RunCounts(done: 2, failed: 1))
    unlink(space.folder.crashes)
    #expect(try space.run(fakeJobs([1, 2, 3])).counts == RunCounts(done: 3))
  }

  @Test func `a job that crashed once restarts, and is forgiven when it is done`() async throws {
    let whole = try Workspace()
    try whole.run(fakeJobs([1, 2, 3]))
    let space = try Workspace()
    await crash(space, SIGSEGV)
    #expect(space.generator.steps == [1, 1, 1, 2, 2, 2])
    var reasons: [String] = []
    try space.run(fakeJobs([1, 2, 3])) {
      nil
    } observe: { event in
      if case .checkpointIgnored(_, let reason) = event { reasons.append(reason) }
    }
    #expect(reasons == ["the program crashed while making this image"])
    #expect(space.generator.steps == [1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3])
    #expect(try space.images() == whole.images())
    #expect(space.lines(space.folder.crashes).last?.hasSuffix(" done") == true)
    // Once more, long after: the first crash no longer counts.
    for name in try space.images().keys where name.contains("-2-") { unlink(space.folder.images + "/" + name) }
    await crash(space, SIGBUS)
    #expect(try space.run(fakeJobs([1, 2, 3])).counts == RunCounts(done: 3))
    #expect(try space.images() == whole.images())
  }

  @Test func `being killed is no fault of a job, however often`() async throws {
    let space = try Workspace()
    for _ in 0..<3 { await crash(space, SIGKILL, at: .encoding) }
    #expect(space.lines(space.folder.crashes).isEmpty)
    #expect(try space.run(fakeJobs([1, 2, 3])).counts == RunCounts(done: 3))
    #expect(!FileManager.default.fileExists(atPath: space.folder.crashes))
  }

  @Test func `a crash outside of all jobs is noted of none`() async throws {
    let space = try Workspace()
    await #expect(processExitsWith: .signal(SIGSEGV)) { [path = space.path as String] in
      CrashSignals.install()
      try runFake(
        fakeJobs([1, 2, 3]), FakeGenerator(log: path + "/calls"), in: RunFolder(path + "/run"),
        observe: { event in if case .imageDone = event { raise(SIGSEGV) } })
    }
    #expect(space.lines(space.folder.crashes).isEmpty)
  }

  @Test func `a fault of a thread is noted once, even if two threads have it together`() async throws {
    let space = try Workspace()
    await #expect(processExitsWith: .signal(SIGSEGV)) { [path = space.path as String] in
      CrashSignals.install()
      var generator = FakeGenerator(log: path + "/calls")
      generator.onProgress = { _ in
        for _ in 0..<4 { Thread.detachNewThread { raise(SIGSEGV) } }
        sleep(300)
      }
      try runFake(fakeJobs([1]), generator, in: RunFolder(path + "/run"))
    }
    #expect(space.lines(space.folder.crashes).count == 1)
  }

  @Test func `lines of the log that are torn or strange are passed over`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1]))
    let id = try #require(try space.manifestJobs()[0]["id"] as? String)
    for name in try space.images().keys { unlink(space.folder.images + "/" + name) }
    try Data("\(id) SIGSEGV\n\nx y\n\(id)\n\(id.prefix(9)) SIGBUS\n\(id) SIGSE".utf8)
      .write(to: URL(fileURLWithPath: space.folder.crashes))
    #expect(try space.run(fakeJobs([1])).counts == RunCounts(done: 1))
  }

  // MARK: --only-failed

  @Test func `only the jobs that failed are done where only they are asked for`() throws {
    let space = try Workspace()
    var generator = space.generator
    generator.failingSeeds = [2]
    try space.run(fakeJobs([1, 2]), generator)
    let outcome = try space.run(fakeJobs([1, 2, 3]), only: .failed)
    #expect(outcome.counts == RunCounts(done: 2, pending: 1))
    #expect(outcome.stop == nil)
    #expect((try space.manifest()["run"] as? [String: Any])?["status"] as? String == "stopped")
    #expect(space.generator.calls == [1, 2, 2])
    #expect(try space.run(fakeJobs([1, 2, 3]), only: .failed).imagesMade == 0)
    #expect(try space.run(fakeJobs([1, 2, 3])).counts == RunCounts(done: 3))
  }
}
