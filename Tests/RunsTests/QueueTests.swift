import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Runs

/// The queue's files: order, changes from several places, and kills at every step.
@Suite struct QueueTests {
  private struct Killed: Error {}

  private final class Space {
    let folder: TemporaryFolder
    var path: String { folder.path }
    var queue: QueueFolder { QueueFolder(path: path + "/queue") }

    init() throws { folder = try TemporaryFolder() }

    /// The queue on a disk that ends the process before a step.
    func queue(endingBefore step: Int) -> QueueFolder { QueueFolder(path: path + "/queue", on: Self.disk(step)) }

    static func disk(_ step: Int) -> Disk {
      let counter = Mutex(0)
      return Disk { _ in
        let number = counter.withLock { count -> Int in
          count += 1
          return count
        }
        if number > step { throw Killed() }
      }
    }
  }

  private func names(_ queue: QueueFolder) throws -> [String] {
    try queue.entries().map { ($0.path as NSString).lastPathComponent }
  }

  @Test func `urgent entries come first, the others in their order, wherever they are moved`() throws {
    let space = try Space()
    let queue = space.queue
    for name in ["a", "b", "c"] { _ = try queue.add("/r/" + name, in: "/r") }
    let urgent = try queue.add("/r/u", in: "/r", arguments: ["--set", "steps=3"], priority: .urgent, until: 77)
    _ = try queue.add("/r/z", in: "/r", priority: .low)
    #expect(try names(queue) == ["u", "a", "b", "c", "z"])
    #expect(try queue.entry(4) == urgent)
    #expect(urgent.until == 77 && urgent.arguments == ["--set", "steps=3"])
    try queue.move(3, to: .first)
    #expect(try names(queue) == ["u", "c", "a", "b", "z"])
    try queue.move(3, to: .after(1))
    try queue.move(2, to: .before(3))
    #expect(try names(queue) == ["u", "a", "b", "c", "z"])
    try queue.move(1, to: .last)
    try queue.move(5, to: .before(4))
    #expect(try names(queue) == ["z", "u", "b", "c", "a"])
    try queue.change(5) { $0.priority = .low }
    #expect(throws: QueueError.noEntry(9)) { try queue.move(9, to: .first) }
    // Until there is no number between two neighbours, and longer.
    for _ in 0..<120 {
      let middle = try queue.entries()[2].id
      try queue.move(try queue.entries()[1].id, to: .after(middle))
    }
    #expect(try Set(names(queue)) == ["u", "a", "b", "c", "z"])
    let left = try names(queue)
    #expect(left.first == "u" && left.last == "z")
  }

  @Test func `what is over leaves the queue, and its number is not given again`() throws {
    let space = try Space()
    let queue = space.queue
    for name in ["a", "b"] { _ = try queue.add("/r/" + name, in: "/r") }
    #expect(try queue.finish(2, code: 3))
    for id in [2, 7] { #expect(try !queue.finish(id, code: 0)) }
    #expect(try names(queue) == ["a"])
    #expect(try queue.results().map(\.code) == [3])
    #expect(try queue.add("/r/c", in: "/r").id == 3)
    #expect(throws: QueueError.noEntry(2)) { try queue.change(2) { $0.isPaused = true } }
    for _ in 0..<(QueueFolder.resultLimit + 5) {
      try queue.finish(try queue.add("/r/d", in: "/r").id, code: 0)
    }
    #expect(try queue.results().count == QueueFolder.resultLimit)
    #expect(try queue.add("/r/e", in: "/r").id == QueueFolder.resultLimit + 9)
  }

  @Test func `a file that is not an entry is reported with its path`() throws {
    let space = try Space()
    _ = try space.queue.add("/r/a", in: "/r")
    let path = space.queue.entriesFolder + "/1.json"
    try Data("{}".utf8).write(to: URL(fileURLWithPath: path))
    #expect(throws: QueueError.damaged(path: path)) { try space.queue.entries() }
  }

  @Test func `one process runs the queue, and it says which entry`() throws {
    let space = try Space()
    let queue = space.queue
    #expect(queue.running == nil && queue.holder == nil)
    let lock = try queue.takeOver()
    try queue.note(running: 4)
    #expect(queue.running == 4 && queue.holder?.contains("pid \(getpid())") == true)
    #expect(throws: QueueError.self) { _ = try queue.takeOver() }
    withExtendedLifetime(lock) {}
  }

  @Test func `killed before any step, each change was made or not`() throws {
    let changes: [(String, (QueueFolder) throws -> Void, (QueueFolder) throws -> Bool)] = [
      ("add", { _ = try $0.add("/r/c", in: "/r") }, { try $0.entries().count == 3 }),
      ("move", { try $0.move(2, to: .first) }, { try $0.entries().map(\.id) == [2, 1] }),
      ("pause", { try $0.change(1) { $0.isPaused = true } }, { try $0.entry(1)?.isPaused == true }),
      ("finish", { try $0.finish(1, code: 0) }, { try $0.entries().map(\.id) == [2] }),
    ]
    for (name, change, isMade) in changes {
      var (step, isWhole) = (0, false)
      while !isWhole {
        let space = try Space()
        for name in ["a", "b"] { _ = try space.queue.add("/r/" + name, in: "/r") }
        isWhole = (try? change(space.queue(endingBefore: step))) != nil
        let queue = space.queue
        let entries = try queue.entries().map(\.id)
        let made = try isMade(queue)
        #expect(made || entries == [1, 2], "\(name), step \(step)")
        try queue.tidy()
        #expect(try queue.entries().map(\.id) == entries)
        #expect(try FileManager.default.contentsOfDirectory(atPath: queue.entriesFolder).count == entries.count)
        // The next time, it is created.
        if try !isMade(queue) { try change(queue) }
        #expect(try isMade(queue), "\(name), step \(step)")
        step += 1
      }
      #expect(step > 3, "\(name)")
    }
  }

  // MARK: The spool folder

  @Test func `files that are renamed into the spool folder become entries, urgent ones first`() throws {
    let space = try Space()
    let spool = QueueSpool(space.path + "/spool", into: space.queue)
    try spool.prepare(in: "/r")
    for name in ["b.yaml", ".hidden.yaml", "c.json", "note.txt", "urgent/a.yaml"] {
      try Data(name.utf8).write(to: URL(fileURLWithPath: space.path + "/spool/" + name))
      usleep(20_000)
    }
    #expect(try spool.take(in: "/r") == 3)
    #expect(try spool.take(in: "/r") == 0)
    #expect(try names(space.queue) == ["a.yaml", "b.yaml", "c.json"])
    #expect(try space.queue.entries().map(\.priority) == [.urgent, .normal, .normal])
    let entry = try space.queue.entries()[1]
    #expect(try String(contentsOfFile: entry.path, encoding: .utf8) == "b.yaml")
    #expect(entry.folder == "/r")
    try space.queue.finish(entry.id, code: 0)
    #expect(access(space.path + "/spool/done/b.yaml", F_OK) == 0 && access(entry.path, F_OK) != 0)
    try Data("second".utf8).write(to: URL(fileURLWithPath: space.path + "/spool/b.yaml"))
    #expect(try spool.take(in: "/r") == 1)
    let second = try #require(try space.queue.entries().last)
    try space.queue.finish(second.id, code: 0)
    #expect(access(space.path + "/spool/done/\(second.id)-b.yaml", F_OK) == 0)
    #expect(access(space.path + "/spool/note.txt", F_OK) == 0)
  }

  @Test func `killed before any step, a dropped file is waiting, an entry or done, and never two of them`() throws {
    var (step, isWhole) = (0, false)
    while !isWhole {
      let space = try Space()
      try QueueSpool(space.path + "/spool", into: space.queue).prepare(in: "/r")
      try Data("b".utf8).write(to: URL(fileURLWithPath: space.path + "/spool/b.yaml"))
      let disk = Space.disk(step)
      let queue = QueueFolder(path: space.path + "/queue", on: disk)
      do {
        _ = try QueueSpool(space.path + "/spool", into: queue, on: disk).take(in: "/r")
        if let entry = try queue.entries().first { try queue.finish(entry.id, code: 0) }
        isWhole = true
      } catch is Killed {}
      // The next process.
      let spool = QueueSpool(space.path + "/spool", into: space.queue)
      try space.queue.tidy()
      try spool.prepare(in: "/r")
      _ = try spool.take(in: "/r")
      let isDone = access(space.path + "/spool/done/b.yaml", F_OK) == 0
      #expect(try space.queue.entries().count == (isDone ? 0 : 1), "step \(step)")
      for entry in try space.queue.entries() { try space.queue.finish(entry.id, code: 0) }
      #expect(try space.queue.results().count == 1, "step \(step)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: space.path + "/spool/done") == ["b.yaml"])
      step += 1
    }
    #expect(step > 8)
  }
}
