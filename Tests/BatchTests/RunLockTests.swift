import Batch
import Foundation
import Testing

@Suite struct RunLockTests {
  @Test func `a folder that is held turns others away and names its holder`() throws {
    let space = try Workspace()
    var lock: RunLock? = try RunLock(space.folder)
    #expect(lock?.folder == space.folder)
    let holder = try #require(RunLock.holder(of: space.folder))
    #expect(holder.contains("pid \(getpid())"))
    let error = #expect(throws: BatchError.self) { try RunLock(space.folder) }
    #expect(error == .folderInUse(path: space.folder.path, owner: holder))
    #expect(error?.description.contains(holder) == true)
    lock = nil
    #expect(RunLock.holder(of: space.folder) == nil)
    _ = try RunLock(space.folder)
  }

  @Test func `a killed run leaves its folder free`() async throws {
    let space = try Workspace()
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = space.path as String] in
      let lock = try RunLock(RunFolder(path + "/run"))
      withExtendedLifetime(lock) { _ = kill(getpid(), SIGKILL) }
    }
    #expect(access(space.folder.lock, F_OK) == 0)
    #expect(RunLock.holder(of: space.folder) == nil)
    _ = try RunLock(space.folder)
  }

  @Test func `a patient run waits for the one before it`() async throws {
    let space = try Workspace()
    let lock = try RunLock(space.folder)
    let folder = space.folder
    let waiter = Task.detached { try RunLock(folder, patience: .seconds(300)).folder }
    try await Task.sleep(for: .milliseconds(400))
    withExtendedLifetime(lock) {}
    // Its last use was above, so the lock is given back here at the latest.
    _ = consume lock
    #expect(try await waiter.value == folder)
  }

  @Test func `looking whether a run goes on does not turn a run away`() async throws {
    let space = try Workspace()
    _ = try RunLock(space.folder)
    let folder = space.folder
    let looker = Task.detached { while !Task.isCancelled { _ = RunLock.holder(of: folder) } }
    for _ in 0..<200 { _ = try RunLock(folder) }
    looker.cancel()
  }
}
