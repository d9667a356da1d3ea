import Foundation
import Logging
import Synchronization
import Text

/// Standard output and standard error.
///
/// All output goes through this type, which makes texts from files harmless: it escapes control characters and characters that
/// change the direction of text. A line feed in a text never begins a line that looks like a message of the program.
///
/// A closed terminal or pipe must not end a run, so errors are not thrown. If standard output cannot be written for another
/// reason, `finish` reports it.
enum Console {
  static let isTerminal = isatty(STDOUT_FILENO) == 1

  /// Prints one line.
  static func output(_ line: String) { write(line.printableLine + "\n", to: STDOUT_FILENO) }

  /// Prints a text with several lines.
  static func output(text: String) { write(text.printable + "\n", to: STDOUT_FILENO) }

  /// Prints a JSON text; it may have several lines.
  static func output(json text: String) { write(text.printableJSON + "\n", to: STDOUT_FILENO) }

  /// Shows a text that the next one replaces; empty to remove it.
  static func live(_ text: String) {
    // Go back to the first column, write the text, and erase the rest of the line.
    write("\r\(text.printableLine)\u{1B}[K", to: STDOUT_FILENO)
  }

  /// Replaces the live text by a line that stays; later live text appears after it.
  static func interject(_ line: String) { write("\r\u{1B}[K\(line.printableLine)\n", to: STDOUT_FILENO) }

  /// Prints a line that ends with a file's path; a terminal can open the file when the path is clicked (OSC 8).
  static func output(_ line: String, link path: String) {
    var allowed = CharacterSet.urlPathAllowed
    allowed.remove(charactersIn: ";")
    guard isTerminal, ProcessInfo.processInfo.environment["TERM"] != "dumb",
      let address = path.addingPercentEncoding(withAllowedCharacters: allowed)
    else { return output(line + path) }
    let host = ProcessInfo.processInfo.hostName.addingPercentEncoding(withAllowedCharacters: .urlHostAllowed) ?? ""
    let link = "\u{1B}]8;;file://\(host)\(address)\u{1B}\\"
    write("\(line.printableLine)\(link)\(path.printableLine)\u{1B}]8;;\u{1B}\\\n", to: STDOUT_FILENO)
  }

  /// Replaces everything on the terminal.
  static func screen(_ text: String) { write("\u{1B}[H\u{1B}[2J\(text.printable)\n", to: STDOUT_FILENO) }

  /// Prints a message to standard error. Lines after the first are indented.
  static func error(_ text: String) {
    let lines = text.withoutAddressSecrets.printable.split(separator: "\n", omittingEmptySubsequences: false)
    let indented = lines.dropFirst().map { "\n" + ($0.isEmpty || $0.hasPrefix("  ") ? "" : "  ") + $0 }
    write("sdbatch: " + lines[0] + indented.joined() + "\n", to: STDERR_FILENO)
  }

  /// Prints lines that begin with `file:line:column`, as editors expect.
  static func diagnostics(_ text: String) {
    write(text.withoutAddressSecrets.printable + "\n", to: STDERR_FILENO)
  }

  /// Ends the program with a code; with another code and a message if standard output could not be written.
  static func finish(_ status: ExitStatus) -> Never { finish(code: status.rawValue) }

  /// Ends the program with any code.
  static func finish(code: Int32) -> Never {
    let lost = outputError.withLock { $0 }
    guard let lost else { exit(code) }
    error("standard output cannot be written: \(String(cString: strerror(lost)))")
    // Codes that say what to do next still count.
    let isResult = code == ExitStatus.done.rawValue || code == ExitStatus.difference.rawValue
    exit(isResult && !isLog.withLock { $0 } ? ExitStatus.notWritten.rawValue : code)
  }

  /// Says that standard output is only a log of work whose results are elsewhere: then a loss is reported, but changes no exit
  /// code.
  static func treatOutputAsLog() { isLog.withLock { $0 = true } }

  private static let isLog = Mutex(false)

  /// Why standard output could not be written.
  private static let outputError = Mutex<Int32?>(nil)

  /// How many characters fit on a line of the terminal; nil if unknown.
  static var columns: Int? {
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }

  /// Opens standard streams that the parent process closed. Otherwise, the next file that is opened would get their number, and
  /// messages would be written into it.
  static func openClosedStreams() {
    var descriptor = open("/dev/null", O_RDWR)
    while (STDIN_FILENO...STDERR_FILENO).contains(descriptor) { descriptor = open("/dev/null", O_RDWR) }
    close(descriptor)
  }

  private static func write(_ text: String, to descriptor: Int32) {
    var text = text
    text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)[...]
      while !rest.isEmpty {
        let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else {
          // The reader of the pipe has ended, or the terminal was closed.
          let isClosed = errno == EPIPE || (errno == EIO && isTerminal)
          let code = count == 0 ? ENOSPC : errno
          if descriptor == STDOUT_FILENO, !isClosed { outputError.withLock { $0 = $0 ?? code } }
          return
        }
        rest = rest.dropFirst(count)
      }
    }
  }

  /// A logger whose lines are suitable for cron mail: the time, then the message; warnings and errors go to standard error.
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
