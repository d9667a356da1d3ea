import Foundation
import JSON
import Settings
import Testing

@testable import Runs

@Suite struct ScaleTests {
  /// Jobs that are made on request, and count themselves.
  private struct CountedJobs: Sequence {
    final class Counter { var made = 0 }
    let count: Int
    let counter = Counter()

    func makeIterator() -> AnyIterator<Job> {
      var index = 0
      return AnyIterator { [counter, count] in
        guard index < count else { return nil }
        defer { index += 1 }
        counter.made += 1
        var job = fakeJobs([Int64(index)])[0]
        job.index = index
        return job
      }
    }
  }

  @Test func `jobs are made one by one, never listed`() throws {
    let generator = try Workspace().generator
    let jobs = CountedJobs(count: 1000)
    let list = try JobList(jobs) { try generator.ingredients(for: $0) }
    #expect(list.count == 1000 && jobs.counter.made == 1000)
    for (index, job) in list.identified.enumerated().prefix(3) {
      #expect(job.job.index == index)
      #expect(jobs.counter.made <= 1000 + index + 1)
    }
    let state = RunState(list, shard: nil)
    jobs.counter.made = 0
    for (index, (job, _)) in state.identifiedWithStates.enumerated().prefix(3) {
      #expect(job.job.index == index && jobs.counter.made <= index + 1)
    }
  }

  @Test func `models are looked at once for all jobs that are made from the same`() throws {
    let generator = try Workspace().generator
    var looks = 0
    _ = try JobList(CountedJobs(count: 1000)) { settings in
      looks += 1
      return try generator.ingredients(for: settings)
    }
    #expect(looks == 1)
  }

  @Test(arguments: [1, 2, 250, 1000])
  func `batches that alternate cost few walks over the plan`(models: Int) throws {
    let generator = try Workspace().generator
    let jobs = CountedJobs(count: 4000)
    let list = try JobList(
      jobs.lazy.map { job in
        var job = job
        let name = "\(job.index % models)"
        job.settings.model = ModelReference(name: name, path: "/models/\(name)")
        return job
      }
    ) { try generator.ingredients(for: $0) }
    jobs.counter.made = 0
    let order = list.workOrder { _ in true }
    var queue = JobQueue(list, order)
    var found: [Int] = []
    while let (index, job) = queue.next() {
      #expect(job.job.index == index && job.id == list.ids[index])
      found.append(index)
    }
    #expect(found == order && Set(order).count == 4000)
    #expect(order.map { $0 % models } == (0..<models).flatMap { Array(repeating: $0, count: 4000 / models) })
    // At most one pass for each window of jobs.
    #expect(jobs.counter.made <= (models == 1 ? 1 : 5) * 4000)
  }

  @Test func `the short way to read a journal sees what the long way sees`() throws {
    let space = try Workspace()
    var generator = space.generator
    generator.failingSeeds = [2]
    try space.run(fakeJobs([1, 2, 3]), generator)
    let whole = space.lines(space.folder.journal)
    var lines = whole
    for line in whole {
      // A line with each of its members missing, and incomplete lines.
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
      guard case .done(let image)? = long, case .done(let files, _)? = short?.event else { continue }
      #expect(image.file == files.file && image.mark == files.mark)
      #expect(image.encoding == files.encoding && image.others == files.others)
    }
  }

  @Test func `lines of a journal are the same in whatever order they are asked for`() throws {
    let space = try Workspace()
    try space.run(fakeJobs(Array(1...300)) { $0.prompt = String(repeating: "a red fish, ", count: 60) })
    let journal = try Journal(space.folder, on: Disk())
    let order = journal.index.images.sorted { $0.value.line < $1.value.line }.map(\.key)
    // Each by a separate reader.
    let expected = try order.map { try JournalReader(space.folder, journal.index).image($0) }
    #expect(expected.compactMap { $0?.id } == order)
    let reader = JournalReader(space.folder, journal.index)
    #expect(try order.map { try reader.image($0) } == expected)
    #expect(try order.reversed().map { try reader.image($0) } == expected.reversed())
    for (index, step) in [(0, 1), (0, 7), (3, 2), (5, 90), (1, 1)] {
      for place in stride(from: index, to: order.count, by: step) {
        #expect(try reader.image(order[place]) == expected[place])
        #expect(try journal.image(order[place]) == expected[place])
      }
    }
    // A line that is added after others were read.
    var image = try #require(expected[299])
    image.infotext = "another"
    try journal.append(.done(image))
    #expect(try journal.image(order[299]) == image && journal.image(order[298]) == expected[298])
  }
}
