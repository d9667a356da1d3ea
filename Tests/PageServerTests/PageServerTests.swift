import Foundation
import PageServer
import Synchronization
import Testing

/// The server against requests that no page of its own sends, over a socket.
@Suite struct PageServerTests {
  /// A running server that notes the requests its handler is given, and answers them with their path.
  final class Served: Sendable {
    let server: PageServer
    private let seen: Seen
    private let task: Task<Void, any Error>

    private final class Seen: Sendable {
      let requests = Mutex<[PageRequest]>([])
    }

    init(_ answer: (@Sendable (PageRequest) -> PageAnswer)? = nil) throws {
      let seen = Seen()
      let server = try PageServer { request in
        seen.requests.withLock { $0.append(request) }
        return answer?(request) ?? .json(request.path.joined(separator: "|"))
      }
      (self.seen, self.server) = (seen, server)
      task = Task { try await server.run() }
    }

    deinit { task.cancel() }

    var requests: [PageRequest] { seen.requests.withLock { $0 } }
    var root: String { "/" + server.token }
    var host: String { "Host: 127.0.0.1:\(server.port)" }

    func end() async -> Result<Void, any Error> {
      task.cancel()
      return await task.result
    }

    func answer(_ line: String, _ headers: [String]? = nil, body: [UInt8]? = nil) async throws -> RawAnswer {
      let (headers, port) = (headers ?? [host], server.port)
      return try await blocking { try RawAnswer(line, headers: headers, body: body, port: port) }
    }
  }

  @Test func `requests of its own pages are answered, with their parts decoded`() async throws {
    let served = try Served()
    let get = try await served.answer("GET \(served.root)/a%20b/%C3%A4?x=%26")
    #expect(get.status == 200 && get.body == "a b|ä")
    #expect(get.head.contains("X-Content-Type-Options: nosniff") && get.head.contains("Cache-Control: no-store"))
    #expect(try await served.answer("HEAD \(served.root)/a").body.isEmpty)
    let post = try await served.answer(
      "POST \(served.root)/picks",
      [
        "Host: localhost:\(served.server.port)", "Content-Type: application/json",
        "Origin: http://127.0.0.1:\(served.server.port)", "Sec-Fetch-Site: same-origin",
      ], body: Array("{}".utf8))
    #expect(post.status == 200)
    #expect(served.requests.map(\.isPost) == [false, false, true])
    #expect(served.requests[0].query == "x=%26" && served.requests[2].body == Array("{}".utf8))
  }

  @Test(arguments: [
    "", "/", "/favicon.ico", "/0123456789abcdef0123456789abcdef/", "ROOT0/a", "ROOT/../a", "ROOT/%2e%2e/a", "ROOT/./a",
    "ROOT/a%2fb", "ROOT/a%5cb", "ROOT/a%00b", "ROOT/%ff", "ROOT/%zz", "http://127.0.0.1/ROOT/a", "x/ROOT/a", "*",
  ])
  func `paths without the secret, and names that are not plain, are refused`(path: String) async throws {
    let served = try Served()
    let answer = try await served.answer("GET " + path.replacing("ROOT", with: served.root))
    #expect((400..<500).contains(answer.status), "\(answer.head)")
    #expect(served.requests.isEmpty)
  }

  @Test(arguments: [
    [], ["Host: example.org"], ["Host: 127.0.0.1"], ["Host: 127.0.0.1:PORT.example.org"], ["Host:"],
    ["Host: 127.0.0.1:PORT", "Host: example.org"], ["Host: 127.0.0.1:PORT, example.org"],
  ])
  func `requests for another host are refused, as a web site would send them`(headers: [String]) async throws {
    let served = try Served()
    let answer = try await served.answer(
      "GET \(served.root)/a", headers.map { $0.replacing("PORT", with: "\(served.server.port)") })
    #expect((400..<500).contains(answer.status), "\(answer.head)")
    #expect(served.requests.isEmpty)
  }

  @Test(arguments: [
    ["Content-Type: text/plain"], [], ["Content-Type: application/json", "Origin: http://example.org"],
    ["Content-Type: application/json", "Origin: null"],
    ["Content-Type: application/json", "Sec-Fetch-Site: cross-site"],
    ["Content-Type: application/json", "Sec-Fetch-Site: same-site"],
  ])
  func `a change that another site asks for is refused`(headers: [String]) async throws {
    let served = try Served()
    let answer = try await served.answer("POST \(served.root)/picks", [served.host] + headers, body: Array("{}".utf8))
    #expect(answer.status == 403)
    #expect(served.requests.isEmpty)
  }

  @Test(arguments: ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "X"])
  func `other methods are refused`(method: String) async throws {
    let served = try Served()
    #expect(try await (400..<600).contains(served.answer("\(method) \(served.root)/a").status))
    #expect(served.requests.isEmpty)
  }

  @Test func `a body that is too large is refused, and the server goes on`() async throws {
    let served = try Served()
    let headers = [served.host, "Content-Type: application/json"]
    let size = 8 << 20
    let large = try await served.answer("POST \(served.root)/a", headers, body: Array(repeating: 32, count: size + 1))
    #expect(large.status == 413 && served.requests.isEmpty)
    #expect(
      try await served.answer("POST \(served.root)/a", headers, body: Array(repeating: 32, count: size)).status == 200)
    #expect(served.requests.map(\.body.count) == [size])
  }

  @Test func `requests that are cut off or are no HTTP leave the server answering`() async throws {
    let served = try Served()
    let cut = "GET \(served.root)/a HTTP/1.1\r\nHost: 127"
    for text in ["", "GET", cut, "\r\n\r\n", String(repeating: "a", count: 1 << 20)] {
      let connection = try RawConnection(port: served.server.port)
      connection.send(Array(text.utf8))
    }
    #expect(try await served.answer("GET \(served.root)/a").body == "a")
    #expect(served.requests.count == 1)
  }

  // MARK: Events

  @Test(.timeLimit(.minutes(10)))
  func `a reader of events that falls too far behind is disconnected, and its stream ends`() async throws {
    let (ended, end) = AsyncStream<Void>.makeStream()
    let served = try Served { _ in
      let (events, source) = AsyncStream<PageEvent>.makeStream()
      source.onTermination = { _ in end.finish() }
      // More than the server keeps and sockets buffer.
      for _ in 0..<64 { source.yield(PageEvent("big", String(repeating: "x", count: 1 << 20))) }
      return .events(events)
    }
    let connection = try RawConnection(port: served.server.port)
    connection.send(Array("GET \(served.root)/events HTTP/1.1\r\n\(served.host)\r\nConnection: close\r\n\r\n".utf8))
    // Nobody reads until the stream has ended.
    for await _ in ended {}
    let received = try await blocking { connection.readAll() }
    #expect(String(decoding: received.prefix(4096), as: UTF8.self).contains("text/event-stream"))
    #expect(received.count < 32 << 20)
  }

  @Test(.timeLimit(.minutes(10)))
  func `a server that ends disconnects readers of events`() async throws {
    let (events, source) = AsyncStream<PageEvent>.makeStream()
    let served = try Served { _ in .events(events) }
    let connection = try RawConnection(port: served.server.port)
    connection.send(Array("GET \(served.root)/events HTTP/1.1\r\n\(served.host)\r\n\r\n".utf8))
    source.yield(PageEvent("image", "{}"))
    var text = ""
    while !text.contains("event: image\ndata: {}\n\n") {
      let part = try await blocking { connection.read() }
      try #require(!part.isEmpty, "\(text)")
      text += String(decoding: part, as: UTF8.self)
    }
    guard case .failure(let error) = await served.end() else { throw POSIXError(.EINVAL) }
    #expect(error is CancellationError)
    _ = try await blocking { connection.readAll() }
  }
}
