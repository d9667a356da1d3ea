import Foundation
import Runs
import Settings
import Testing
import TestSupport

@testable import Delivery

/// Documents on their way to a real server.
@Suite struct DeliveryTests {
  @Test func `a document is posted as it is, with its size, its type and its id`() throws {
    let receiver = try Receiver()
    let fixture = try WebhookFixture()
    let delivery = try fixture.delivery()
    let text = #"{"id": "a", "images": "\#(String(repeating: "A/+=", count: 100_000))"}"#
    try delivery.announce(try fixture.document("a", text, to: receiver.url("/done?token=1#part")))
    delivery.finish { false }
    let request = try #require(receiver.requests.first)
    #expect(receiver.requests.count == 1 && request.line == "POST /done?token=1 HTTP/1.1")
    #expect(request.body == Data(text.utf8) && request.headers["content-length"] == "\(text.utf8.count)")
    #expect(request.headers["content-type"] == "application/json" && request.headers["transfer-encoding"] == nil)
    #expect(request.headers["x-sdbatch-id"] == "a" && request.headers["idempotency-key"] == "a-0")
    #expect(request.headers["x-sdbatch-signature"] == nil && request.headers["authorization"] == nil)
    #expect(fixture.events.lines == ["delivered a"])
    #expect(try fixture.waiting() == [])
  }

  @Test func `name and password in an address become a header`() throws {
    let receiver = try Receiver()
    let fixture = try WebhookFixture()
    let delivery = try fixture.delivery()
    try delivery.announce(
      try fixture.document("a", to: receiver.url().replacingOccurrences(of: "//", with: "//Aladdin:open%20sesame@")))
    delivery.finish { false }
    // The example of RFC 7617.
    #expect(receiver.requests.first?.headers["authorization"] == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
  }

  @Test func `a secret signs the body`() throws {
    let receiver = try Receiver()
    let fixture = try WebhookFixture()
    var options = WebhookFixture.options
    options.secret = Array("Jefe".utf8)
    let delivery = try fixture.delivery(options)
    try delivery.announce(try fixture.document("a", "what do ya want for nothing?", to: receiver.url()))
    delivery.finish { false }
    // Test case 2 of RFC 4231.
    #expect(
      receiver.requests.first?.headers["x-sdbatch-signature"]
        == "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
  }

  @Test func `what is not answered with 200 is posted three times, and by the next run again`() throws {
    let receiver = try Receiver { $0.number < 3 ? .status([201, 500, 404][$0.number]) : .status(200) }
    let fixture = try WebhookFixture()
    let first = try fixture.delivery()
    try first.announce(try fixture.document("a", to: receiver.url()))
    first.finish { false }
    #expect(
      fixture.events.lines == [
        "retried a: the answer was 201, expected 200", "retried a: the answer was 500, expected 200",
        "kept a: the answer was 404, expected 200", "waiting 1",
      ])
    #expect(receiver.requests.count == 3)
    #expect(try fixture.waiting() == ["a"])

    try fixture.delivery().finish { false }
    #expect(receiver.requests.count == 4 && receiver.accepted.count == 1)
    #expect(Set(receiver.requests.map { $0.headers["idempotency-key"] }) == ["a-0"])
    #expect(Set(receiver.requests.map(\.body)).count == 1)
    #expect(try fixture.waiting() == [])
  }

  @Test func `documents come in the order in which they were announced, for each address`() throws {
    // Every third request is refused.
    let receiver = try Receiver { $0.number % 3 == 0 ? .status(503) : .status(200) }
    let fixture = try WebhookFixture()
    var options = WebhookFixture.options
    options.attempts = 1000
    let delivery = try fixture.delivery(options)
    for number in 0..<20 {
      try delivery.announce(try fixture.document("first-\(number)", to: receiver.url("/first")))
      try delivery.announce(try fixture.document("second-\(number)", to: receiver.url("/second")))
    }
    delivery.finish { false }
    for path in ["first", "second"] {
      let ids = receiver.accepted.filter { $0.line.contains(path) }.compactMap(\.id)
      #expect(ids == (0..<20).map { "\(path)-\($0)" })
    }
    #expect(try fixture.waiting() == [])
  }

  @Test func `a document that is not taken holds up those behind it, also in the next run`() throws {
    let receiver = try Receiver { $0.number < 4 ? .status(500) : .status(200) }
    let fixture = try WebhookFixture()
    for id in ["a", "b", "c"] { _ = try Outbox(fixture.folder).add(try fixture.document(id, to: receiver.url())) }
    try fixture.delivery().finish { false }
    #expect(receiver.requests.compactMap(\.id) == ["a", "a", "a"])
    #expect(try fixture.waiting() == ["a", "b", "c"])
    try fixture.delivery().finish { false }
    #expect(receiver.accepted.compactMap(\.id) == ["a", "b", "c"])
  }

  @Test func `a document that is refused for what it is lets those behind it pass`() throws {
    let receiver = try Receiver { $0.id == "b" ? .status(413) : .status(200) }
    let fixture = try WebhookFixture()
    for id in ["a", "b", "c"] { _ = try Outbox(fixture.folder).add(try fixture.document(id, to: receiver.url())) }
    try fixture.delivery().finish { false }
    #expect(receiver.requests.compactMap(\.id) == ["a", "b", "b", "b", "c"])
    #expect(try fixture.waiting() == ["b"])
  }

  @Test func `where every document is refused for what it is, not all of them are tried`() throws {
    let receiver = try Receiver { _ in .status(400) }
    let fixture = try WebhookFixture()
    for id in 0..<20 { _ = try Outbox(fixture.folder).add(try fixture.document("\(id)", to: receiver.url())) }
    try fixture.delivery().finish { false }
    #expect(receiver.requests.count == 9)
    #expect(try fixture.waiting().count == 20)
  }

  @Test(arguments: [
    Receiver.Reply.hangUp, .bytes("what?\r\n"), .bytes("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
    .bytes("HTTP/1.1 200"), .bytes(""),
  ])
  func `an answer that breaks off does not count`(_ reply: Receiver.Reply) throws {
    // The second time after a complete answer.
    let receiver = try Receiver { $0.number % 2 == 0 ? reply : .status(200) }
    let fixture = try WebhookFixture()
    let delivery = try fixture.delivery()
    for id in ["a", "b"] { try delivery.announce(try fixture.document(id, to: receiver.url())) }
    delivery.finish { false }
    #expect(receiver.requests.compactMap(\.id) == ["a", "a", "b", "b"])
    let ends = fixture.events.lines.map { $0.split(separator: ":")[0] }
    #expect(ends == ["retried a", "delivered a", "retried b", "delivered b"], "\(fixture.events.lines)")
    #expect(!fixture.events.lines.contains { $0.contains("no answer after") }, "\(fixture.events.lines)")
    #expect(try fixture.waiting() == [])
  }

  @Test func `a slow answer counts, and an endless one`() throws {
    let endless = "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + String(repeating: "x", count: 4 << 20)
    let receiver = try Receiver { $0.id == "a" ? .slowly : .bytes(endless) }
    let fixture = try WebhookFixture()
    let delivery = try fixture.delivery()
    for id in ["a", "b"] { try delivery.announce(try fixture.document(id, to: receiver.url())) }
    delivery.finish { false }
    #expect(receiver.requests.compactMap(\.id) == ["a", "b"])
    #expect(try fixture.waiting() == [])
  }

  @Test func `a receiver that says nothing is given up after a while, at all of its addresses`() throws {
    let receiver = try Receiver { _ in .silence }
    let fixture = try WebhookFixture()
    for number in 0..<40 {
      _ = try Outbox(fixture.folder).add(try fixture.document("\(number)", to: receiver.url("/\(number)")))
    }
    var options = WebhookFixture.options
    options.timeout = .milliseconds(50)
    let delivery = try fixture.delivery(options)
    delivery.finish { false }
    #expect(fixture.events.lines.first?.hasSuffix("no answer after 0.05 s") == true, "\(fixture.events.lines)")
    // At first, four are tried at a time; then one for all of them.
    #expect(fixture.events.lines.count { $0.hasPrefix("kept ") } == 1 && receiver.requests.count <= 4 + 2)
    #expect(try fixture.waiting().count == 40)
  }

  @Test func `nobody waits for a receiver that is not there, and others get what is theirs`() throws {
    let (dead, alive) = (try Receiver(), try Receiver())
    dead.stop()
    let fixture = try WebhookFixture()
    var options = WebhookFixture.options
    // Attempts after the end of the test.
    options.interval = .seconds(86_400)
    let delivery = try fixture.delivery(options)
    for number in 0..<10 {
      try delivery.announce(try fixture.document("dead-\(number)", to: dead.url("/\(number)")))
      try delivery.announce(try fixture.document("alive-\(number)", to: alive.url()))
    }
    try fixture.events.wait(for: "delivered alive-9")
    delivery.finish { true }
    #expect(alive.accepted.compactMap(\.id) == (0..<10).map { "alive-\($0)" })
    #expect(try fixture.waiting() == (0..<10).map { "dead-\($0)" })
  }

  @Test func `a receiver that dies between two attempts and comes back gets its document`() throws {
    let receiver = try Receiver { $0.number == 0 ? .death : .status(200) }
    let fixture = try WebhookFixture()
    var options = WebhookFixture.options
    options.attempts = 1_000_000
    let delivery = try fixture.delivery(options)
    try delivery.announce(try fixture.document("a", to: receiver.url()))
    try fixture.events.wait(for: "retried a: no server answers there")
    try receiver.restart()
    delivery.finish { false }
    #expect(receiver.accepted.compactMap(\.id) == ["a"] && fixture.events.lines.last == "delivered a")
  }

  @Test(arguments: [301, 302, 303, 307, 308])
  func `documents do not go where a receiver sends them`(code: Int) throws {
    let other = try Receiver()
    let receiver = try Receiver { _ in .status(code, headers: ["Location": other.url()]) }
    let fixture = try WebhookFixture()
    let delivery = try fixture.delivery()
    try delivery.announce(try fixture.document("a", to: receiver.url()))
    delivery.finish { false }
    #expect(other.requests.isEmpty && receiver.requests.count == 3)
    #expect(
      fixture.events.lines.suffix(2)
        == ["kept a: the answer was \(code), a redirect, which is not followed", "waiting 1"])
    #expect(try fixture.waiting() == ["a"])
  }

  @Test(arguments: [0, 1, 2, 5, 20])
  func `a redirect may come at the very moment when nobody waits any more`(milliseconds: Int) throws {
    let receiver = try Receiver { _ in
      usleep(UInt32.random(in: 0...20_000))
      return .status(307, headers: ["Location": "/"], body: String(repeating: "x", count: 3000))
    }
    let fixture = try WebhookFixture()
    var options = WebhookFixture.options
    options.attempts = 20
    options.timeout = .milliseconds(milliseconds)
    let delivery = try fixture.delivery(options)
    for id in 0..<4 { try delivery.announce(try fixture.document("\(id)", to: receiver.url("/\(id)"))) }
    delivery.finish { false }
    #expect(try fixture.waiting().count == 4)
  }

  @Test func `a redirect that stays at the receiver and keeps the method is followed, but not on and on`() throws {
    let receiver = try Receiver { request in
      request.line.contains("/done")
        ? .status(307, headers: ["Location": "/there"])
        : request.line.contains("/there") ? .status(200) : .status(308, headers: ["Location": "/circle"])
    }
    let fixture = try WebhookFixture()
    let delivery = try fixture.delivery()
    try delivery.announce(try fixture.document("a", to: receiver.url()))
    try delivery.announce(try fixture.document("b", to: receiver.url("/circle")))
    delivery.finish { false }
    let there = try #require(receiver.accepted.first)
    #expect(receiver.accepted.count == 1 && there.line == "POST /there HTTP/1.1" && there.id == "a")
    #expect(try fixture.waiting() == ["b"] && receiver.requests.count == 2 + 3 * 4)
  }

  @Test func `a new document with the same id replaces one that was not delivered`() throws {
    let receiver = try Receiver { $0.number < 3 ? .status(500) : .status(200) }
    let fixture = try WebhookFixture()
    let first = try fixture.delivery()
    try first.announce(try fixture.document("a", to: receiver.url()))
    first.finish { false }
    let second = try fixture.delivery()
    try second.announce(try fixture.document("b", to: receiver.url("/other")))
    try second.announce(try fixture.document("a", version: 1, to: receiver.url()))
    second.finish { false }
    #expect(
      receiver.accepted.contains { $0.headers["idempotency-key"] == "a-1" && $0.body.contains(UInt8(ascii: "1")) })
    #expect(try fixture.waiting() == [])
  }

  @Test func `a document that was removed is not announced, and holds up nothing`() throws {
    let receiver = try Receiver()
    let fixture = try WebhookFixture()
    for id in ["a", "b"] { _ = try Outbox(fixture.folder).add(try fixture.document(id, to: receiver.url())) }
    try FileManager.default.removeItem(atPath: fixture.folder.responses + "/a.json")
    try fixture.delivery().finish { false }
    #expect(fixture.events.lines == ["dropped a: the document was removed", "delivered b"])
    #expect(try fixture.waiting() == [])
  }
}

/// Receivers that require a name and a password.
@Suite struct CredentialTests {
  @Test(
    arguments: ["", "user:p%40ss@"],
    [
      "401 No\r\nWWW-Authenticate: Basic realm=\"x\"", "401 No\r\nWWW-Authenticate: Digest realm=\"x\", nonce=\"y\"",
      "401 No\r\nWWW-Authenticate: Bearer",
      "401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nWWW-Authenticate: Negotiate",
      "401 No", "407 No\r\nProxy-Authenticate: Basic realm=\"x\"",
    ])
  func `the answer is reported at once`(_ user: String, _ head: String) throws {
    let receiver = try Receiver { _ in .bytes("HTTP/1.1 \(head)\r\nContent-Length: 0\r\n\r\n") }
    let fixture = try WebhookFixture()
    var options = WebhookFixture.options
    (options.attempts, options.timeout) = (1, .seconds(600))
    let delivery = try fixture.delivery(options)
    let url = receiver.url().replacingOccurrences(of: "//", with: "//\(user)")
    let start = ContinuousClock.now
    try delivery.announce(try fixture.document("a", to: url))
    delivery.finish { false }
    #expect(fixture.events.lines == ["kept a: the answer was \(head.prefix(3)), expected 200", "waiting 1"])
    #expect(start.duration(to: .now) < .seconds(300))
    #expect(try fixture.waiting() == ["a"])
  }
}
