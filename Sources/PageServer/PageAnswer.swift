import Foundation
import Glibc

/// The answer to a request.
public struct PageAnswer: Sendable {
  /// The content.
  public enum Body: Sendable {
    /// These bytes.
    case bytes([UInt8])
    /// An open file.
    case file(OpenFile)
    /// Server-sent events, until the stream ends or the reader leaves.
    case events(AsyncStream<PageEvent>)
  }

  /// The HTTP status.
  public var status = 200
  /// The media type.
  public var type: String
  /// The content.
  public var body: Body
  /// Whether browsers may cache it, because the content at this address never changes.
  public var isLasting = false
  /// The version of the content (its ETag), in quotes.
  public var tag: String?
  /// The file name for saving; nil to show the content.
  public var download: String?

  /// Creates an answer with status 200.
  public init(type: String, body: Body) {
    self.type = type
    self.body = body
  }

  /// An answer with a page.
  public static func page(_ bytes: [UInt8]) -> PageAnswer {
    PageAnswer(type: "text/html; charset=utf-8", body: .bytes(bytes))
  }

  /// An answer with JSON.
  public static func json(_ text: String) -> PageAnswer {
    PageAnswer(type: "application/json", body: .bytes(Array(text.utf8)))
  }

  /// An answer with server-sent events.
  public static func events(_ events: AsyncStream<PageEvent>) -> PageAnswer {
    PageAnswer(type: "text/event-stream", body: .events(events))
  }

  /// An answer with a status other than 200, and a message.
  public static func failure(_ status: Int, _ message: String) -> PageAnswer {
    var answer = PageAnswer(type: "text/plain; charset=utf-8", body: .bytes(Array((message + "\n").utf8)))
    answer.status = status
    return answer
  }
}

/// A server-sent event.
public struct PageEvent: Sendable {
  /// The kind.
  public var name: String
  /// The content: JSON on one line.
  public var data: String

  /// Creates an event.
  public init(_ name: String, _ data: String) {
    self.name = name
    self.data = data
  }

  /// A comment, which keeps the connection alive.
  public static let pulse = PageEvent("", "")

  /// The event as it is sent. Source: HTML, 9.2.5 (the event stream format).
  var text: String { name.isEmpty ? ": \n\n" : "event: \(name)\ndata: \(data)\n\n" }
}

/// A file that is open for reading.
public final class OpenFile: Sendable {
  /// Its size in bytes.
  public let size: Int
  /// When it was last changed, in seconds since 1970.
  public let modified: Double
  private let descriptor: Int32

  /// Opens a regular file; nil if there is none.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - isTemporary: Whether to delete its name at once, so that closing it removes it.
  public init?(_ path: String, isTemporary: Bool = false) {
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    var status = stat()
    guard descriptor >= 0 else { return nil }
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      return nil
    }
    size = Int(status.st_size)
    modified = Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9
    if isTemporary { unlink(path) }
  }

  deinit { close(descriptor) }

  /// A further descriptor of the file, which the caller closes; nil if the process has too many.
  func duplicate() -> Int32? {
    let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    return copy < 0 ? nil : copy
  }
}
