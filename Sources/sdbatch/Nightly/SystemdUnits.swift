import Foundation
import Runs
import Text

/// A task as a service and a timer of the user's systemd.
struct SystemdUnits {
  /// The name of the task.
  let name: String

  private static let mark = "# Installed by sdbatch install-nightly, which removes it with --remove."

  /// Whether the user's systemd answers.
  static var isRunning: Bool {
    let answer = ExternalTool.run(["systemctl", "--user", "is-system-running"])
    return answer.map {
      ["running", "degraded", "starting"].contains($0.output.trimmingCharacters(in: .whitespacesAndNewlines))
    } ?? false
  }

  private var unit: String { "sdbatch-\(name)" }
  private var service: String { "\(Self.folder)/\(unit).service" }
  private var timer: String { "\(Self.folder)/\(unit).timer" }

  private static var folder: String {
    let environment = ProcessInfo.processInfo.environment
    let home =
      environment["XDG_CONFIG_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
      ?? (environment["HOME"] ?? "") + "/.config"
    return home + "/systemd/user"
  }

  /// The files with their texts.
  func files(_ task: NightlyTask) -> [(path: String, text: String)] {
    let words = task.words.map(Self.quoted).joined(separator: " ")
    let clock = [task.time.hour, task.time.minute, task.time.second].map { $0.padded(to: 2) }.joined(separator: ":")
    return [
      (
        service,
        """
        \(Self.mark)
        [Unit]
        Description=sdbatch \(Self.percented((task.recipe as NSString).lastPathComponent))

        [Service]
        Type=oneshot
        WorkingDirectory=\(Self.percented(task.folder))
        ExecStart=\(words)
        Nice=10
        IOSchedulingClass=idle
        # 11: another run is using the folder. 75: stopped with work left. The next night continues.
        SuccessExitStatus=11 75
        # The current step may take a while with a large model.
        TimeoutStopSec=5min

        """
      ),
      (
        timer,
        """
        \(Self.mark)
        [Unit]
        Description=Starts sdbatch \(Self.percented((task.recipe as NSString).lastPathComponent)) every night

        [Timer]
        OnCalendar=*-*-* \(clock)
        # If the machine was off at this time, run as soon as it is on again.
        Persistent=true

        [Install]
        WantedBy=timers.target

        """
      ),
    ]
  }

  /// A word of a command line. In systemd's files, percent and dollar signs have to be escaped.
  private static func quoted(_ word: String) -> String {
    let escaped = percented(word).replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(
      of: "\"", with: "\\\""
    )
    .replacingOccurrences(of: "$", with: "$$")
    let isPlain =
      !word.isEmpty && word.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "/._-=:,+@".contains($0)) }
    return isPlain ? word : "\"\(escaped)\""
  }

  private static func percented(_ text: String) -> String { text.replacingOccurrences(of: "%", with: "%%") }

  /// Writes, verifies and enables the units.
  ///
  /// - Parameter task: The task.
  /// - Returns: What was done, and what is left to do; one line each.
  /// - Throws: `NightlyTaskError` if systemd refuses them, or if another program wrote a file with this name; `RunError`.
  func install(_ task: NightlyTask) throws -> [String] {
    let files = files(task)
    for file in files where access(file.path, F_OK) == 0 && !Self.isOurs(file.path) {
      throw NightlyTaskError("\(file.path) exists and was not written by sdbatch; choose another --name")
    }
    try Disk().makeFolder(Self.folder)
    for file in files { try AtomicFile.write(Array(file.text.utf8), to: file.path, on: Disk()) }
    var lines: [String] = []
    // Without a session, this folder does not exist, but systemd-analyze needs one.
    let hasSession = ProcessInfo.processInfo.environment["XDG_RUNTIME_DIR"] != nil
    let more = hasSession ? [:] : ["XDG_RUNTIME_DIR": NSTemporaryDirectory()]
    if let answer = ExternalTool.run(["systemd-analyze", "--user", "verify"] + files.map(\.path), adding: more) {
      guard answer.status == 0 else {
        for file in files { unlink(file.path) }
        throw NightlyTaskError("systemd-analyze verify: \(answer.reason)")
      }
      lines.append("verified by systemd-analyze")
    }
    guard Self.isRunning else {
      lines.append(
        "not enabled, since the user's systemd is not running here: systemctl --user enable --now \(unit).timer")
      return lines
    }
    for words in [["daemon-reload"], ["enable", "--now", "\(unit).timer"]] {
      let answer = ExternalTool.run(["systemctl", "--user"] + words)
      guard answer?.status == 0 else {
        throw NightlyTaskError(
          "systemctl --user \(words.joined(separator: " ")): \(answer?.reason ?? "cannot be started")")
      }
    }
    lines.append("enabled: systemctl --user list-timers shows it")
    lines.append("to run while you are not logged in: loginctl enable-linger")
    return lines
  }

  /// Disables and removes the units.
  ///
  /// - Returns: Whether there were any units.
  func remove() throws -> Bool {
    let all: [String] = [timer, service]
    let files = all.filter { access($0, F_OK) == 0 }
    if files.isEmpty { return false }
    for file in files where !Self.isOurs(file) {
      throw NightlyTaskError("\(file) was not written by sdbatch")
    }
    if Self.isRunning { _ = ExternalTool.run(["systemctl", "--user", "disable", "--now", "\(unit).timer"]) }
    for file in files { try Disk().remove(file) }
    if Self.isRunning { _ = ExternalTool.run(["systemctl", "--user", "daemon-reload"]) }
    return true
  }

  private static func isOurs(_ path: String) -> Bool {
    (try? FileReader.bytes(of: path)).map { String(decoding: $0, as: UTF8.self).hasPrefix(mark) } ?? false
  }
}
