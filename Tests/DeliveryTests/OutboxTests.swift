import Foundation
import Runs
import Settings
import Synchronization
import Testing
import TestSupport

@testable import Delivery

/// What survives the process.
@Suite struct OutboxTests {
  @Test func `announcements are there again in their order, for nobody else to read`() throws {
    let fixture = try WebhookFixture()
    let outbox = try Outbox(fixture.folder)
    for id in ["c", "a", "b"] { _ = try outbox.add(try fixture.document(id, to: "http://name:secret@host/x?y=z")) }
    let again = try Outbox(fixture.folder)
    #expect(again.inOrder == outbox.inOrder && again.inOrder.map(\.announcement.id) == ["c", "a", "b"])
    #expect(again.inOrder.first?.announcement.address.url == "http://name:secret@host/x?y=z")
    let attributes = try FileManager.default.attributesOfItem(atPath: fixture.folder.outbox)
    #expect(attributes[.posixPermissions] as? Int == 0o700)
    // What was removed does not come back, and later entries come last.
    try again.remove(try #require(again.inOrder.first))
    _ = try again.add(try fixture.document("c", to: "http://host/"))
    #expect(try fixture.waiting() == ["a", "b", "c"])
  }

  @Test func `there is one announcement of a document for each address`() throws {
    let fixture = try WebhookFixture()
    let outbox = try Outbox(fixture.folder)
    _ = try outbox.add(try fixture.document("a", to: "http://host/1"))
    _ = try outbox.add(try fixture.document("a", to: "http://host/2"))
    _ = try outbox.add(try fixture.document("b", to: "http://host/1"))
    _ = try outbox.add(try fixture.document("a", version: 1, to: "http://host/1"))
    let waiting = try Outbox(fixture.folder).inOrder.map(\.announcement)
    #expect(waiting.map(\.key) == ["a-0", "b-0", "a-1"])
  }

  @Test func `what is no announcement is left alone`() throws {
    let fixture = try WebhookFixture()
    let outbox = try Outbox(fixture.folder)
    let entry = try outbox.add(try fixture.document("a", to: "http://host/"))
    let path = fixture.folder.outbox + "/" + entry.file
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let damaged = [
      "", "{", "[]", "{}", text.replacingOccurrences(of: "responses/", with: ""),
      text.replacingOccurrences(of: "responses/a", with: "responses/../../a"),
      text.replacingOccurrences(of: "http://host/", with: "file:///etc/passwd"),
    ]
    for (number, text) in damaged.enumerated() {
      try Data(text.utf8).write(to: URL(fileURLWithPath: fixture.folder.outbox + "/\(number)-x.json"))
    }
    try Data().write(to: URL(fileURLWithPath: fixture.folder.outbox + "/README"))
    #expect(try fixture.waiting() == ["a"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.folder.outbox).count == damaged.count + 2)
  }

  @Test(arguments: ["", "{\"id\":", "[]", "flipped"])
  func `a damaged announcement is not made, and gone once its document is announced again`(damage: String) throws {
    let fixture = try WebhookFixture()
    let outbox = try Outbox(fixture.folder)
    let entry = try outbox.add(try fixture.document("a-1", to: "http://host/"))
    _ = try outbox.add(try fixture.document("b", to: "http://host/"))
    let path = fixture.folder.outbox + "/" + entry.file
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let flipped = text.replacingOccurrences(of: "http://host/", with: "http://hosu/")
    #expect(flipped != text)
    try Data((damage == "flipped" ? flipped : damage).utf8).write(to: URL(fileURLWithPath: path))
    let again = try Outbox(fixture.folder)
    #expect(again.inOrder.map(\.announcement.id) == ["b"] && again.lost == ["a-1"])
    #expect(
      ResponseExamination.findings(in: fixture.folder).filter { $0.kind == .announcement }.map(\.file) == [
        "outbox/\(entry.file)"
      ])
    _ = try again.add(try fixture.document("a-1", to: "http://host/"))
    #expect(try fixture.waiting() == ["b", "a-1"] && Outbox(fixture.folder).lost == [])
    #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.folder.outbox).count == 2)
    // An earlier version's has no check.
    let old = try Outbox(fixture.folder).inOrder[1]
    let file = fixture.folder.outbox + "/" + old.file
    let unchecked = try String(contentsOfFile: file, encoding: .utf8)
      .replacing(/,"check":"[0-9a-f]{16}"/, with: "")
    try Data(unchecked.utf8).write(to: URL(fileURLWithPath: file))
    #expect(try !unchecked.contains("check") && fixture.waiting() == ["b", "a-1"])
  }

  @Test func `a full disk is reported, and nothing that was announced is lost`() throws {
    let fixture = try WebhookFixture()
    let receiver = try Receiver { _ in .status(500) }
    let count = Mutex(0)
    let delivery = try fixture.delivery(
      on: Disk { step in
        let isLate = count.withLock { count in
          count += 1
          return count > 12
        }
        if isLate { throw RunError.notWritten(path: step.path, action: step.action, code: ENOSPC) }
      })
    try delivery.announce(try fixture.document("a", to: receiver.url()))
    #expect(throws: RunError.self) {
      for number in 0..<3 { try delivery.announce(try fixture.document("\(number)", to: receiver.url())) }
    }
    delivery.finish { true }
    #expect(try fixture.waiting().contains("a"))
  }

  @Test(arguments: 0..<30)
  func `a process killed at any step loses no announcement, and makes none that is torn`(step: Int) async throws {
    let receiver = try Receiver { $0.number == 1 ? .status(500) : .status(200) }
    let fixture = try WebhookFixture()
    let (path, url) = (fixture.folder.path, receiver.url())
    await #expect(processExitsWith: .signal(SIGKILL)) {
      [path = path as String, url = url as String, step = step as Int] in
      let count = Mutex(0)
      let disk = Disk { _ in
        let number = count.withLock { count in
          count += 1
          return count - 1
        }
        if number == step { kill(getpid(), SIGKILL) }
      }
      let folder = RunFolder(path)
      var options = WebhookOptions()
      options.interval = .zero
      let delivery = WebhookDelivery(try Outbox(folder, on: disk), options: options) { _ in }
      for number in 0..<3 {
        try delivery.announce(try WebhookFixture.document("\(number)", to: url, in: folder))
        // The caller continues as if the announcement were safe.
        try Data().write(to: URL(fileURLWithPath: "\(path)/announced-\(number)"))
      }
      delivery.finish { false }
      kill(getpid(), SIGKILL)
    }
    try fixture.delivery().finish { false }
    for number in 0..<3 where FileManager.default.fileExists(atPath: "\(path)/announced-\(number)") {
      #expect(receiver.accepted.contains { $0.id == "\(number)" }, "document \(number), killed at step \(step)")
    }
    // For each, its first announcement is in order.
    var seen: [String] = []
    for id in receiver.accepted.compactMap(\.id) where !seen.contains(id) { seen.append(id) }
    #expect(seen == seen.sorted() && receiver.requests.allSatisfy { $0.id != nil })
    #expect(try fixture.waiting() == [])
    #expect((try? FileManager.default.contentsOfDirectory(atPath: path + "/outbox")) ?? [] == [])
  }

  @Test func `the environment says how announcements are made`() throws {
    let usual = try WebhookOptions(environment: ["SDBATCH_WEBHOOK_SECRET": ""], version: "1.2.3")
    #expect(usual.attempts == 3 && usual.interval == .seconds(10) && usual.timeout == .seconds(30))
    #expect(usual.secret == nil && usual.userAgent == "sdbatch/1.2.3")
    let options = try WebhookOptions(
      environment: [
        "SDBATCH_WEBHOOK_ATTEMPTS": "5", "SDBATCH_WEBHOOK_INTERVAL": "0.5", "SDBATCH_WEBHOOK_TIMEOUT": "90",
        "SDBATCH_WEBHOOK_SECRET": "é",
      ], version: "1")
    #expect(options.attempts == 5 && options.interval == .milliseconds(500) && options.timeout == .seconds(90))
    #expect(options.secret == [0xC3, 0xA9])
  }

  @Test(arguments: [
    ("SDBATCH_WEBHOOK_ATTEMPTS", "0", "a number from 1 to 1000"),
    ("SDBATCH_WEBHOOK_ATTEMPTS", "3.0", "a number from 1 to 1000"),
    ("SDBATCH_WEBHOOK_INTERVAL", "10s", "seconds from 0 to 86400"),
    ("SDBATCH_WEBHOOK_TIMEOUT", "nan", "seconds from 0 to 86400"),
    ("SDBATCH_WEBHOOK_TIMEOUT", "-1", "seconds from 0 to 86400"),
  ])
  func `a wrong environment is reported`(name: String, value: String, expected: String) {
    let error = #expect(throws: WebhookOptionError.self) {
      try WebhookOptions(environment: [name: value], version: "1")
    }
    #expect(error?.description == "\(name): found \"\(value)\", expected \(expected)")
  }
}

/// Outboxes that other programs have changed.
@Suite struct ForeignOutboxTests {
  @Test(arguments: ["9223372036854775807", "9223372036854775806", "999999999999", "99999999999999999999"])
  func `a number that is too large ends nothing, and later announcements have names of their own`(_ number: String)
    throws
  {
    let fixture = try WebhookFixture()
    let first = try Outbox(fixture.folder)
    let entry = try first.add(try fixture.document("a", to: "http://host/"))
    let folder = fixture.folder.outbox
    try FileManager.default.moveItem(atPath: "\(folder)/\(entry.file)", toPath: "\(folder)/\(number)-a.json")
    let outbox = try Outbox(fixture.folder)
    for id in ["b", "c", "b"] { _ = try outbox.add(try fixture.document(id, to: "http://host/")) }
    #expect(Set(try fixture.waiting()) == ["a", "b", "c"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 3)
  }

  @Test func `a document that cannot be read stays, and those behind it are delivered`() throws {
    let receiver = try Receiver()
    let fixture = try WebhookFixture()
    for id in ["a", "b"] { _ = try Outbox(fixture.folder).add(try fixture.document(id, to: receiver.url())) }
    // Also for a user who may read every file.
    unlink(fixture.folder.responses + "/a.json")
    mkdir(fixture.folder.responses + "/a.json", 0o755)
    try fixture.delivery().finish { false }
    #expect(receiver.accepted.compactMap(\.id) == ["b"])
    #expect(try fixture.waiting() == ["a"])
    #expect(
      fixture.events.lines.contains { $0.hasPrefix("kept a: the document cannot be read") }, "\(fixture.events.lines)")
  }
}
