import Foundation
import Glibc

/// Does work that blocks on a thread of its own: tests share few threads, and the server begins on one of them.
///
/// - Throws: What the work throws.
func blocking<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread { continuation.resume(with: Swift.Result { try work() }) }
  }
}

/// A connection to a server on this machine that sends what it is given, so that requests may be wrong in any way.
final class RawConnection: Sendable {
  private let descriptor: Int32

  init(port: Int) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    let code = withUnsafePointer(to: address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard code == 0 else { throw POSIXError(.ECONNREFUSED) }
  }

  deinit { close(descriptor) }

  /// Sends as much of the bytes as the server takes.
  func send(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }

  /// Reads at most this many bytes; nothing at the end of the connection.
  func read(_ limit: Int = 1 << 16) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
      count = max(0, recv(descriptor, buffer.baseAddress, limit, 0))
    }
  }

  /// Reads until the connection ends.
  func readAll() -> [UInt8] {
    var all: [UInt8] = []
    while case let part = read(), !part.isEmpty { all += part }
    return all
  }
}

/// The status, head and body of an answer.
struct RawAnswer: Sendable {
  let status: Int
  let head: String
  let body: String

  /// Sends a request and reads the answer to it.
  ///
  /// - Parameters:
  ///   - line: The method and the target.
  ///   - headers: All header lines, except those for the length and the end of the connection.
  ///   - body: The body; nil for none.
  ///   - port: The server's port.
  /// - Throws: `POSIXError` if nothing listens there.
  init(_ line: String, headers: [String], body: [UInt8]? = nil, port: Int) throws {
    let connection = try RawConnection(port: port)
    var lines = ["\(line) HTTP/1.1"] + headers + ["Connection: close"]
    if let body { lines.append("Content-Length: \(body.count)") }
    connection.send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (body ?? []))
    let text = String(decoding: connection.readAll(), as: UTF8.self)
    let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    head = parts[0]
    self.body = parts.count > 1 ? parts[1] : ""
    status = head.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
  }
}
