import Foundation
import Imaging
import JSON
import Settings
import Synchronization
import Testing
import TestSupport

@testable import Runs

/// Images that a run takes from other run folders.
@Suite struct ReuseTests {
  private static let seeds: [Int64] = [11, 22, 33]

  private static func store(_ space: Workspace) -> ImageStore {
    ImageStore(environment: ["XDG_CACHE_HOME": space.path + "/cache"])
  }

  private func run(
    _ space: Workspace, _ name: String, _ seeds: [Int64] = seeds, _ generator: FakeGenerator? = nil, reuses: Bool = true
  ) throws -> RunOutcome {
    try runFake(
      fakeJobs(seeds), generator ?? space.generator, in: RunFolder(space.path + "/" + name),
      store: reuses ? Self.store(space) : nil)
  }

  private func number(_ path: String) -> ino_t? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_ino : nil
  }

  private func entries(_ space: Workspace, _ name: String) throws -> [JSONValue] {
    try space.lines(space.path + "/\(name)/journal.jsonl").map { try JSONValue(parsing: $0) }
  }

  @Test func `a second folder takes all images from the first, and says so`() throws {
    let space = try Workspace()
    #expect(try run(space, "one").imagesMade == 3)
    let before = try snapshot(space.path + "/one")
    let outcome = try run(space, "two", [33, 22, 11, 44])
    #expect((outcome.imagesMade, outcome.counts.done) == (1, 4))
    #expect(space.generator.calls == Self.seeds + [44])
    #expect(try snapshot(space.path + "/one") == before)
    let folder = RunFolder(space.path + "/two")
    for entry in try entries(space, "two") {
      let file = folder.file(try #require(entry["file"]?.text))
      #expect(entry["sha256"]?.text == digest(try Data(contentsOf: URL(fileURLWithPath: file))))
      guard let source = entry["reused_from"]?.text else { continue }
      // With its own name here, which has this plan's number.
      #expect(number(file) == number(source) && source.contains("/one/"))
    }
    #expect(try entries(space, "two").count { $0["reused_from"] != nil } == 3)
    let status = try RunStatus(folder)
    #expect((status.reused, status.counts.done) == (3, 4))
    #expect(status.text.contains("3 taken from other run folders"))
    let jobs = try JSONValue(parsing: String(contentsOfFile: folder.manifest, encoding: .utf8))["jobs"]?.elements ?? []
    #expect(jobs.map { $0["reused_from"] != nil } == [true, true, true, false])
    #expect(jobs.allSatisfy { $0["status"] == "done" })
    let trace = space.lines(folder.trace).map {
      $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    }
    let column = try #require(trace[0].firstIndex(of: "reused_from"))
    #expect(trace.dropFirst().map { $0[column].isEmpty } == [false, false, false, true])
    #expect(try Verification(folder).isClean)
    // No work is left, and nothing is written.
    #expect(try run(space, "two", [33, 22, 11, 44]).imagesMade == 0)
    #expect(space.generator.calls.count == 4)
  }

  @Test func `without a store every image is made`() throws {
    let space = try Workspace()
    _ = try run(space, "one")
    #expect(try run(space, "two", reuses: false).imagesMade == 3)
  }

  @Test func `images that are gone, cut, altered or exchanged are made again`() throws {
    for damage in 0..<4 {
      let space = try Workspace()
      _ = try run(space, "one")
      let files = try entries(space, "one").compactMap { $0["file"]?.text }.map { space.path + "/one/" + $0 }
      let bytes = try Data(contentsOf: URL(fileURLWithPath: files[1]))
      switch damage {
      case 0: #expect(unlink(files[1]) == 0)
      case 1: #expect(truncate(files[1], 40) == 0)
      case 2: try Data(bytes.dropLast(1) + [0]).write(to: URL(fileURLWithPath: files[1]))
      default: try Data(contentsOf: URL(fileURLWithPath: files[0])).write(to: URL(fileURLWithPath: files[1]))
      }
      #expect(try run(space, "two").imagesMade == 1)
      #expect(space.generator.calls == Self.seeds + [22])
      #expect(try Verification(RunFolder(space.path + "/two")).isClean)
    }
  }

  @Test func `an image of another version of the program is copied with this version's text`() throws {
    let space = try Workspace()
    var older = space.generator
    older.version = "0.9.0"
    _ = try run(space, "one", Self.seeds, older)
    let before = try snapshot(space.path + "/one")
    #expect(try run(space, "two").imagesMade == 0)
    let alone = try Workspace()
    try alone.run(fakeJobs(Self.seeds))
    // The same bytes as if they were made here.
    #expect(try Workspace.images(RunFolder(space.path + "/two")) == alone.images())
    #expect(try snapshot(space.path + "/one") == before)
    #expect(try Verification(RunFolder(space.path + "/two")).isClean)
  }

  @Test func `a damaged store costs nothing but the images that it does not name`() throws {
    let space = try Workspace()
    _ = try run(space, "one")
    let path = space.path + "/cache/sdbatch/images.tsv"
    var lines = space.lines(path)
    #expect(lines.count == 3)
    lines[1] = "\u{FFFD}" + lines[1].dropFirst(3)
    let torn = String(lines[0].dropLast(20))
    try Data(("\0\0\n" + lines.joined(separator: "\n") + "\n" + torn).utf8).write(to: URL(fileURLWithPath: path))
    #expect(try run(space, "two").imagesMade == 1)
    // The incomplete line did not hide the new ones.
    #expect(try run(space, "three").imagesMade == 0)
    for content in ["", "nonsense", String(repeating: "\t", count: 500) + "\n"] {
      try Data(content.utf8).write(to: URL(fileURLWithPath: path))
      #expect(try run(space, "four\(content.count)").imagesMade == 3)
    }
    #expect(unlink(path) == 0 && mkdir(path, 0o700) == 0)
    #expect(try run(space, "five").imagesMade == 3)
  }

  @Test func `the store stays small and keeps the newest`() throws {
    let space = try Workspace()
    let store = ImageStore(environment: ["XDG_CACHE_HOME": space.path + "/cache"], limit: 20_000)
    let file = space.path + "/image.png"
    try Data([1]).write(to: URL(fileURLWithPath: file))
    let ids = (0..<400).compactMap { JobID(digest("\($0)")) }
    func entry(_ number: Int, path: String) -> ImageStore.Entry {
      ImageStore.Entry(
        id: ids[number], sha256: digest("a"), pixelsSHA256: digest("b"),
        faces: number % 2 == 0 ? number : nil, path: path)
    }
    for number in 0..<400 {
      store.add([entry(number, path: number % 3 == 0 ? space.path + "/gone.png" : file)])
      let size = try #require(FileManager.default.attributesOfItem(atPath: store.path ?? "")[.size] as? Int)
      #expect(size <= 20_000)
    }
    let known = store.entries(of: Set(ids), outside: RunFolder("/none"))
    #expect(known[ids[398]] == [entry(398, path: file)])
    #expect(known[ids[397]]?.first?.faces == nil)
    #expect(known[ids[1]] == nil && known.count > 20)
  }

  @Test func `several writers lose no line`() throws {
    let space = try Workspace()
    let file = space.path + "/image.png"
    try Data([1]).write(to: URL(fileURLWithPath: file))
    let path = space.path
    let ids = (0..<8 * 40).compactMap { JobID(digest("\($0)")) }
    DispatchQueue.concurrentPerform(iterations: 8) { writer in
      // Each has its own open file, as processes have.
      let store = ImageStore(environment: ["XDG_CACHE_HOME": path + "/cache"])
      for number in 0..<40 {
        store.add([
          ImageStore.Entry(
            id: ids[writer * 40 + number], sha256: digest("a"), pixelsSHA256: digest("b"), faces: nil, path: file)
        ])
      }
    }
    #expect(Self.store(space).entries(of: Set(ids), outside: RunFolder("/none")).count == ids.count)
    #expect(space.lines(space.path + "/cache/sdbatch/images.tsv").count == ids.count)
  }

  @Test func `a run killed before any step on the disk leaves whole images and an untouched source`() async throws {
    let space = try Workspace()
    _ = try run(space, "one")
    let before = try snapshot(space.path + "/one")
    let counter = StepCounter()
    _ = try runFake(
      fakeJobs(Self.seeds), space.generator, in: RunFolder(space.path + "/count"), on: Disk { _ in counter.next() },
      store: Self.store(space))
    #expect(counter.count > 10)
    for step in 0..<counter.count {
      let name = "two\(step)"
      await #expect(processExitsWith: .signal(SIGKILL)) {
        [path = space.path as String, step = step as Int, name = name as String] in
        let counter = StepCounter()
        let disk = Disk { _ in if counter.next() == step { kill(getpid(), SIGKILL) } }
        try runFake(
          fakeJobs([11, 22, 33]), FakeGenerator(log: path + "/calls"), in: RunFolder(path + "/" + name), on: disk,
          store: ImageStore(environment: ["XDG_CACHE_HOME": path + "/cache"]))
      }
      #expect(try run(space, name).counts == RunCounts(done: 3))
      #expect(try Verification(RunFolder(space.path + "/" + name)).isClean, "killed before step \(step)")
      let names = try FileManager.default.contentsOfDirectory(atPath: space.path + "/\(name)/images")
      #expect(names.count == 3 && names.allSatisfy { !$0.hasPrefix(".") })
    }
    #expect(space.generator.calls == Self.seeds)
    #expect(try snapshot(space.path + "/one") == before)
  }

  @Test func `shards and runs at the same time take what is there`() throws {
    let space = try Workspace()
    _ = try run(space, "one")
    let path = space.path
    let made = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 4) { number in
      let store = ImageStore(environment: ["XDG_CACHE_HOME": path + "/cache"])
      let generator = FakeGenerator(log: path + "/calls-\(number)")
      let outcome =
        number < 2
        ? Shard(index: number, count: 2).flatMap {
          try? runFakeShard(
            $0, fakeJobs([11, 22, 33]), generator, in: RunFolder(path + "/shards"),
            store: store)
        }
        : try? runFake(fakeJobs([11, 22, 33]), generator, in: RunFolder(path + "/run\(number)"), store: store)
      made.add(outcome?.imagesMade ?? 100, ordering: .relaxed)
    }
    #expect(made.load(ordering: .relaxed) == 0)
  }

  @Test func `why and the store name the other folder`() throws {
    let space = try Workspace()
    _ = try run(space, "one")
    _ = try run(space, "two", [11], reuses: true)
    let list = try JobList(fakeJobs([11, 22])) { try space.generator.ingredients(for: $0) }
    let reasons = try JobReasons(
      RunFolder(space.path + "/two"), version: "1.2.3", store: Self.store(space)
    ).reasons(Array(list.identified))
    #expect(reasons.map(\.cause) == ["done", "elsewhere"])
    #expect(reasons[0].reason.contains("taken from \(space.path)/one/images/"))
    #expect(reasons[1].reason.contains("\(space.path)/one/images/"))
  }

  /// Names, bytes and times of all files of a folder.
  private func snapshot(_ path: String) throws -> [String: [String]] {
    var found: [String: [String]] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: path) {
      let file = path + "/" + name
      var status = stat()
      guard lstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
      found[name] = [
        digest(try Data(contentsOf: URL(fileURLWithPath: file))),
        "\(status.st_mtim.tv_sec) \(status.st_mtim.tv_nsec) \(status.st_ino)",
      ]
    }
    return found
  }
}
