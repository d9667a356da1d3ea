import CMicroHTTP
import Foundation
import Glibc
import Synchronization

/// A web server for the pages of one user on one machine, by GNU libmicrohttpd with a thread for each connection.
///
/// It listens on 127.0.0.1 only. Three checks protect it. The path of a request must begin with the server's secret, so that
/// other users of the machine can neither read nor write. The request must name this machine as its host, so that a web site
/// cannot reach the server by a name that the site controls (DNS rebinding). A request that changes something must come from a
/// page of this server.
public final class PageServer: Sendable {
  /// Answers requests; called on the thread of a connection, which may block.
  public typealias Handler = @Sendable (PageRequest) throws -> PageAnswer

  /// The port.
  public let port: Int
  /// The secret: 128 random bits as hex digits.
  public let token: String
  /// The address of the server's root, with the secret.
  public var address: String { "http://127.0.0.1:\(port)/\(token)/" }

  private let listener: ListeningSocket
  private let handler: Handler
  /// The event streams that are being read, so that they can be ended.
  private let feeds = Mutex<[ObjectIdentifier: EventFeed]>([:])

  /// The largest body of a request, in bytes.
  private static let bodyLimit = 8 << 20

  /// Starts to listen.
  ///
  /// - Parameters:
  ///   - port: The port; 0 for any that is free.
  ///   - token: The secret; a new one by default.
  ///   - handler: Answers requests.
  /// - Throws: `POSIXError` if the port is in use.
  public init(port: Int = 0, token: String = PageServer.newToken(), handler: @escaping Handler) throws {
    self.token = token
    self.handler = handler
    listener = try ListeningSocket(port: port)
    self.port = listener.port
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
  /// - Throws: `CancellationError`, or `POSIXError` if there are too few threads or descriptors.
  public func run() async throws {
    guard let daemon = start() else { throw POSIXError(.EAGAIN) }
    while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
    for feed in feeds.withLock({ Array($0.values) }) { feed.close() }
    MHD_stop_daemon(daemon)
    throw CancellationError()
  }

  private typealias BeginCallback =
    @convention(c) (
      UnsafeMutableRawPointer?, UnsafePointer<CChar>?, OpaquePointer?
    ) -> UnsafeMutableRawPointer?
  private typealias DecodeCallback =
    @convention(c) (
      UnsafeMutableRawPointer?, OpaquePointer?, UnsafeMutablePointer<CChar>?
    ) -> Int

  private func start() -> OpaquePointer? {
    let completed: MHD_RequestCompletedCallback = { _, _, state, _ in
      if let exchange = state?.pointee { Unmanaged<Exchange>.fromOpaque(exchange).release() }
    }
    // What this returns is the state of the request in the other callbacks.
    let begin: BeginCallback = { _, target, _ in
      Unmanaged.passRetained(Exchange(target.map { String(cString: $0) } ?? "")).toOpaque()
    }
    // Paths are decoded here, after they were split.
    let decode: DecodeCallback = { _, _, text in text.map { strlen($0) } ?? 0 }
    let server = Unmanaged.passUnretained(self).toOpaque()
    func option(_ option: MHD_OPTION) -> CInt { CInt(option.rawValue) }
    let options: [any CVarArg] = [
      option(MHD_OPTION.LISTEN_SOCKET), listener.descriptor,
      option(MHD_OPTION.URI_LOG_CALLBACK), unsafeBitCast(begin, to: OpaquePointer.self), OpaquePointer(server),
      option(MHD_OPTION.NOTIFY_COMPLETED), unsafeBitCast(completed, to: OpaquePointer.self), OpaquePointer(server),
      option(MHD_OPTION.UNESCAPE_CALLBACK), unsafeBitCast(decode, to: OpaquePointer.self), OpaquePointer(server),
      option(MHD_OPTION.CONNECTION_LIMIT), CUnsignedInt(512),
      option(MHD_OPTION.CONNECTION_TIMEOUT), CUnsignedInt(120),
      option(MHD_OPTION.CONNECTION_MEMORY_LIMIT), 256 << 10,
      option(MHD_OPTION.END),
    ]
    let flags = [MHD_USE_INTERNAL_POLLING_THREAD, MHD_USE_THREAD_PER_CONNECTION, MHD_USE_POLL, MHD_USE_ITC]
    return withVaList(options) { options in
      MHD_start_daemon_va(
        flags.reduce(0) { $0 | $1.rawValue }, 0, nil, nil,
        { server, connection, _, method, _, bytes, count, state in
          guard let server, let connection, let method, let count, let state, let exchange = state.pointee else {
            return .NO
          }
          return Unmanaged<PageServer>.fromOpaque(server).takeUnretainedValue().receive(
            Unmanaged<Exchange>.fromOpaque(exchange).takeUnretainedValue(), String(cString: method),
            bytes.map { UnsafeRawBufferPointer(start: $0, count: count.pointee) }, connection
          ) { count.pointee = 0 }
        }, server, options)
    }
  }

  // MARK: Requests

  /// Called when the head of a request has been read, then for each part of its body, and then at its end.
  private func receive(
    _ exchange: Exchange, _ method: String, _ bytes: UnsafeRawBufferPointer?, _ connection: OpaquePointer,
    taken: () -> Void
  ) -> MHD_Result {
    if !exchange.isBegun {
      exchange.isBegun = true
      return .YES
    }
    if let bytes, !bytes.isEmpty {
      exchange.size += bytes.count
      // Read the rest of a body that is too large, so that the sender reads the answer, but only up to a limit.
      if exchange.size > 16 * Self.bodyLimit { return .NO }
      if exchange.size > Self.bodyLimit { exchange.body = [] } else { exchange.body += bytes }
      taken()
      return .YES
    }
    if exchange.size > Self.bodyLimit { return send(.failure(413, "The body is too large."), on: connection) }
    return send(answer(exchange, method, connection), on: connection)
  }

  private func answer(_ exchange: Exchange, _ method: String, _ connection: OpaquePointer) -> PageAnswer {
    guard let request = request(exchange, method, RequestHeaders(connection)) else {
      return .failure(403, "This address is not valid.")
    }
    do {
      return try handler(request)
    } catch {
      return .failure(500, "\(error)")
    }
  }

  /// The request; nil if it may not be answered.
  private func request(_ exchange: Exchange, _ method: String, _ headers: RequestHeaders) -> PageRequest? {
    let hosts = ["127.0.0.1:\(port)", "localhost:\(port)"]
    guard headers["host"].count == 1, hosts.contains(headers["host"][0].lowercased()) else { return nil }
    let parts = exchange.target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    guard let path = path(parts[0]) else { return nil }
    switch method {
    case "GET", "HEAD": break
    case "POST":
      // Browsers send the site of the page that made the request; other programs have no reason to name another site.
      guard headers["origin"].allSatisfy({ origin in hosts.contains { "http://" + $0 == origin.lowercased() } }) else {
        return nil
      }
      guard headers["content-type"].first?.hasPrefix("application/json") == true else { return nil }
      if let site = headers["sec-fetch-site"].first, !["same-origin", "none"].contains(site) { return nil }
    default: return nil
    }
    return PageRequest(
      isPost: method == "POST", path: path, query: parts.count > 1 ? String(parts[1]) : "", body: exchange.body,
      tag: headers["if-none-match"].first)
  }

  /// The decoded parts of a path after the secret; nil for a path without the secret, or with parts that are no plain names.
  private func path(_ text: Substring) -> [String]? {
    let names = text.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
      .map { String($0).removingPercentEncoding }
    guard let first = names.first, let given = first, Self.isSame(given, token) else { return nil }
    let path = names.dropFirst().compactMap { $0 }
    let isPlain = path.allSatisfy { name in
      name != ".." && name != "." && !name.contains("/") && !name.contains("\\") && !name.contains("\0")
    }
    return path.count == names.count - 1 && isPlain ? path : nil
  }

  /// Compares in a time that does not depend on where the texts differ.
  private static func isSame(_ a: String, _ b: String) -> Bool {
    let (a, b) = (Array(a.utf8), Array(b.utf8))
    return a.count == b.count && zip(a, b).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
  }

  // MARK: Answers

  private static let headers: [(String, String)] = [
    ("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"), ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=()"),
  ]

  private func send(_ answer: PageAnswer, on connection: OpaquePointer) -> MHD_Result {
    guard let response = response(answer.body) else { return .NO }
    defer { MHD_destroy_response(response) }
    var headers = Self.headers
    headers.append(("Content-Type", answer.type))
    // A page has its own policy, which allows its script; everything else may run no scripts.
    let policy =
      answer.type.hasPrefix("text/html")
      ? "frame-ancestors 'none'; object-src 'none'; base-uri 'none'"
      : "default-src 'none'; frame-ancestors 'none'; sandbox"
    headers.append(("Content-Security-Policy", policy))
    headers.append(("Cache-Control", answer.isLasting ? "private, max-age=86400" : "no-store"))
    if let tag = answer.tag { headers.append(("ETag", tag)) }
    if let name = answer.download { headers.append(("Content-Disposition", Self.disposition(name))) }
    for (name, value) in headers { MHD_add_response_header(response, name, value) }
    return MHD_queue_response(connection, CUnsignedInt(answer.status), response)
  }

  private func response(_ body: PageAnswer.Body) -> OpaquePointer? {
    switch body {
    case .bytes(let bytes):
      return bytes.withUnsafeBytes {
        MHD_create_response_from_buffer($0.count, UnsafeMutableRawPointer(mutating: $0.baseAddress), .RESPMEM_MUST_COPY)
      }
    case .file(let file):
      // The library closes its descriptor at the end.
      guard let descriptor = file.duplicate() else { return nil }
      return MHD_create_response_from_fd64(UInt64(file.size), descriptor)
    case .events(let events):
      let feed = EventFeed(events) { [weak self] feed in
        self?.feeds.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(feed)) }
      }
      feeds.withLock { $0[ObjectIdentifier(feed)] = feed }
      return MHD_create_response_from_callback(
        .max, 16 << 10,
        { feed, _, buffer, count in
          guard let feed, let buffer else { return -1 }
          return Unmanaged<EventFeed>.fromOpaque(feed).takeUnretainedValue().take(to: buffer, count) ?? -1
        }, Unmanaged.passRetained(feed).toOpaque(),
        { feed in
          guard let feed else { return }
          Unmanaged<EventFeed>.fromOpaque(feed).takeRetainedValue().close()
        })
    }
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

/// A request that is being read, by the thread of its connection.
private final class Exchange {
  /// Path and query as they were sent.
  let target: String
  var isBegun = false
  var body: [UInt8] = []
  /// The bytes of the body so far, also those that were not kept.
  var size = 0

  init(_ target: String) { self.target = target }
}

/// The headers of a request.
private struct RequestHeaders {
  private var values: [String: [String]] = [:]

  init(_ connection: OpaquePointer) {
    withUnsafeMutablePointer(to: &values) { values in
      _ = MHD_get_connection_values(
        connection, .HEADER_KIND,
        { values, _, name, value in
          if let values, let name {
            let values = values.assumingMemoryBound(to: [String: [String]].self)
            let name = String(cString: name).lowercased()
            values.pointee[name, default: []].append(value.map { String(cString: $0) } ?? "")
          }
          return .YES
        }, values)
    }
  }

  /// The values of a header, by its name in lower case.
  subscript(name: String) -> [String] { values[name] ?? [] }
}

/// A socket that listens on 127.0.0.1.
private final class ListeningSocket: Sendable {
  let descriptor: Int32
  let port: Int

  /// Listens on a port; 0 for any that is free.
  init(port: Int) throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port).bigEndian)
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    var isReused: Int32 = 1
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isReused, socklen_t(MemoryLayout<Int32>.size))
    let isListening = withUnsafeMutablePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        descriptor >= 0 && bind(descriptor, address, size) == 0 && listen(descriptor, 128) == 0
          && getsockname(descriptor, address, &size) == 0
      }
    }
    guard isListening else {
      let code = errno
      if descriptor >= 0 { close(descriptor) }
      throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EIO)
    }
    self.descriptor = descriptor
    self.port = Int(UInt16(bigEndian: address.sin_port))
  }
}
