import Foundation
import Runs
import Text

/// A task as a line of the user's crontab, after a line that says which program wrote it.
struct CrontabLine {
  let task: NightlyTask

  private static let mark = "# sdbatch nightly "

  /// The line before it, by which the task is found again.
  private var heading: String { "\(Self.mark)\(task.name): installed by sdbatch install-nightly, --remove removes it" }

  /// The line.
  var text: String {
    let words = ([task.program, task.recipe] + task.arguments).map(Self.quoted).joined(separator: " ")
    let command = "cd \(Self.quoted(task.folder)) && \(words)"
    // Cron turns a percent sign into a line feed.
    return "\(task.time.minute) \(task.time.hour) * * *  " + command.replacingOccurrences(of: "%", with: "\\%")
  }

  /// A word for the shell.
  private static func quoted(_ word: String) -> String {
    let isPlain =
      !word.isEmpty && word.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "/._-=:,+@".contains($0)) }
    return isPlain ? word : "'" + word.replacingOccurrences(of: "'", with: "'\\''") + "'"
  }

  /// Adds or replaces the line.
  ///
  /// - Returns: The two lines that are in the crontab now.
  /// - Throws: `NightlyTaskError`.
  func install() throws -> String {
    let lines = "\(heading)\n\(text)\n"
    var table = try Self.read().without(task.name)
    if !table.isEmpty, !table.hasSuffix("\n") { table += "\n" }
    try Self.write(table + lines)
    guard try Self.read().contains(lines) else {
      throw NightlyTaskError("crontab does not show the line that was written")
    }
    return lines
  }

  /// Removes the line of a task.
  ///
  /// - Parameter name: The task.
  /// - Returns: Whether there was such a line.
  /// - Throws: `NightlyTaskError`.
  static func remove(_ name: String) throws -> Bool {
    let table = try read()
    let rest = table.without(name)
    if rest == table { return false }
    try write(rest)
    return true
  }

  private static func read() throws -> String {
    guard let answer = ExternalTool.run(["crontab", "-l"]) else {
      throw NightlyTaskError("there is no crontab here: install cron, or use --systemd")
    }
    if answer.status == 0 { return answer.output }
    // For a user without a crontab, it is empty.
    if answer.errors.contains("no crontab for") { return "" }
    throw NightlyTaskError("crontab -l: \(answer.reason)")
  }

  private static func write(_ table: String) throws {
    let answer = ExternalTool.run(["crontab", "-"], input: table)
    guard answer?.status == 0 else {
      throw NightlyTaskError("crontab refuses the table: \(answer?.reason ?? "it cannot be started")")
    }
  }

  /// Whether a line of the table is the heading of a task.
  fileprivate static func isHeading(_ line: Substring, of name: String) -> Bool { line.hasPrefix("\(mark)\(name):") }
}

extension String {
  /// The crontab without the two lines of a task.
  fileprivate func without(_ name: String) -> String {
    var kept: [Substring] = []
    var isNext = false
    for line in split(separator: "\n", omittingEmptySubsequences: false) {
      if CrontabLine.isHeading(line, of: name) {
        isNext = true
      } else if isNext {
        isNext = false
      } else {
        kept.append(line)
      }
    }
    return kept.joined(separator: "\n")
  }
}
