import Foundation
import JSON
import Settings
import Synchronization
import Testing

@testable import Runs

/// Images without a journal line: the process ended before it wrote the line.
@Suite struct OrphanTests {
  /// Removes the last lines of the journal.
  private func cutJournal(_ space: Workspace, to count: Int) throws {
    let lines = space.lines(space.folder.journal).prefix(count)
    try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: URL(fileURLWithPath: space.folder.journal))
  }

  @Test func `an image is reported as found when its line is durable, and not before`() throws {
    let space = try Workspace()
    let jobs = fakeJobs([1, 2, 3])
    try space.run(jobs)
    try cutJournal(space, to: 1)
    let steps = Mutex<[String]>([])
    let disk = Disk { step in
      if step.path.hasSuffix("journal.jsonl") { steps.withLock { $0.append("\(step.action)") } }
    }
    var found: [JobID] = []
    let folder = space.folder
    let outcome = try space.run(
      jobs, on: disk,
      observe: { event in
        guard case .imageFound(_, let id) = event else { return }
        #expect((try? FinishedImages(folder))?.contains(id) == true)
        #expect(steps.withLock { $0 } == ["create", "write", "write", "synchronise"])
        found.append(id)
      })
    #expect(outcome.imagesMade == 0 && found.count == 3)
  }

  @Test func `an image is adopted although the recipe numbers its job otherwise by now`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1, 2]))
    let before = try space.images()
    try cutJournal(space, to: 1)
    #expect(try space.run(fakeJobs([7, 8, 2, 1])).imagesMade == 2)
    #expect(space.generator.calls == [1, 2, 7, 8])
    let after = try space.images()
    #expect(before.allSatisfy { after[$0.key] == $0.value } && after.count == 4)
    let lock = try RunLock(space.folder)
    #expect(try Verification(space.folder, lock: lock).findings.isEmpty)
  }

  @Test func `an image of an earlier version of the program is adopted`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1]))
    try cutJournal(space, to: 0)
    var generator = space.generator
    generator.version = "9.9.9"
    #expect(try space.run(fakeJobs([1]), generator).imagesMade == 0)
    let text = try #require(try JSONValue(parsing: space.lines(space.folder.journal)[0])["infotext"]?.text)
    #expect(text.hasSuffix("Generator: sdbatch 1.2.3"))
    let lock = try RunLock(space.folder)
    #expect(try Verification(space.folder, lock: lock).findings.isEmpty)
  }

  @Test func `collecting shards notes an image that a killed shard left without a line`() throws {
    let space = try Workspace()
    let jobs = fakeJobs([1, 2])
    let generator = space.generator
    let shard = try #require(Shard(index: 0, count: 1))
    var runner = Runner(generator, shard: shard, in: space.folder, stopRequest: { nil })
    let list = try JobList(jobs) { try generator.ingredients(for: $0) }
    _ = try runner.run(RunPlan(jobs: list, recipe: [:], recipeText: nil))
    let journal = try #require(space.folder.journals.last)
    let lines = space.lines(journal)
    try Data((lines[0] + "\n").utf8).write(to: URL(fileURLWithPath: journal))
    #expect(try RunStatus(space.folder).counts == RunCounts(done: 2))
    let lock = try RunLock(space.folder)
    #expect(try Collector.collect(lock) == RunCounts(done: 2))
    #expect(try Verification(space.folder, lock: lock).findings.isEmpty)
  }

  @Test func `status, verify and why count an image without a line, altered and missing ones alike`() throws {
    let space = try Workspace()
    let jobs = fakeJobs([1, 2, 3, 4, 5])
    var generator = space.generator
    generator.failingSeeds = [5]
    try space.run(jobs, generator)
    try cutJournal(space, to: 3)
    let names = try space.images().keys.sorted()
    unlink(space.folder.images + "/" + names[0])
    // The same length, but other bytes.
    let altered = space.folder.images + "/" + names[1]
    let size = try Data(contentsOf: URL(fileURLWithPath: altered)).count
    try Data(repeating: 7, count: size).write(to: URL(fileURLWithPath: altered))
    let planned = try PlanFile.read(space.folder).jobs
    let expected = RunCounts(done: 2, pending: 3)
    #expect(try RunStatus(space.folder).counts == expected)
    #expect(try Verification(space.folder).counts == expected)
    let reasons = try JobReasons(space.folder).reasons(planned)
    #expect(JobReasons.counts(reasons) == expected)
    #expect(reasons.map(\.runs) == [true, true, false, false, true])
    #expect(reasons.map(\.cause) == ["missing", "altered", "done", "unrecorded", "new"])
    #expect(try space.run(jobs).imagesMade == 3)
  }

  @Test func `a job that crashed the process twice counts as failed everywhere before a run says so`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1, 2]))
    let planned = try PlanFile.read(space.folder).jobs
    unlink(space.folder.file(RunFolder.imageStem(planned[0].job, planned[0].id) + ".png"))
    try Data("\(planned[0].id) SIGSEGV\n\(planned[0].id) SIGSEGV\n".utf8)
      .write(to: URL(fileURLWithPath: space.folder.crashes))
    let expected = RunCounts(done: 1, failed: 1)
    #expect(try RunStatus(space.folder).counts == expected)
    #expect(try Verification(space.folder).counts == expected)
    #expect(JobReasons.counts(try JobReasons(space.folder).reasons(planned)) == expected)
    #expect(try space.run(fakeJobs([1, 2])).counts == expected)
  }
}
