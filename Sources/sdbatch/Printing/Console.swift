import Foundation
import Logging

/// The two streams of the terminal. Errors are ignored: a closed terminal must not end a run.
enum Console {
  static let isTerminal = isatty(STDOUT_FILENO) == 1

  static func output(_ text: String) { write(text + "\n", to: STDOUT_FILENO) }

  /// Without a line feed, for a line that is going to be overwritten.
  static func partialOutput(_ text: String) { write(text, to: STDOUT_FILENO) }

  static func error(_ text: String) { write("sdbatch: " + text + "\n", to: STDERR_FILENO) }

  /// Prints lines that begin with `file:line:column`, as editors expect it.
  static func diagnostics(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

  /// How many characters fit into a line of the terminal; nil if unknown.
  static var columns: Int? {
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }

  /// Opens standard streams that the parent closed. Otherwise the next file opened would get their number, and messages would
  /// be written into it.
  static func openClosedStreams() {
    var descriptor = open("/dev/null", O_RDWR)
    while (STDIN_FILENO...STDERR_FILENO).contains(descriptor) { descriptor = open("/dev/null", O_RDWR) }
    close(descriptor)
  }

  private static func write(_ text: String, to descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }

  /// A logger whose lines suit a cron mail: the time, then the message; warnings and worse go to standard error.
  static let logger: Logger = {
    var logger = Logger(label: "sdbatch") { _ in LineLogHandler() }
    logger.logLevel = .info
    return logger
  }()
}

private struct LineLogHandler: LogHandler {
  var logLevel = Logger.Level.info
  var metadata: Logger.Metadata = [:]

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    if event.level >= .warning {
      Console.error("\(event.level): \(event.message)")
    } else {
      Console.output("\(Date().formatted(.iso8601)) \(event.message)")
    }
  }
}
