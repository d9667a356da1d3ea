import Foundation
import Settings
import Testing
import Text

@testable import Runs

@Suite struct TraceTests {
  @Test func `every image made adds a line of its own under one line of names`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1, 2]))
    try space.run(fakeJobs([1, 2, 3]))
    try space.run(fakeJobs([1, 2, 3]))
    let rows = space.lines(space.folder.trace).map { $0.components(separatedBy: "\t") }
    #expect(rows[0] == TraceFile.Column.allCases.map(\.rawValue))
    #expect(rows.count == 4 && rows.allSatisfy { $0.count == rows[0].count })
    let jobs = try space.manifestJobs()
    for (row, job) in zip(rows.dropFirst(), jobs) {
      let line = Dictionary(uniqueKeysWithValues: zip(rows[0], row))
      #expect(line["file"] == job["file"] as? String && line["id"] == job["id"] as? String)
      #expect(line["seconds"].flatMap(Double.init) == job["seconds"] as? Double)
      #expect(line["started"].flatMap(Timestamp.init) != nil)
      #expect(line["steps"] == "3" && line["size"] == "8x16" && line["sampler"] == "DPM++ 2M")
      #expect(line["isa"] == "portable" && line["precision"] == "fp32" && line["threads"] == "2")
      #expect(line["index"] == "\(job["index"] as? Int ?? -1)")
      let pace = try #require(line["seconds_per_step"].flatMap(Double.init))
      #expect(pace >= 0 && pace <= 60)
      // This process uses more than one mebibyte.
      #expect(try #require(line["peak_memory_mib"].flatMap(Int.init)) > 1)
      let path = space.folder.file(try #require(line["file"]))
      #expect(line["file_bytes"].flatMap(Int64.init) == (try FileMark(path: path).size))
    }
  }

  @Test(arguments: ["", "started\tseco", "no line feed"])
  func `a line that a power cut tore is cut off, and the names stand there once`(torn: String) throws {
    let space = try Workspace()
    if torn == "no line feed" { try space.run(fakeJobs([1])) }
    mkdir(space.folder.path, 0o755)
    let file = try #require(fopen(space.folder.trace, "a"))
    fputs(torn, file)
    fclose(file)
    try space.run(fakeJobs([1, 2]))
    let lines = space.lines(space.folder.trace)
    #expect(lines.count == 3)
    #expect(lines.filter { $0.hasPrefix("started\t") }.count == 1)
    #expect(lines.allSatisfy { $0.components(separatedBy: "\t").count == TraceFile.Column.allCases.count })
  }

  @Test func `seconds per step are those of the sampling, of as many steps as were seen`() {
    var meter = JobMeter()
    meter.note(.encoding)
    #expect(meter.secondsPerStep == nil)
    meter.note(.sampling(step: 7, of: 9))
    #expect(meter.secondsPerStep == nil)
    let before = ContinuousClock.now
    usleep(2000)
    meter.note(.sampling(step: 9, of: 9))
    meter.note(.decoding)
    let pace = meter.secondsPerStep ?? 0
    #expect(pace >= 0.001 && pace <= before.duration(to: .now) / .seconds(1))
  }

  @Test func `peak memory is that since it was reset`() throws {
    let before = try #require(PeakMemory.bytes)
    var bytes = [UInt8](repeating: 1, count: 300 << 20)
    bytes[1] = 2
    #expect(try #require(PeakMemory.bytes) >= before)
    #expect(try #require(PeakMemory.bytes) > 300 << 20 && bytes.count > 0)
  }

  @Test func `other processes see the current image during the run`() throws {
    let space = try Workspace()
    let file = ProgressFile(space.folder, lock: nil)
    var seen: [CurrentImage?] = []
    try space.run(fakeJobs([1, 2])) {
      nil
    } observe: { event in
      file.note(event, secondsPerStep: 0.5, secondsLeft: 12)
      if case .progress = event { seen.append((try? RunStatus(space.folder))?.current) }
    }
    #expect(seen.allSatisfy { $0 != nil })
    #expect(seen.first??.stage == "loading" && seen.last??.stage == "decoding")
    #expect(seen.last??.number == 2 && seen.last??.count == 2 && seen.last??.index == 1)
    #expect(seen.last??.secondsLeft == 12 && seen.last??.secondsPerStep == 0.5)
    #expect(seen.contains { $0?.stage == "sampling" && $0?.steps == 3 })
    // What a killed process left is not used.
    #expect(access(space.folder.progress, F_OK) == 0)
    #expect(try RunStatus(space.folder).current == nil)
    file.close()
    #expect(access(space.folder.progress, F_OK) != 0)
  }

  @Test func `a run whose folder was replaced leaves the progress of the other run alone`() throws {
    let space = try Workspace()
    let job = fakeJobs([1])[0]
    let id = JobID(job.settings, try space.generator.ingredients(for: job.settings))
    let running = RunningJob(job: job, id: id, number: 1, count: 1)
    let lock = try RunLock(space.folder)
    let file = ProgressFile(space.folder, lock: lock)
    file.note(.progress(running, .loading("fake")), secondsPerStep: nil, secondsLeft: nil)
    #expect(access(space.folder.progress, F_OK) == 0)
    try FileManager.default.removeItem(atPath: space.folder.path)
    file.note(.progress(running, .encoding), secondsPerStep: nil, secondsLeft: nil)
    #expect(access(space.folder.path, F_OK) != 0)
    let other = try RunLock(space.folder)
    let names = try AtomicFile.names(in: space.folder.path)
    file.note(.progress(running, .decoding), secondsPerStep: nil, secondsLeft: nil)
    #expect(try AtomicFile.names(in: space.folder.path) == names && !lock.isHeld && other.isHeld)
    try Data("the other's".utf8).write(to: URL(fileURLWithPath: space.folder.progress))
    file.close()
    #expect(space.lines(space.folder.progress) == ["the other's"])
  }
}
