import Foundation
import Runs
import Settings
import Synchronization
import Testing

@Suite struct DiskTests {
  @Test func `every image is durable before its journal line, and that before the next image`() throws {
    let space = try Workspace()
    let steps = Mutex<[Disk.Step]>([])
    try space.run(fakeJobs([1, 2]), on: Disk { step in steps.withLock { $0.append(step) } })
    let taken = steps.withLock { $0 }
    let names = try space.images().keys.sorted()
    let first = try #require(taken.firstIndex { $0.path.hasPrefix(space.folder.checkpoints + "/.") })
    var checkpoints: [String: String] = [:]
    for job in try space.manifestJobs() {
      let file = try #require(job["file"] as? String)
      let id = try #require(job["id"] as? String)
      checkpoints[String(file.dropFirst("images/".count))] = id + ".checkpoint"
    }
    let expected = names.flatMap { name in
      // The finished latent, the image, its line; the latent is removed only after that.
      let latent = checkpoints[name] ?? ""
      return [
        "create checkpoints/.\(latent).\(getpid()).tmp", "write to checkpoints/.\(latent).\(getpid()).tmp",
        "flush to disk checkpoints/.\(latent).\(getpid()).tmp",
        "finish writing checkpoints/.\(latent).\(getpid()).tmp", "rename the finished file to checkpoints/\(latent)",
        "flush to disk the folder checkpoints", "create images/.\(name).\(getpid()).tmp",
        "write to images/.\(name).\(getpid()).tmp", "flush to disk images/.\(name).\(getpid()).tmp",
        "finish writing images/.\(name).\(getpid()).tmp", "rename the finished file to images/\(name)",
        "flush to disk the folder images", "write to journal.jsonl", "flush to disk journal.jsonl",
        "remove checkpoints/\(latent)", "write to trace.tsv",
      ]
    }
    let found = taken[first...].prefix(expected.count).map { step in
      "\(step.action.rawValue) \(step.path.replacingOccurrences(of: space.folder.path + "/", with: ""))"
    }
    #expect(found == expected)
    // The plan is frozen, and durable, before the first image.
    let plan = try #require(taken.firstIndex { $0.action == .rename && $0.path == space.folder.plan })
    #expect(plan < first)
  }

  @Test(arguments: [true, false])
  func `a disk that fills up at any step ends the run with its name and costs nothing`(staysFull: Bool) throws {
    let whole = try Workspace()
    try whole.run(fakeJobs([1, 2]))
    let counter = StepCounter()
    try Workspace().run(fakeJobs([1, 2]), on: Disk { _ in counter.next() })
    for full in 0..<counter.count {
      let space = try Workspace()
      let steps = StepCounter()
      let disk = Disk { step in
        let number = steps.next()
        if staysFull ? number >= full : number == full {
          throw RunError.notWritten(path: step.path, action: step.action, code: ENOSPC)
        }
      }
      let error = #expect(throws: RunError.self) { try space.run(fakeJobs([1, 2]), on: disk) }
      guard case .notWritten(_, _, ENOSPC) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
      #expect(error?.description.hasSuffix("No space left on device") == true)
      let published = (try? space.images().filter { !$0.key.hasPrefix(".") }) ?? [:]
      #expect(try space.run(fakeJobs([1, 2])).imagesMade == 2 - published.count)
      #expect(try space.images() == whole.images())
      #expect(try published.allSatisfy { try whole.images()[$0.key] == $0.value })
    }
  }

  @Test func `a file that the system cuts short never gets its final name`() async throws {
    let space = try Workspace()
    let jobs = fakeJobs([1, 2]) { ($0.width, $0.height) = (64, 64) }
    await #expect(processExitsWith: .exitCode(74)) { [path = space.path as String] in
      signal(SIGXFSZ, SIG_IGN)
      // The plan is smaller than this, an image of noise is not.
      var limit = rlimit(rlim_cur: 8192, rlim_max: 8192)
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      do {
        let jobs = fakeJobs([1, 2]) { ($0.width, $0.height) = (64, 64) }
        try runFake(jobs, FakeGenerator(log: path + "/calls"), in: RunFolder(path + "/run"))
      } catch RunError.notWritten(let file, .write, EFBIG) where file.contains("/images/.00000-1-") {
        exit(74)
      }
    }
    #expect(try space.images().isEmpty)
    #expect(space.lines(space.folder.journal).isEmpty)
    #expect(try space.run(jobs).imagesMade == 2)
  }

  @Test func `a folder that cannot be made is named with the reason`() throws {
    let space = try Workspace()
    let file = space.path + "/file"
    try Data().write(to: URL(fileURLWithPath: file))
    let error = #expect(throws: RunError.self) { try RunLock(RunFolder(file + "/run")) }
    #expect(error?.description.contains(file) == true)
    #expect(error?.description.hasSuffix("Not a directory") == true)
    #expect(throws: RunError.self) { try RunLock(RunFolder("/proc/none/run")) }
  }

  @Test func `drawn seeds are kept as they are, and damage to them is named`() throws {
    let space = try Workspace()
    let seeds: [String: [Int64]] = ["seed": [4_000_000_000, 7], "grid": []]
    #expect(try SeedFile.read([String: [Int64]].self, from: space.folder) == nil)
    try SeedFile.write(seeds, to: space.folder)
    #expect(try SeedFile.read([String: [Int64]].self, from: space.folder) == seeds)
    let steps = StepCounter()
    try SeedFile.write(
      seeds, to: space.folder, on: Disk { step in if step.action == .rename { steps.next() } })
    #expect(steps.count == 0)
    try Data("[".utf8).write(to: URL(fileURLWithPath: space.folder.seeds))
    let error = #expect(throws: RunError.self) {
      try SeedFile.read([String: [Int64]].self, from: space.folder)
    }
    #expect(error?.description.hasPrefix(space.folder.seeds + " is damaged") == true)
  }
}
