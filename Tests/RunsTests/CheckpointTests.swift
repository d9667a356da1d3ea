import Foundation
import Settings
import Synchronization
import Testing

@testable import Runs

/// Images that are stopped or killed before they are finished, and continue from there.
@Suite struct CheckpointTests {
  static let seeds: [Int64] = [11, 22]

  private func names(_ space: Workspace) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: space.folder.checkpoints).sorted()
  }

  // MARK: Stopping and killing

  @Test(arguments: 0..<16)
  func `a run that is asked to stop repeats no step, whenever it is asked`(asks: Int) throws {
    let whole = try Workspace()
    try whole.run(fakeJobs(Self.seeds))
    let space = try Workspace()
    var left = asks
    try space.run(
      fakeJobs(Self.seeds),
      stopRequest: {
        left -= 1
        return left < 0 ? .signal(SIGUSR1) : nil
      })
    var resumed: [Int] = []
    try space.run(fakeJobs(Self.seeds)) {
      nil
    } observe: { event in
      if case .resumed(_, let step) = event { resumed.append(step) }
    }
    #expect(space.generator.steps == [11, 11, 11, 22, 22, 22])
    #expect(try space.images() == whole.images())
    // Asked at stage 4, 5, 6 of an image: after its first, second and third step; at stage 7: before it is decoded.
    let step = [4: 1, 5: 2, 6: 3, 7: 3][asks % 8]
    #expect(resumed == (step.map { [$0] } ?? []))
    #expect(try names(space).isEmpty)
  }

  @Test func `a run stopped again and again after every step gets done, each step once`() throws {
    let whole = try Workspace()
    try whole.run(fakeJobs(Self.seeds))
    let space = try Workspace()
    var runs = 0
    while true {
      runs += 1
      var isStepTaken = false
      let before = space.generator.steps.count
      let outcome = try space.run(
        fakeJobs(Self.seeds),
        stopRequest: {
          isStepTaken = isStepTaken || space.generator.steps.count > before
          return isStepTaken ? .maxTime : nil
        })
      if outcome.stop == nil { break }
      try #require(runs < 20)
    }
    #expect(runs == 7)
    #expect(space.generator.steps == [11, 11, 11, 22, 22, 22])
    #expect(try space.images() == whole.images())
  }

  @Test(arguments: 0..<14)
  func `a run killed inside an image with a checkpoint after every step repeats one step at most`(
    stage: Int
  ) async throws {
    let whole = try Workspace()
    try whole.run(fakeJobs(Self.seeds))
    let space = try Workspace()
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = space.path as String, stage = stage as Int] in
      let counter = StepCounter()
      var generator = FakeGenerator(log: path + "/calls")
      generator.onProgress = { _ in if counter.next() == stage { kill(getpid(), SIGKILL) } }
      try runFake(fakeJobs(CheckpointTests.seeds), generator, in: RunFolder(path + "/run"), every: .zero)
    }
    try space.run(fakeJobs(Self.seeds), every: .zero)
    // Killed before the checkpoint of the step just taken, but after that of the one before.
    #expect(space.generator.steps.count == ([3, 4, 5].contains(stage % 7) ? 7 : 6))
    #expect(try space.images() == whole.images())
  }

  @Test func `a finished latent is never sampled again`() async throws {
    let whole = try Workspace()
    try whole.run(fakeJobs(Self.seeds))
    let space = try Workspace()
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = space.path as String] in
      let disk = Disk { step in if step.action == .create, step.path.contains("/images/") { kill(getpid(), SIGKILL) } }
      try runFake(
        fakeJobs(CheckpointTests.seeds), FakeGenerator(log: path + "/calls"), in: RunFolder(path + "/run"), on: disk)
    }
    #expect(try names(space).count == 1)
    try space.run(fakeJobs(Self.seeds))
    #expect(space.generator.steps == [11, 11, 11, 22, 22, 22])
    #expect(try space.images() == whole.images())
  }

  // MARK: When they are written

  @Test(arguments: [(Duration.zero, 3), (.seconds(30), 1), (.seconds(3000), 1)])
  func `checkpoints are written as often as asked, and of every finished latent`(interval: Duration, count: Int) throws
  {
    let space = try Workspace()
    let steps = Mutex<[Disk.Step]>([])
    try space.run(fakeJobs([1]), on: Disk { step in steps.withLock { $0.append(step) } }, every: interval)
    let written = steps.withLock { $0 }.filter { $0.action == .rename && $0.path.hasPrefix(space.folder.checkpoints) }
    #expect(written.count == count)
  }

  @Test func `a checkpoint is binary, small, and identifies its job`() throws {
    let space = try Workspace()
    try stop(space, after: 2)
    let name = try #require(try names(space).first)
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: space.folder.checkpoints + "/" + name)))
    let id = try #require(JobID(name.dropLast(".checkpoint".count)))
    let checkpoint = try Checkpoint(bytes, of: id, numerics: 1)
    #expect(checkpoint.step == 2)
    #expect(checkpoint.state.count == 33)
    #expect(bytes.count == 33 + 100)
    #expect(checkpoint.bytes == bytes)
  }

  @Test func `the time that earlier runs spent on an image counts`() throws {
    let space = try Workspace()
    try stop(space, after: 2)
    let name = try #require(try names(space).first)
    let path = space.folder.checkpoints + "/" + name
    let id = try #require(JobID(name.dropLast(".checkpoint".count)))
    var checkpoint = try Checkpoint(Array(try Data(contentsOf: URL(fileURLWithPath: path))), of: id, numerics: 1)
    checkpoint.seconds = 1000
    try Data(checkpoint.bytes).write(to: URL(fileURLWithPath: path))
    try space.run(fakeJobs([7]))
    let seconds = try #require(try space.manifestJobs()[0]["seconds"] as? Double)
    #expect(seconds >= 1000 && seconds < 1300)
  }

  // MARK: When they are removed

  @Test func `checkpoints of images that are done or no longer asked for are removed, other files are left`() throws {
    let space = try Workspace()
    try stop(space, after: 2)
    let name = try #require(try names(space).first)
    let path = space.folder.checkpoints + "/"
    for other in [".\(name).99.tmp", "notes.txt", "x.checkpoint", ".hidden"] {
      try Data("x".utf8).write(to: URL(fileURLWithPath: path + other))
    }
    let kept = try Data(contentsOf: URL(fileURLWithPath: path + name))
    // Another plan, which has no work left.
    try space.run(fakeJobs([8]))
    #expect(try names(space) == [".hidden", "notes.txt", "x.checkpoint"])
    // A copy of an old folder may have it: the checkpoint of an image that is done.
    try space.run(fakeJobs([7]))
    try kept.write(to: URL(fileURLWithPath: path + name))
    try space.run(fakeJobs([7]))
    #expect(try names(space) == [".hidden", "notes.txt", "x.checkpoint"])
  }

  @Test func `a job that fails keeps no checkpoint`() throws {
    let space = try Workspace()
    var generator = space.generator
    generator.failingSeeds = [7]
    try space.run(fakeJobs([7]), generator, every: .zero)
    #expect(try names(space).isEmpty)
    try space.run(fakeJobs([7]))
    #expect(space.generator.steps.count == 6)
  }

  // MARK: Checkpoints that cannot be used

  enum Fault: CaseIterable {
    case emptied, cut, longer, altered, ofAnotherJob, ofAnotherEngine, refused, unreadable, aFolder
  }

  @Test(arguments: Fault.allCases)
  func `a checkpoint that does not match is ignored with a reason, and the image is the same`(fault: Fault) throws {
    let whole = try Workspace()
    try whole.run(fakeJobs([7]))
    let space = try Workspace()
    try stop(space, after: 2)
    let name = try #require(try names(space).first)
    let url = URL(fileURLWithPath: space.folder.checkpoints + "/" + name)
    let bytes = Array(try Data(contentsOf: url))
    var generator = space.generator
    switch fault {
    case .emptied: try Data().write(to: url)
    case .cut: try Data(bytes.dropLast(40)).write(to: url)
    case .longer: try Data(bytes + [0]).write(to: url)
    case .altered:
      var altered = bytes
      altered[altered.count / 2] ^= 4
      try Data(altered).write(to: url)
    case .ofAnotherJob:
      let id = try #require(JobID(name.dropLast(".checkpoint".count)))
      var other = try Checkpoint(bytes, of: id, numerics: 1)
      other.id = try #require(JobID(String(repeating: "ab", count: 32)))
      try Data(other.bytes).write(to: url)
    case .ofAnotherEngine: generator.numerics = 2
    case .refused: generator.refusesStates = true
    case .unreadable:
      unlink(url.path)
      symlink(url.path, url.path)
    case .aFolder:
      unlink(url.path)
      mkdir(url.path, 0o777)
    }
    var reasons: [String] = []
    func run() throws {
      try space.run(fakeJobs([7]), generator) {
        nil
      } observe: { event in
        if case .checkpointIgnored(_, let reason) = event { reasons.append(reason) }
      }
    }
    if fault == .aFolder {
      // Not the run's file, so it is not removed: the run ends with an error.
      #expect(throws: RunError.self) { try run() }
      rmdir(url.path)
      try run()
    } else {
      try run()
    }
    #expect(reasons.count == 1)
    #expect(space.generator.steps.count == 5)
    #expect(try space.images() == whole.images())
    #expect(try names(space).isEmpty)
  }

  @Test func `a checkpoint with any one bit changed is not taken`() throws {
    let id = try #require(JobID(String(repeating: "0f", count: 32)))
    let bytes = Checkpoint(id: id, numerics: 3, step: 5, seconds: 1.5, state: Array(0..<40)).bytes
    #expect(try Checkpoint(bytes, of: id, numerics: 3).bytes == bytes)
    for bit in 0..<(bytes.count * 8) {
      var damaged = bytes
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(throws: Checkpoint.Fault.self) { try Checkpoint(damaged, of: id, numerics: 3) }
    }
    for count in 0..<bytes.count {
      #expect(throws: Checkpoint.Fault.self) { try Checkpoint(Array(bytes.prefix(count)), of: id, numerics: 3) }
    }
  }

  /// Stops a run of one job after this many steps.
  private func stop(_ space: Workspace, after steps: Int) throws {
    try space.run(
      fakeJobs([7]), stopRequest: { space.generator.steps.count >= steps ? .signal(SIGTERM) : nil })
    #expect(space.generator.steps.count == steps)
  }
}
