import Foundation
import JSON
import Settings
import Testing

@testable import Runs

@Suite struct ScaleTests {
  /// Jobs that are made when they are asked for, and count themselves.
  private struct CountedJobs: Sequence {
    final class Counter { var made = 0 }
    let count: Int
    let counter = Counter()

    func makeIterator() -> AnyIterator<Job> {
      var place = 0
      return AnyIterator { [counter, count] in
        guard place < count else { return nil }
        defer { place += 1 }
        counter.made += 1
        var job = fakeJobs([Int64(place)])[0]
        job.index = place
        return job
      }
    }
  }

  @Test func `jobs are made one by one, never listed`() throws {
    let space = try Workspace()
    let jobs = CountedJobs(count: 1000)
    let plan = try IdentifiedPlan(jobs, space.generator)
    #expect(plan.count == 1000 && jobs.counter.made == 1000)
    for (place, planned) in plan.planned.enumerated().prefix(3) {
      #expect(planned.job.index == place)
      #expect(jobs.counter.made <= 1000 + place + 1)
    }
    let state = RunState(plan, shard: nil)
    jobs.counter.made = 0
    for (place, (planned, _)) in state.plannedWithStates.enumerated().prefix(3) {
      #expect(planned.job.index == place && jobs.counter.made <= place + 1)
    }
  }

  @Test func `the short way to read a journal sees what the long way sees`() throws {
    let space = try Workspace()
    var generator = space.generator
    generator.failingSeeds = [2]
    try space.run(fakeJobs([1, 2, 3]), generator)
    let whole = space.lines(space.folder.journal)
    var lines = whole
    for line in whole {
      // A line with each of its members missing, and lines cut short.
      guard case .object(let members) = try JSONValue(parsing: line) else { continue }
      for gap in members.indices {
        lines.append(JSONValue.object(members.enumerated().filter { $0.offset != gap }.map(\.element)).jsonText)
      }
      for length in stride(from: 0, to: line.utf8.count, by: 37) { lines.append(String(line.prefix(length))) }
    }
    lines.append(whole[0].replacingOccurrences(of: "images/", with: "../"))
    lines.append(whole[0].replacingOccurrences(of: "\"done\"", with: "\"other\""))
    for line in lines {
      let (short, long) = Array(line.utf8).withUnsafeBufferPointer { (JournalLine(line: $0), JournalEntry(line: $0)) }
      #expect(short?.id == long?.id, "\(line)")
      guard case .done(let image)? = long, case .done(let file, let mark)? = short?.event else { continue }
      #expect(image.file == file && image.mark == mark)
    }
  }
}
