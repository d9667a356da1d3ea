import Hashing
import Foundation
import FoundationNetworking
import JSON
import Runs
import Settings
import Text

/// Posts documents. Certificates are checked by the system's rules. Redirects are followed only if they keep the method (307
/// and 308) and the scheme, host and port.
final class WebhookSender: Sendable {
  /// Why an attempt failed.
  enum Failure: Error, Hashable, CustomStringConvertible {
    /// There was an answer other than 200.
    case answered(Int)
    /// A redirect to another origin, or too many redirects.
    case redirected(Int)
    /// There was no answer in time.
    case timedOut(Duration)
    /// The server did not answer, or the connection broke; the text describes the reason.
    case notReached(String)
    /// The document is gone.
    case noDocument
    /// The document exists and cannot be read; the code is an `errno`.
    case notRead(code: Int32)

    var description: String {
      switch self {
      case .answered(let code): "the answer was \(code), expected 200"
      case .redirected(let code): "the answer was \(code), a redirect, which is not followed"
      case .timedOut(let time): "no answer after \(Self.text(time))"
      case .notReached(let reason): reason
      case .noDocument: "the document was removed"
      case .notRead(let code): "the document cannot be read: \(String(cString: strerror(code)))"
      }
    }

    private static func text(_ time: Duration) -> String {
      let seconds = time.inSeconds
      return seconds == seconds.rounded() ? "\(Int(seconds)) s" : "\(seconds) s"
    }

    /// Whether another document may succeed, because the receiver rejected this one.
    var isAboutDocument: Bool {
      switch self {
      case .answered(let code): [400, 413, 415, 422].contains(code)
      case .notRead: true
      case .redirected, .timedOut, .notReached, .noDocument: false
      }
    }

    /// Whether the host did not answer.
    var isSilence: Bool {
      switch self {
      case .timedOut, .notReached: true
      case .answered, .redirected, .noDocument, .notRead: false
      }
    }
  }

  private let options: WebhookOptions
  private static let redirectLimit = 3

  init(_ options: WebhookOptions) {
    self.options = options
  }

  /// Posts a document once and waits for the answer.
  ///
  /// - Parameters:
  ///   - path: The document.
  ///   - announcement: What it is, and where to.
  /// - Throws: `Failure` unless the answer is 200.
  func post(_ path: String, _ announcement: Announcement) throws(Failure) {
    let body: Data
    do {
      body = Data(try FileReader.bytes(of: path))
    } catch {
      guard case .notRead(_, let code) = error, code != ENOENT else { throw .noDocument }
      throw .notRead(code: code)
    }
    guard var request = request(announcement, body) else { throw .notReached("the address cannot be used") }
    let time = time(forBytes: Int64(body.count))
    let deadline = ContinuousClock.now + time
    var last = 0
    for _ in 0...Self.redirectLimit {
      let answer = try WebhookExchange.answer(to: request, until: deadline, time)
      last = answer.status
      guard (300..<400).contains(answer.status) else {
        guard answer.status == 200 else { throw .answered(answer.status) }
        return
      }
      guard answer.status == 307 || answer.status == 308,
        let target = answer.location.flatMap({ URL(string: $0, relativeTo: request.url) })?.absoluteURL,
        WebhookAddress(target.absoluteString)?.origin == announcement.address.origin
      else { break }
      request.url = target
    }
    throw .redirected(last)
  }

  /// The time limit of an attempt to post a document.
  func patience(for path: String) -> Duration {
    var status = stat()
    return time(forBytes: stat(path, &status) == 0 ? Int64(status.st_size) : 0)
  }

  private func time(forBytes count: Int64) -> Duration { options.timeout + .seconds(count >> 20) }

  private func request(_ announcement: Announcement, _ body: Data) -> URLRequest? {
    guard var parts = URLComponents(string: announcement.address.url) else { return nil }
    // Name and password are sent as a header.
    let (user, password) = (parts.user, parts.password)
    (parts.user, parts.password, parts.fragment) = (nil, nil, nil)
    guard let url = parts.url else { return nil }
    var request = URLRequest(url: url)
    request.httpMethod = "POST"
    request.httpBody = body
    request.setValue("application/json", forHTTPHeaderField: "Content-Type")
    request.setValue("close", forHTTPHeaderField: "Connection")
    request.setValue(options.userAgent, forHTTPHeaderField: "User-Agent")
    request.setValue(announcement.id, forHTTPHeaderField: "X-Sdbatch-Id")
    request.setValue(announcement.key, forHTTPHeaderField: "Idempotency-Key")
    if user != nil || password != nil {
      let text = "\(user ?? ""):\(password ?? "")"
      request.setValue("Basic " + Data(text.utf8).base64EncodedString(), forHTTPHeaderField: "Authorization")
    }
    if let secret = options.secret {
      request.setValue(Self.signature(body, secret), forHTTPHeaderField: "X-Sdbatch-Signature")
    }
    return request
  }

  /// The signature of a body: `sha256=` and its HMAC-SHA256 in hexadecimal digits, as many services sign webhooks.
  static func signature(_ body: some DataProtocol, _ secret: [UInt8]) -> String {
    "sha256=" + Hexadecimal.text(SHA256.authenticationCode(of: body, key: secret))
  }
}
