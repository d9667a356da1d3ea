import Foundation
import Infotext
import Settings
import Testing
import Text

@testable import Runs

/// What the files of a run alone show.
@Suite struct RunFilesTests {
  @Test func `the plan reads back as it was frozen`() throws {
    let space = try Workspace()
    var jobs = fakeJobs([1, 2, 3, 4])
    jobs[1].settings.vae = ModelReference(name: "v", path: "/vae \"quoted\".safetensors")
    jobs[1].settings.prompt = "two\nlines, 日本"
    jobs[2].settings.sTmax = 3.5
    jobs[2].settings.seed = .max
    jobs[2].axes = []
    jobs[3].settings.model = ModelReference(name: "other", path: "/other")
    try space.run(jobs)
    let (details, planned) = try PlanFile.read(space.folder)
    #expect(planned.map(\.job) == jobs)
    #expect(planned.map(\.ingredients) == (try jobs.map { try space.generator.ingredients(for: $0.settings) }))
    #expect(planned.map(\.id) == planned.map { JobID($0.job.settings, $0.ingredients) })
    #expect(details == RunDetails(recipe: ["prompt": "fish", "steps": 3], engine: space.generator.description))
    #expect(space.lines(space.folder.plan).count == jobs.count)
  }

  @Test func `the manifest can be made again from plan and journal`() throws {
    let space = try Workspace()
    var generator = space.generator
    generator.failingSeeds = [2]
    try space.run(fakeJobs([1, 2, 3]), generator)
    let before = try space.manifest()
    unlink(space.folder.manifest)
    let (details, planned) = try PlanFile.read(space.folder)
    let journal = try Journal(space.folder, on: Disk())
    let manifest = Manifest(
      details: try #require(details), started: .now(), finished: .now(), ending: .done, counts: RunCounts(),
      ingredients: planned.prefix(1).map(\.ingredients))
    let states = planned.map { job -> (IdentifiedJob, JobState) in
      (job, journal.index.images[job.id] != nil ? .done : journal.index.failures[job.id] != nil ? .failed : .pending)
    }
    try manifest.write(states, to: space.folder, journal: journal, on: Disk())
    let after = try space.manifest()
    for key in ["jobs", "recipe", "models", "engine", "schema"] {
      #expect(after[key] as? NSObject == before[key] as? NSObject, "\(key)")
    }
  }

  @Test func `entries of the manifest are copied only while they and their sources are unchanged`() throws {
    let space = try Workspace()
    let jobs = fakeJobs([1, 2, 3])
    try space.run(jobs)
    let entries = try space.manifestJobs()
    func change(_ text: String, to other: String) throws {
      let manifest = try String(contentsOfFile: space.folder.manifest, encoding: .utf8)
      #expect(manifest.contains(text))
      try manifest.replacingOccurrences(of: text, with: other)
        .write(toFile: space.folder.manifest, atomically: true, encoding: .utf8)
    }
    func checksum() throws -> String {
      var checksum = try ManifestChecksum(
        of: [.done, .done, .done], space.generator.description, in: space.folder)
      let manifest = try String(contentsOfFile: space.folder.manifest, encoding: .utf8)
      let start = try #require(manifest.range(of: "\n\"jobs\":[")).upperBound
      let end = try #require(manifest.range(of: "\n],\n\"checksum\"")).lowerBound
      checksum.add(Array(manifest[start..<end].utf8))
      return checksum.text
    }
    // A damaged entry is written again.
    let before = try checksum()
    try change("\"index\":1,", to: "\"index\":7,")
    try space.run(jobs)
    #expect(try space.manifestJobs() as NSArray == entries as NSArray)
    #expect(try space.manifest()["checksum"] as? String == before)
    // With the right checksum, it is copied.
    try change("\"index\":1,", to: "\"index\":7,")
    try change(before, to: checksum())
    try space.run(jobs)
    #expect(try space.manifestJobs().map { $0["index"] as? Int } == [0, 7, 2])
    // Other sources: a job more, and an image made again.
    try space.run(fakeJobs([1, 2, 3, 4]))
    #expect(try space.manifestJobs().map { $0["index"] as? Int } == [0, 1, 2, 3])
    let image = try #require(entries[1]["file"] as? String)
    unlink(space.folder.file(image))
    try space.run(jobs)
    #expect(try space.manifestJobs().map { $0["file"] as? String } == entries.map { $0["file"] as? String })
    #expect(try space.manifest()["checksum"] as? String != before)
  }

  @Test func `the status of a run comes from its files`() throws {
    let space = try Workspace()
    let error = #expect(throws: RunError.self) { try RunStatus(space.folder) }
    #expect(error == .noRun(path: space.folder.path))
    var generator = space.generator
    generator.failingSeeds = [2, 4]
    var seen: RunStatus?
    try space.run(fakeJobs([1, 2, 3, 4, 1]), generator) {
      nil
    } observe: { event in
      if case .imageDone(let job, _, _) = event, job.job.index == 0 { seen = try? RunStatus(space.folder) }
    }
    let during = try #require(seen)
    #expect(during.counts == RunCounts(done: 2, pending: 3))
    #expect(during.holder?.contains("pid \(getpid())") == true)
    #expect(during.text.contains("2 of 5 done, 0 failed, 3 to do\nrunning: "))
    let after = try RunStatus(space.folder)
    #expect(after.counts == RunCounts(done: 3, failed: 2))
    #expect(after.holder == nil)
    #expect(after.failures.map(\.index) == [3, 1])
    #expect(after.text.contains("failed: job 3"))
    #expect(after.text.contains("the fake engine was told to fail"))
    #expect(after.lastActivity.flatMap(Timestamp.init) != nil)
    #expect(after.json["counts"] == ["total": 5, "done": 3, "failed": 2, "pending": 0])
    #expect(after.json["running"] == false)
    // An image that was deleted has to be made again.
    unlink(space.folder.images + "/" + (try #require(try space.images().keys.sorted().last)))
    #expect(try RunStatus(space.folder).counts == RunCounts(done: 2, failed: 2, pending: 1))
    // Reading changes nothing, and needs no permission to write.
    #expect(throws: Never.self) { try RunStatus(space.folder) }
  }

  @Test func `a plan that is damaged is named with the line`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1, 2]))
    let lines = space.lines(space.folder.plan)
    try Data("\(lines[0])\n{\"id\":\"5\n".utf8).write(to: URL(fileURLWithPath: space.folder.plan))
    let error = #expect(throws: RunError.self) { try RunStatus(space.folder) }
    #expect(error?.description.contains("line 2") == true)
    #expect(throws: RunError.self) { try PlanFile.read(space.folder) }
  }

  @Test func `lines are read whole wherever the pieces of a file end`() throws {
    let space = try Workspace()
    let path = space.path + "/lines"
    var lines: [[UInt8]] = [
      [], [1], Array(repeating: 2, count: (1 << 20) - 3), [], Array(repeating: 3, count: 3 << 20),
    ]
    lines += (0..<300_000).map { [UInt8(truncatingIfNeeded: $0 | 16)] }
    try Data(lines.joined(separator: [10])).write(to: URL(fileURLWithPath: path))
    var found: [[UInt8]] = []
    var starts: [Int64] = []
    var unfinished = 0
    try FileReader.forEachLine(of: path) { start, line, isWhole in
      found.append(Array(line))
      starts.append(start)
      if !isWhole { unfinished += 1 }
    }
    #expect(found == lines)
    #expect(unfinished == 1)
    #expect(starts.last == Int64(lines.dropLast().reduce(0) { $0 + $1.count + 1 }))
  }

  @Test(.timeLimit(.minutes(20)))
  func `ten thousand finished jobs are found done without a call to the generator`() throws {
    let space = try Workspace()
    let jobs = fakeJobs(Array(0..<10_000)) { $0.prompt = String(repeating: "a red fish and a blue star, ", count: 8) }
    try FileManager.default.createDirectory(atPath: space.folder.images, withIntermediateDirectories: true)
    var lines: [UInt8] = []
    for job in jobs {
      let ingredients = try space.generator.ingredients(for: job.settings)
      let id = JobID(job.settings, ingredients)
      let file = RunFolder.imageStem(job, id) + ".png"
      try Data("not read".utf8).write(to: URL(fileURLWithPath: space.folder.file(file)))
      let digest = String(repeating: "0", count: 64)
      lines +=
        JournalEntry.done(
          FinishedImage(
            id: id, index: job.index, file: file, mark: try FileMark(path: space.folder.file(file)), sha256: digest,
            pixelsSHA256: digest, started: .now(), seconds: 1,
            infotext: Infotext(job.settings, ingredients, version: "1.2.3").text)
        ).line
    }
    try Data(lines).write(to: URL(fileURLWithPath: space.folder.journal))
    for _ in 1...2 {
      #expect(try space.run(jobs).counts == RunCounts(done: 10_000))
    }
    #expect(try RunStatus(space.folder).counts == RunCounts(done: 10_000))
    #expect(space.generator.calls.isEmpty)
  }
}
