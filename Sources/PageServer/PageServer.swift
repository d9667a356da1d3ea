import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// A web server for the pages of one user on one machine.
///
/// It listens on 127.0.0.1 only. Three checks protect it. The path of a request must begin with the server's secret, so that
/// other users of the machine can neither read nor write. The request must name this machine as its host, so that a web site
/// cannot reach the server by a name that the site controls (DNS rebinding). A request that changes something must come from a
/// page of this server.
public final class PageServer: Sendable {
  /// Answers requests; called on threads that may block.
  public typealias Handler = @Sendable (PageRequest) throws -> PageAnswer

  /// The port.
  public let port: Int
  /// The secret: 128 random bits as hex digits.
  public let token: String
  /// The address of the server's root, with the secret.
  public var address: String { "http://127.0.0.1:\(port)/\(token)/" }

  private typealias Connection = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>
  private let listener: NIOAsyncChannel<Connection, Never>
  private let handler: Handler

  /// The largest body of a request, in bytes.
  private static let bodyLimit = 8 << 20

  /// Starts to listen.
  ///
  /// - Parameters:
  ///   - port: The port; 0 for any that is free.
  ///   - token: The secret; a new one by default.
  ///   - handler: Answers requests.
  /// - Throws: `IOError` if the port is in use.
  public init(port: Int = 0, token: String = PageServer.newToken(), handler: @escaping Handler) async throws {
    self.token = token
    self.handler = handler
    listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .bind(host: "127.0.0.1", port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
          return try Connection(wrappingChannelSynchronously: channel)
        }
      }
    self.port = listener.channel.localAddress?.port ?? port
  }

  /// A new secret.
  public static func newToken() -> String {
    var random = SystemRandomNumberGenerator()
    return (0..<2).map { _ in
      let digits = String(random.next() as UInt64, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }

  /// Serves until the task is cancelled.
  ///
  /// - Throws: `IOError` if the listening socket fails.
  public func run() async throws {
    try await withThrowingDiscardingTaskGroup { group in
      try await listener.executeThenClose { connections in
        for try await connection in connections {
          // A broken connection is not an error of the server.
          group.addTask { try? await self.serve(connection) }
        }
      }
    }
  }

  private func serve(_ connection: Connection) async throws {
    try await connection.executeThenClose { inbound, outbound in
      var parts = inbound.makeAsyncIterator()
      while case .head(let head)? = try await parts.next() {
        var body: [UInt8] = []
        var size = 0
        reading: while let part = try await parts.next() {
          switch part {
          case .head: return
          case .body(let buffer):
            size += buffer.readableBytes
            // Read the rest of a body that is too large, so that the sender reads the answer, but only up to a limit.
            if size > 16 * Self.bodyLimit { return }
            if size > Self.bodyLimit { body = [] } else { body += buffer.readableBytesView }
          case .end: break reading
          }
        }
        let keepsAlive = head.isKeepAlive
        let reply: PageAnswer
        if size > Self.bodyLimit {
          reply = .failure(413, "The body is too large.")
        } else {
          reply = await answer(head, body)
        }
        try await send(reply, head, keepsAlive, to: outbound)
        if !keepsAlive { return }
      }
    }
  }

  // MARK: Answers

  private func answer(_ head: HTTPRequestHead, _ body: [UInt8]) async -> PageAnswer {
    guard let request = request(head, body) else { return .failure(403, "This address is not valid.") }
    do {
      return try await NIOThreadPool.singleton.runIfActive { [handler] in try handler(request) }
    } catch {
      return .failure(500, "\(error)")
    }
  }

  /// The request; nil if it may not be answered.
  private func request(_ head: HTTPRequestHead, _ body: [UInt8]) -> PageRequest? {
    let hosts = ["127.0.0.1:\(port)", "localhost:\(port)"]
    guard head.headers["host"].count == 1, hosts.contains(head.headers["host"][0].lowercased()) else { return nil }
    let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let names = parts[0].split(separator: "/", omittingEmptySubsequences: false).dropFirst()
      .map { String($0).removingPercentEncoding }
    guard let first = names.first, let given = first, Self.isSame(given, token) else { return nil }
    let path = names.dropFirst().compactMap { $0 }
    let isPlain = path.allSatisfy { name in
      name != ".." && name != "." && !name.contains("/") && !name.contains("\\") && !name.contains("\0")
    }
    guard path.count == names.count - 1, isPlain else { return nil }
    switch head.method {
    case .GET, .HEAD: break
    case .POST:
      // Browsers send the site of the page that made the request; other programs have no reason to name another site.
      let origins = head.headers["origin"]
      guard origins.allSatisfy({ origin in hosts.contains { "http://" + $0 == origin.lowercased() } }) else {
        return nil
      }
      guard head.headers["content-type"].first?.hasPrefix("application/json") == true else { return nil }
    default: return nil
    }
    if let site = head.headers["sec-fetch-site"].first, !["same-origin", "none"].contains(site), head.method != .GET {
      return nil
    }
    let query = parts.count > 1 ? String(parts[1]) : ""
    return PageRequest(
      isPost: head.method == .POST, path: path, query: query, body: body, tag: head.headers["if-none-match"].first)
  }

  /// Compares in a time that does not depend on where the texts differ.
  private static func isSame(_ a: String, _ b: String) -> Bool {
    let (a, b) = (Array(a.utf8), Array(b.utf8))
    return a.count == b.count && zip(a, b).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
  }

  private static let headers: [(String, String)] = [
    ("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"), ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=()"),
  ]

  private func send(
    _ answer: PageAnswer, _ request: HTTPRequestHead, _ keepsAlive: Bool,
    to outbound: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>
  ) async throws {
    var headers = HTTPHeaders(Self.headers)
    headers.add(name: "Content-Type", value: answer.type)
    // A page has its own policy, which allows its script; everything else may run no scripts.
    if !answer.type.hasPrefix("text/html") {
      headers.add(name: "Content-Security-Policy", value: "default-src 'none'; frame-ancestors 'none'; sandbox")
    } else {
      headers.add(name: "Content-Security-Policy", value: "frame-ancestors 'none'; object-src 'none'; base-uri 'none'")
    }
    headers.add(name: "Cache-Control", value: answer.isLasting ? "private, max-age=86400" : "no-store")
    if let tag = answer.tag { headers.add(name: "ETag", value: tag) }
    if let name = answer.download { headers.add(name: "Content-Disposition", value: Self.disposition(name)) }
    if !keepsAlive { headers.add(name: "Connection", value: "close") }
    let status = HTTPResponseStatus(statusCode: answer.status)
    func begin() async throws {
      try await outbound.write(.head(HTTPResponseHead(version: request.version, status: status, headers: headers)))
    }
    let hasBody = request.method != .HEAD
    switch answer.body {
    case .bytes(let bytes):
      headers.add(name: "Content-Length", value: String(bytes.count))
      try await begin()
      if hasBody { try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: bytes)))) }
    case .file(let file):
      headers.add(name: "Content-Length", value: String(file.size))
      try await begin()
      while hasBody, let bytes = try await NIOThreadPool.singleton.runIfActive({ try file.read(1 << 18) }) {
        try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: bytes))))
      }
    case .events(let events):
      try await begin()
      if hasBody {
        for await event in events { try await outbound.write(.body(.byteBuffer(ByteBuffer(string: event.text)))) }
      }
    }
    try await outbound.write(.end(nil))
  }

  /// A header that names a download. Source: RFC 6266.
  private static func disposition(_ name: String) -> String {
    let plain = name.unicodeScalars.map {
      $0.isASCII && $0.value >= 32 && !"\"\\%".unicodeScalars.contains($0) ? String($0) : "_"
    }
    let safe = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
    let encoded = name.addingPercentEncoding(withAllowedCharacters: safe) ?? "download"
    return "attachment; filename=\"\(plain.joined())\"; filename*=UTF-8''\(encoded)"
  }
}
