import Foundation
import Imaging
import JSON
import Runs
import Settings
import Synchronization
import Testing
import TestSupport

/// Runs that end without warning. Each is a separate process; the tests look at what it left on the disk.
@Suite struct CrashTests {
  static let seeds: [Int64] = [11, 22, 33]

  /// How many steps on the disk an undisturbed run takes.
  static func stepCount() throws -> Int {
    let counter = StepCounter()
    try Workspace().run(fakeJobs(seeds), on: Disk { _ in counter.next() })
    return counter.count
  }

  @Test func `a run killed before any of its steps on the disk loses and repeats nothing`() async throws {
    let whole = try Workspace()
    try whole.run(fakeJobs(Self.seeds))
    let count = try Self.stepCount()
    #expect(count > 30)
    for step in 0..<count {
      let space = try Workspace()
      await #expect(processExitsWith: .signal(SIGKILL)) { [path = space.path as String, step = step as Int] in
        let counter = StepCounter()
        let disk = Disk { _ in if counter.next() == step { kill(getpid(), SIGKILL) } }
        try runFake(
          fakeJobs(CrashTests.seeds), FakeGenerator(log: path + "/calls"), in: RunFolder(path + "/run"), on: disk)
      }
      try expectSound(space, "killed before step \(step)")
      let published = try Self.publishedSeeds(space)
      let outcome = try space.run(fakeJobs(Self.seeds))
      #expect(outcome.counts == RunCounts(done: 3))
      #expect(outcome.imagesMade == 3 - published.count, "killed before step \(step)")
      for seed in published { #expect(space.generator.calls.filter { $0 == seed } == [seed]) }
      try expectSame(space, whole, "killed before step \(step)")
    }
  }

  @Test(arguments: [13, 17, 19, 23, 29])
  func `a run killed again and again gets done all the same`(step: Int) async throws {
    let whole = try Workspace()
    try whole.run(fakeJobs(Self.seeds))
    let space = try Workspace()
    for _ in 0..<4 {
      await #expect(processExitsWith: .signal(SIGKILL)) { [path = space.path as String, step = step as Int] in
        let counter = StepCounter()
        let disk = Disk { _ in if counter.next() == step { kill(getpid(), SIGKILL) } }
        try runFake(
          fakeJobs(CrashTests.seeds), FakeGenerator(log: path + "/calls"), in: RunFolder(path + "/run"), on: disk)
        // A finished run takes fewer steps than the test waits for.
        kill(getpid(), SIGKILL)
      }
      try expectSound(space, "killed before step \(step)")
    }
    try space.run(fakeJobs(Self.seeds))
    try expectSame(space, whole, "killed before step \(step)")
  }

  @Test(arguments: 0..<14)
  func `a run killed inside an image makes that image again and no other`(stage: Int) async throws {
    let whole = try Workspace()
    try whole.run(fakeJobs(Self.seeds))
    let space = try Workspace()
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = space.path as String, stage = stage as Int] in
      let counter = StepCounter()
      var generator = FakeGenerator(log: path + "/calls")
      generator.onProgress = { _ in if counter.next() == stage { kill(getpid(), SIGKILL) } }
      try runFake(fakeJobs(CrashTests.seeds), generator, in: RunFolder(path + "/run"))
    }
    try space.run(fakeJobs(Self.seeds))
    // An image has seven stages.
    #expect(space.generator.calls == (stage < 7 ? [11, 11, 22, 33] : [11, 22, 22, 33]))
    try expectSame(space, whole, "killed at stage \(stage)")
  }

  @Test func `a journal torn at any byte loses no image`() throws {
    let whole = try Workspace()
    try whole.run(fakeJobs(Self.seeds))
    let journal = Array(try Data(contentsOf: URL(fileURLWithPath: whole.folder.journal)))
    let lineEnds = journal.indices.filter { journal[$0] == UInt8(ascii: "\n") }
    for length in stride(from: 0, to: journal.count, by: 7) {
      #expect(truncate(whole.folder.journal, off_t(length)) == 0)
      #expect(try whole.run(fakeJobs(Self.seeds)).imagesMade == 0)
      let lines = whole.lines(whole.folder.journal)
      #expect(lines.count == 3)
      for line in lines { #expect(throws: Never.self) { try JSONValue(parsing: line) } }
      // Complete lines before the incomplete one have not changed.
      let kept = lineEnds.prefix { $0 < length }.count
      #expect(
        lines.prefix(kept).joined(separator: "\n").utf8.elementsEqual(journal[..<(kept == 0 ? 0 : lineEnds[kept - 1])]))
      try Data(journal).write(to: URL(fileURLWithPath: whole.folder.journal))
    }
    #expect(whole.generator.calls == Self.seeds)
  }

  @Test func `lines of the journal that are damaged in the middle cost nothing but a look at their image`() throws {
    let space = try Workspace()
    try space.run(fakeJobs(Self.seeds))
    var lines = space.lines(space.folder.journal)
    lines[1] = String(lines[1].dropLast(5)) + "\u{FFFD}"
    lines.insert("", at: 0)
    lines.append(#"{"event":"later","id":5}"#)
    try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: space.folder.journal))
    #expect(try space.run(fakeJobs(Self.seeds)).imagesMade == 0)
    #expect(space.generator.calls == Self.seeds)
  }

  @Test func `a journal cannot lead outside the images`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1]))
    let outside = space.path + "/precious"
    try Data("precious".utf8).write(to: URL(fileURLWithPath: outside))
    let line = try #require(space.lines(space.folder.journal).first)
    let file = try #require(try JSONValue(parsing: line)["file"]?.text)
    for name in [
      "images/../../precious", "../precious", "/" + outside, "images/a/../../../precious",
      "images/..", "images/.png",
    ] {
      try Data((line.replacingOccurrences(of: file, with: name) + "\n").utf8)
        .write(to: URL(fileURLWithPath: space.folder.journal))
      try space.run(fakeJobs([1]))
      #expect(try String(contentsOfFile: outside, encoding: .utf8) == "precious")
      #expect(try space.images().count == 1)
    }
  }

  // MARK: Checks

  /// Every line of the journal names a complete image with the right digest.
  private func expectSound(_ space: Workspace, _ comment: Comment) throws {
    for line in space.lines(space.folder.journal) {
      guard let entry = try? JSONValue(parsing: line), let file = entry["file"]?.text else { continue }
      let bytes = try Data(contentsOf: URL(fileURLWithPath: space.folder.path + "/" + file))
      #expect(entry["sha256"]?.text == digest(bytes), comment)
    }
    guard let images = try? space.images() else { return }
    for (name, bytes) in images where !name.hasPrefix(".") {
      #expect(throws: Never.self, comment) { try PNGFile(decoding: bytes) }
    }
  }

  /// The seeds of the images that have their final names.
  private static func publishedSeeds(_ space: Workspace) throws -> [Int64] {
    guard let images = try? space.images() else { return [] }
    return images.keys.filter { !$0.hasPrefix(".") }.compactMap { Int64($0.split(separator: "-")[1]) }
  }

  /// The files and digests are the same, and the manifest differs only in times.
  private func expectSame(_ space: Workspace, _ whole: Workspace, _ comment: Comment) throws {
    #expect(try space.images() == whole.images(), comment)
    let (jobs, expected) = (try space.manifestJobs(), try whole.manifestJobs())
    #expect(jobs.count == expected.count, comment)
    for (job, other) in zip(jobs, expected) {
      for key in ["id", "status", "file", "sha256", "pixels_sha256", "infotext"] {
        #expect(job[key] as? String == other[key] as? String, comment)
      }
    }
    #expect(space.lines(space.folder.plan) == whole.lines(whole.folder.plan), comment)
  }
}

/// Counts the steps of one run, on every thread.
final class StepCounter: Sendable {
  private let steps = Atomic<Int>(0)

  var count: Int { steps.load(ordering: .relaxed) }

  /// The number of this step, from 0.
  @discardableResult
  func next() -> Int { steps.wrappingAdd(1, ordering: .relaxed).oldValue }
}
