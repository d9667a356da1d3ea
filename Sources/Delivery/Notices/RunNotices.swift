import Foundation
import FoundationNetworking
import JSON
import Runs
import Settings
import Text

/// Where to report a run as a whole: that it started, and how it ended.
public struct NoticeTargets: Hashable, Sendable {
  /// An address in the form of healthchecks.io: `/start` and `/fail` are appended to it.
  public var ping: WebhookAddress?
  /// Who gets a mail if something goes wrong.
  public var mail: String?
  /// A command line for the shell.
  public var command: String?

  /// No targets.
  public init() {}

  /// Whether there is no target.
  public var isEmpty: Bool { ping == nil && mail == nil && command == nil }

  /// Adds the targets from a process's environment: `SDBATCH_NOTIFY_PING`, `SDBATCH_NOTIFY_MAIL` and `SDBATCH_NOTIFY_COMMAND`.
  /// They replace those of a recipe. Only the environment can name a command, because a recipe is data.
  ///
  /// - Parameter environment: The process's environment variables.
  /// - Throws: `WebhookOptionError` for an invalid value.
  public mutating func add(environment: [String: String]) throws(WebhookOptionError) {
    func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
    if let text = value("SDBATCH_NOTIFY_PING") {
      guard let address = WebhookAddress(text), !address.isRedacted else {
        throw WebhookOptionError(
          name: "SDBATCH_NOTIFY_PING", found: "a value that may contain secrets",
          expected: "an address that begins with http:// or https://")
      }
      ping = address
    }
    if let text = value("SDBATCH_NOTIFY_MAIL") {
      guard Self.isMailAddress(text) else {
        throw WebhookOptionError(name: "SDBATCH_NOTIFY_MAIL", found: text, expected: "a user or a mail address")
      }
      mail = text
    }
    command = value("SDBATCH_NOTIFY_COMMAND") ?? command
  }

  /// Whether a text may be given to `sendmail` as a recipient.
  public static func isMailAddress(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count < 255 && !text.hasPrefix("-")
      && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "@._+-".contains($0)) }
  }
}

/// Reports a run as a whole. A notice that cannot be sent is a warning, and never changes how the run ends.
public final class RunNotices {
  private enum Occasion: String {
    case start, success, failure
  }

  private let targets: NoticeTargets
  private let folder: RunFolder
  private let userAgent: String
  private let warn: (String) -> Void
  private var hasStarted = false

  /// The time limit of an attempt.
  private static let patience = Duration.seconds(10)

  /// Creates the notices of a run.
  ///
  /// - Parameters:
  ///   - targets: Where to report.
  ///   - folder: The run folder.
  ///   - version: The version of this program.
  ///   - warn: Receives why a notice could not be sent.
  public init(_ targets: NoticeTargets, of folder: RunFolder, version: String, warn: @escaping (String) -> Void) {
    (self.targets, self.folder, self.warn) = (targets, folder, warn)
    userAgent = "sdbatch/\(version)"
  }

  /// Reports that the check has passed and the work starts.
  public func start() {
    hasStarted = true
    send(.start, "\(folder.path): begins", code: nil)
  }

  /// Reports how the run ended.
  ///
  /// - Parameters:
  ///   - summary: How it ended, on one line.
  ///   - code: Its exit code.
  public func end(_ summary: String, code: Int32) {
    guard hasStarted else { return }
    let news = newFailures()
    if news.isEmpty {
      send(.success, summary, code: code)
    } else {
      send(.failure, ([summary] + news).joined(separator: "\n"), code: code)
    }
  }

  /// Reports that the run ended with an error, before or after it started.
  ///
  /// - Parameters:
  ///   - message: The error.
  ///   - code: Its exit code.
  public func fail(_ message: String, code: Int32) { send(.failure, "\(folder.path): \(message)", code: code) }

  // MARK: Failures

  /// A line for each failed job whose error has not been reported yet. All jobs that fail now count as reported afterwards.
  private func newFailures() -> [String] {
    guard let failures = try? RunStatus(folder).failures else { return [] }
    let path = folder.file("notified.json")
    let known = (try? FileReader.bytes(of: path)).flatMap {
      try? JSONValue(parsing: String(decoding: $0, as: UTF8.self))
    }
    let news = failures.filter { known?["failures"]?[$0.id]?.text != $0.error }
    if known == nil, failures.isEmpty { return [] }
    let json: JSONValue = [
      "schema": 1,
      "failures": .object(failures.sorted { $0.id < $1.id }.map { JSONMember($0.id, .string($0.error)) }),
    ]
    do {
      try AtomicFile.write(Array((json.jsonText + "\n").utf8), to: path, on: Disk())
    } catch {
      warn("\(error)")
    }
    return news.map { "job \($0.index) (\($0.id.prefix(8))) failed: \($0.error)" }
  }

  // MARK: Sending

  private func send(_ occasion: Occasion, _ text: String, code: Int32?) {
    if let ping = targets.ping { self.ping(ping, occasion, text) }
    if let command = targets.command { run(command, occasion, text, code) }
    if let mail = targets.mail, occasion == .failure { self.mail(mail, text) }
  }

  private func ping(_ address: WebhookAddress, _ occasion: Occasion, _ text: String) {
    guard var parts = URLComponents(string: address.url) else { return }
    let (user, password) = (parts.user, parts.password)
    (parts.user, parts.password, parts.fragment) = (nil, nil, nil)
    while parts.path.hasSuffix("/") { parts.path.removeLast() }
    switch occasion {
    case .start: parts.path += "/start"
    case .success: break
    case .failure: parts.path += "/fail"
    }
    guard let url = parts.url else { return }
    var request = URLRequest(url: url)
    request.httpMethod = "POST"
    // Receivers truncate longer texts.
    request.httpBody = Data(text.utf8.prefix(10_000))
    request.setValue("text/plain; charset=utf-8", forHTTPHeaderField: "Content-Type")
    request.setValue("close", forHTTPHeaderField: "Connection")
    request.setValue(userAgent, forHTTPHeaderField: "User-Agent")
    if user != nil || password != nil {
      let text = "\(user ?? ""):\(password ?? "")"
      request.setValue("Basic " + Data(text.utf8).base64EncodedString(), forHTTPHeaderField: "Authorization")
    }
    do {
      let answer = try WebhookExchange.answer(to: request, until: .now + Self.patience, Self.patience)
      if !(200..<300).contains(answer.status) {
        warn("cannot ping \(address.redacted): the server answered \(answer.status), expected 200")
      }
    } catch {
      warn("cannot ping \(address.redacted): \(error)")
    }
  }

  private func run(_ command: String, _ occasion: Occasion, _ text: String, _ code: Int32?) {
    var environment = ProcessInfo.processInfo.environment
    environment["SDBATCH_EVENT"] = occasion.rawValue
    environment["SDBATCH_SUMMARY"] = text
    environment["SDBATCH_RUN"] = folder.path
    environment["SDBATCH_EXIT_CODE"] = code.map { "\($0)" } ?? ""
    if let problem = Self.process("/bin/sh", ["-c", command], input: text + "\n", environment) {
      warn("SDBATCH_NOTIFY_COMMAND: \(problem)")
    }
  }

  private func mail(_ address: String, _ text: String) {
    let programs = ["/usr/sbin/sendmail", "/usr/lib/sendmail"]
    let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/sendmail" }
    guard let program = (path + programs).first(where: { access($0, X_OK) == 0 }) else {
      return warn("cannot mail to \(address): there is no sendmail here")
    }
    let name = (folder.path as NSString).lastPathComponent.filter { !$0.isNewline }
    let message = """
      To: \(address)
      Subject: sdbatch: trouble with \(name)
      MIME-Version: 1.0
      Content-Type: text/plain; charset=utf-8
      Content-Transfer-Encoding: 8bit

      \(text)

      """
    if let problem = Self.process(program, ["-i", "--", address], input: message, ProcessInfo.processInfo.environment) {
      warn("cannot mail to \(address): \(problem)")
    }
  }

  /// Runs a program for at most a minute.
  ///
  /// - Returns: What went wrong; nil on success.
  private static func process(
    _ program: String, _ arguments: [String], input: String, _ environment: [String: String]
  ) -> String? {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.environment = environment
    let pipe = Pipe()
    process.standardInput = pipe
    process.standardOutput = FileHandle.nullDevice
    do {
      try process.run()
    } catch {
      return "it could not be started: \(error.localizedDescription)"
    }
    // The text fits into the pipe's buffer, and runs ignore SIGPIPE.
    try? pipe.fileHandleForWriting.write(contentsOf: Data(input.utf8.prefix(60_000)))
    try? pipe.fileHandleForWriting.close()
    let deadline = ContinuousClock.now + .seconds(60)
    while process.isRunning {
      if ContinuousClock.now > deadline {
        process.terminate()
        return "it was stopped after a minute"
      }
      usleep(10_000)
    }
    return process.terminationStatus == 0 ? nil : "it exited with \(process.terminationStatus)"
  }
}
