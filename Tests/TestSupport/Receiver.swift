import Foundation
import Synchronization

/// A receiver of webhooks: a small HTTP server on this machine that answers as the test asks.
package final class Receiver: Sendable {
  /// A request that arrived.
  package struct Request: Sendable {
    /// The request line, such as `POST /done HTTP/1.1`.
    package var line: String
    /// By name in lower case.
    package var headers: [String: String]
    package var body: Data
    /// Its index, from 0, in the order in which requests were complete.
    package var number: Int
  }

  /// How a request is answered.
  package enum Reply: Sendable {
    /// A complete response.
    case status(Int, headers: [String: String] = [:], body: String = "")
    /// These bytes, valid or not; then the connection closes.
    case bytes(String)
    /// 200, byte by byte, with a pause before each.
    case slowly
    /// No response, for as long as the sender waits.
    case silence
    /// The connection closes.
    case hangUp
    /// The connection closes, and the server stops listening.
    case death
  }

  package enum Problem: Error {
    case noSocket(Int32)
  }

  private struct State {
    var requests: [Request] = []
    var accepted: [Request] = []
    var listener: Int32 = -1
    var open: Set<Int32> = []
  }

  package let port: UInt16
  private let state = Mutex(State())
  private let reply: @Sendable (Request) -> Reply

  /// Starts to listen.
  ///
  /// - Parameters:
  ///   - port: The port; 0 for a free one.
  ///   - reply: Decides how a request is answered; called from several threads.
  /// - Throws: `Problem` if the port is in use.
  package init(port: UInt16 = 0, reply: @escaping @Sendable (Request) -> Reply = { _ in .status(200) }) throws {
    self.reply = reply
    let listener = try Self.listen(port)
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(listener, $0, &length) }
    }
    self.port = UInt16(bigEndian: address.sin_port)
    serve(listener)
  }

  deinit { stop() }

  /// The URL of a path on this server.
  package func url(_ path: String = "/done") -> String { "http://127.0.0.1:\(port)\(path)" }

  /// All complete requests, in order.
  package var requests: [Request] { state.withLock { $0.requests } }

  /// The requests that were answered with 200.
  package var accepted: [Request] { state.withLock { $0.accepted } }

  /// Stops listening and closes all connections.
  package func stop() {
    state.withLock { state in
      // Wakes threads that wait on a connection; `close` alone would not.
      for descriptor in state.open.union([state.listener]) { shutdown(descriptor, Int32(SHUT_RDWR)) }
      state.listener = -1
    }
  }

  /// Listens again, on the same port.
  package func restart() throws { serve(try Self.listen(port)) }

  // MARK: Connections

  private static func listen(_ port: UInt16) throws -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var one: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard descriptor >= 0, code == 0, Glibc.listen(descriptor, 128) == 0 else { throw Problem.noSocket(errno) }
    return descriptor
  }

  private func serve(_ listener: Int32) {
    state.withLock { $0.listener = listener }
    Thread.detachNewThread { [weak self] in
      while true {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else {
          if errno == EINTR { continue }
          break
        }
        _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
        guard let self, self.state.withLock({ $0.listener == listener && $0.open.insert(connection).inserted }) else {
          close(connection)
          break
        }
        Thread.detachNewThread { [weak self] in
          self?.talk(connection)
          close(connection)
        }
      }
      close(listener)
    }
  }

  /// Answers the requests of a connection until either side closes it.
  private func talk(_ connection: Int32) {
    defer { state.withLock { _ = $0.open.remove(connection) } }
    var pending = Data()
    while let (line, headers, body) = Self.request(connection, &pending) {
      let request = state.withLock { state in
        let request = Request(line: line, headers: headers, body: body, number: state.requests.count)
        state.requests.append(request)
        return request
      }
      switch reply(request) {
      case .status(let code, let headers, let body):
        // Counted first, because the sender may have gone when the response is written.
        if code == 200 { state.withLock { $0.accepted.append(request) } }
        let fields = headers.map { "\($0.key): \($0.value)\r\n" }.joined()
        let text = "HTTP/1.1 \(code) Answer\r\nContent-Length: \(body.utf8.count)\r\n\(fields)\r\n\(body)"
        guard Self.send(text, connection) else { return }
      case .slowly:
        state.withLock { $0.accepted.append(request) }
        for byte in "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" {
          usleep(2000)
          guard Self.send(String(byte), connection) else { return }
        }
      case .bytes(let text):
        _ = Self.send(text, connection)
        return
      case .silence:
        var byte: UInt8 = 0
        while recv(connection, &byte, 1, 0) > 0 {}
        return
      case .hangUp: return
      case .death:
        stop()
        return
      }
    }
  }

  private static func send(_ text: String, _ connection: Int32) -> Bool {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes {
        Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      bytes = bytes.dropFirst(count)
    }
    return true
  }

  /// Reads one complete request; nil if the connection ends first.
  private static func request(
    _ connection: Int32, _ pending: inout Data
  ) -> (line: String, headers: [String: String], body: Data)? {
    let end = Data("\r\n\r\n".utf8)
    var range = pending.range(of: end)
    while range == nil {
      guard receive(connection, &pending) else { return nil }
      range = pending.range(of: end)
    }
    guard let range else { return nil }
    let lines = String(decoding: pending[..<range.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      headers[parts[0].lowercased()] = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
    }
    guard let length = headers["content-length"].flatMap({ Int($0) }) else { return nil }
    while pending.endIndex - range.upperBound < length {
      guard receive(connection, &pending) else { return nil }
    }
    let body = pending[range.upperBound..<(range.upperBound + length)]
    pending = Data(pending[(range.upperBound + length)...])
    return (lines[0], headers, Data(body))
  }

  private static func receive(_ connection: Int32, _ pending: inout Data) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = recv(connection, &buffer, buffer.count, 0)
    guard count > 0 else { return false }
    pending.append(contentsOf: buffer[..<count])
    return true
  }
}
