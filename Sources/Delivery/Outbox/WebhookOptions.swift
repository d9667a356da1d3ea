import Foundation
import Runs

/// How announcements are delivered.
public struct WebhookOptions: Sendable {
  /// The most attempts for a document in one run.
  public var attempts = 3
  /// The time between two attempts.
  public var interval = Duration.seconds(10)
  /// The time limit of an attempt, plus a second for each MiB of the document.
  public var timeout = Duration.seconds(30)
  /// The secret that signs documents; nil for no signature.
  public var secret: [UInt8]?
  /// The name of the program for `User-Agent`.
  public var userAgent = "sdbatch"

  /// The defaults: three attempts, ten seconds apart, of at most thirty seconds each.
  public init() {}

  /// Reads a process's environment: `SDBATCH_WEBHOOK_SECRET`, `SDBATCH_WEBHOOK_ATTEMPTS`, and in seconds
  /// `SDBATCH_WEBHOOK_INTERVAL` and `SDBATCH_WEBHOOK_TIMEOUT`. Missing and empty variables mean the defaults.
  ///
  /// - Parameters:
  ///   - environment: The process's environment variables.
  ///   - version: The version of this program.
  /// - Throws: `WebhookOptionError` for an invalid value.
  public init(environment: [String: String], version: String) throws(WebhookOptionError) {
    userAgent = "sdbatch/\(version)"
    func number<Number>(
      _ name: String, _ limits: ClosedRange<Number>, _ expected: String, _ read: (String) -> Number?
    ) throws(WebhookOptionError) -> Number? {
      guard let text = environment[name], !text.isEmpty else { return nil }
      guard let number = read(text), limits.contains(number) else {
        throw WebhookOptionError(name: name, found: text, expected: expected)
      }
      return number
    }
    if let secret = environment["SDBATCH_WEBHOOK_SECRET"], !secret.isEmpty { self.secret = Array(secret.utf8) }
    let seconds = "seconds from 0 to 86400"
    attempts = try number("SDBATCH_WEBHOOK_ATTEMPTS", 1...1000, "a number from 1 to 1000") { Int($0) } ?? attempts
    interval =
      try number("SDBATCH_WEBHOOK_INTERVAL", 0...86_400, seconds) { Double($0) }.map { .seconds($0) } ?? interval
    timeout = try number("SDBATCH_WEBHOOK_TIMEOUT", 0...86_400, seconds) { Double($0) }.map { .seconds($0) } ?? timeout
  }
}

/// An environment variable with an invalid value.
public struct WebhookOptionError: InputFailure, Hashable, CustomStringConvertible {
  /// The variable.
  public var name: String
  /// Its value.
  public var found: String
  /// The values that are accepted.
  public var expected: String

  /// What was found, and what was expected.
  public var description: String { "\(name): found \"\(found.prefix(40))\", expected \(expected)" }
}

extension Duration {
  /// The duration in seconds.
  var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
