import Foundation
import Runs
import Testing

@Suite struct RunLockTests {
  @Test func `a folder that is held turns others away and names its holder`() throws {
    let space = try Workspace()
    var lock: RunLock? = try RunLock(space.folder)
    #expect(lock?.folder == space.folder)
    let holder = try #require(RunLock.holder(of: space.folder))
    #expect(holder.contains("pid \(getpid())"))
    let error = #expect(throws: RunError.self) { try RunLock(space.folder) }
    #expect(error == .folderInUse(path: space.folder.path, owner: holder))
    #expect(error?.description.contains(holder) == true)
    lock = nil
    #expect(RunLock.holder(of: space.folder) == nil)
    _ = try RunLock(space.folder, patience: .seconds(1200))
  }

  @Test func `a killed run leaves its folder free`() async throws {
    let space = try Workspace()
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = space.path as String] in
      let lock = try RunLock(RunFolder(path + "/run"))
      withExtendedLifetime(lock) { _ = kill(getpid(), SIGKILL) }
    }
    #expect(access(space.folder.lock, F_OK) == 0)
    #expect(RunLock.holder(of: space.folder) == nil)
    _ = try RunLock(space.folder, patience: .seconds(1200))
  }

  @Test func `a patient run waits for the one before it`() async throws {
    let space = try Workspace()
    let lock = try RunLock(space.folder)
    let folder = space.folder
    let waiter = Task.detached { try RunLock(folder, patience: .seconds(1200)).folder }
    try await Task.sleep(for: .milliseconds(400))
    withExtendedLifetime(lock) {}
    // Its last use was above, so the lock is released here at the latest.
    _ = consume lock
    #expect(try await waiter.value == folder)
  }

  @Test func `a patient run reports whom it waits for, and can be stopped`() throws {
    let space = try Workspace()
    let lock = try RunLock(space.folder)
    var owners: [String] = []
    let error = #expect(throws: StopRequested.self) {
      try RunLock(
        space.folder, patience: .seconds(3000), stopRequest: { owners.isEmpty ? nil : .maxTime },
        isWaiting: { owners.append($0) })
    }
    #expect(error == StopRequested(.maxTime))
    #expect(owners == [try #require(RunLock.holder(of: space.folder))])
    withExtendedLifetime(lock) {}
  }

  @Test(arguments: ["host here, pid 1, started 2026-01-01T00:00:00.000Z\n", "", "\u{0}\u{0}garbage"])
  func `what is written in a lock that nobody holds is no owner`(text: String) throws {
    // As a reboot, a power cut or a copy of the folder leaves it; process 1 always exists.
    let space = try Workspace()
    _ = try RunLock(space.folder, patience: .seconds(1200))
    try Data(text.utf8).write(to: URL(fileURLWithPath: space.folder.lock))
    #expect(RunLock.holder(of: space.folder) == nil)
    let lock = try RunLock(space.folder)
    #expect(RunLock.holder(of: space.folder)?.contains("pid \(getpid())") == true)
    // A copy of a folder that is in use is free.
    try FileManager.default.copyItem(atPath: space.folder.path, toPath: space.path + "/copy")
    #expect(RunLock.holder(of: RunFolder(space.path + "/copy")) == nil)
    _ = try RunLock(RunFolder(space.path + "/copy"), patience: .seconds(1200))
    withExtendedLifetime(lock) {}
  }

  @Test(arguments: [false, true])
  func `a folder that is removed during a run, or replaced by another run's, is left alone`(isReplaced: Bool) throws {
    let space = try Workspace()
    var others: [RunLock] = []
    let error = #expect(throws: RunError.self) {
      try space.run(fakeJobs([1, 2])) {
        nil
      } observe: { event in
        guard case .imageDone = event else { return }
        try? FileManager.default.removeItem(atPath: space.folder.path)
        if isReplaced, let other = try? RunLock(space.folder) { others.append(other) }
      }
    }
    #expect(error == .folderLost(path: space.folder.path))
    #expect(space.generator.calls == [1])
    let names = try? FileManager.default.contentsOfDirectory(atPath: space.folder.path)
    #expect(names == (isReplaced ? ["run.lock"] : nil))
    #expect(others.count == (isReplaced ? 1 : 0))
    others = []
    #expect(try space.run(fakeJobs([1, 2])).counts == RunCounts(done: 2))
  }

  @Test func `a look whether a run is going on does not turn a run away`() async throws {
    let space = try Workspace()
    _ = try RunLock(space.folder, patience: .seconds(1200))
    let folder = space.folder
    let looker = Task.detached { while !Task.isCancelled { _ = RunLock.holder(of: folder) } }
    for _ in 0..<200 { _ = try RunLock(folder, patience: .seconds(1200)) }
    looker.cancel()
  }
}
