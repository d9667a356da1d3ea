import ArgumentParser
import Foundation
import JSON
import Runs
import Text

/// `sdbatch status [DIR...]`
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show the state of runs, from their folders; they may be in progress.",
    discussion: """
      For one run folder, or the recipe of one, shows that run. For a folder that contains runs, or several arguments, shows a line \
      for each run. Without an argument: Output if it exists, otherwise the current folder. Exit codes: 0 the state is known; 10 no run \
      was found, or a damaged file would make the next run end with 10, which is reported after the state.
      """)

  @Argument(help: "Run folders such as Output/fish, folders with runs, or recipes.", completion: .file())
  var paths: [String] = []

  @Flag(help: "Update the output every two seconds, until Ctrl-C.")
  var watch = false

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    if watch, json { throw ValidationError("--watch and --json exclude each other") }
  }

  func run() throws {
    let paths = paths.isEmpty ? [access("Output", F_OK) == 0 ? "Output" : "."] : paths
    // For a single run, everything is shown.
    let runs = try paths.flatMap(RunSearch.runs)
    let isSingle = self.paths.count == 1 && runs.count == 1 && runs[0].name == self.paths[0]
    guard watch else { return try isSingle ? show(runs[0].folder) : showAll(runs) }
    while true {
      // Runs may begin and end in the meantime.
      let text =
        try isSingle ? Self.lines(runs[0].folder) : Self.table((try? paths.flatMap(RunSearch.runs)) ?? runs)
      if Console.isTerminal { Console.screen(text) } else { Console.output(text: text) }
      sleep(2)
    }
  }

  // MARK: One run

  private func show(_ folder: RunFolder) throws {
    if json {
      Console.output(json: try RunStatus(folder).json.jsonText)
    } else {
      Console.output(text: try Self.lines(folder))
    }
    if let obstacle = folder.obstacles().first { throw obstacle }
  }

  private static func lines(_ folder: RunFolder) throws -> String {
    let status = try RunStatus(folder)
    var lines = [status.text(time: shown)]
    if let night = lastNight(folder) { lines.append("last night: \(night)") }
    if let current = status.current { lines.append(line(current)) }
    return lines.joined(separator: "\n")
  }

  /// A time: short and local for people at a terminal, ISO 8601 in UTC for logs and programs.
  private static func shown(_ time: String) -> String { Console.isTerminal ? TimeText.local(time) : time }

  /// "2026-11-28, 16 of 16"; nil for a run without a nightly series.
  private static func lastNight(_ folder: RunFolder) -> String? {
    guard let list = try? NightList(folder), list.isSeries, let night = list.nights.first else { return nil }
    let failed = night.counts.failed > 0 ? ", \(night.counts.failed) failed" : ""
    return "\(night.date), \(night.counts.done) of \(night.counts.total) done\(failed)"
  }

  /// "making image 3 of 12 (job 7): step 5 of 20, 1.25 s/step, 3m12s left".
  private static func line(_ current: CurrentImage) -> String {
    var parts = [current.stage]
    if let step = current.step, let steps = current.steps { parts = ["step \(step) of \(steps)"] }
    if let pace = current.secondsPerStep { parts.append("\(Pace.seconds(pace))/step") }
    if let left = current.secondsLeft { parts.append("\(Pace.duration(left)) left") }
    return "making image \(current.number) of \(current.count) (job \(current.index)): \(parts.joined(separator: ", "))"
  }

  // MARK: Several

  private func showAll(_ runs: [(name: String, folder: RunFolder)]) throws {
    if json {
      Console.output(
        json: JSONValue.object([
          JSONMember("runs", .array(try runs.map { try RunStatus($0.folder).json }))
        ]).jsonText)
    } else {
      Console.output(text: try Self.table(runs))
    }
  }

  private static func table(_ runs: [(name: String, folder: RunFolder)]) throws -> String {
    var total = RunCounts()
    var rows: [[String]] = []
    for (name, folder) in runs {
      // A damaged run must not hide the others.
      guard let status = try? RunStatus(folder) else {
        rows.append([name.printableLine, "-", "-", "-", "cannot be read", "-"])
        continue
      }
      let counts = status.counts
      total.done += counts.done
      total.failed += counts.failed
      total.pending += counts.pending
      let images = status.shards.compactMap(\.current) + (status.current.map { [$0] } ?? [])
      let left = images.compactMap(\.secondsLeft).max()
      let isRunning = status.holder != nil || !images.isEmpty
      let state = left.map { Pace.duration($0) + " left" } ?? (isRunning ? "running" : "-")
      rows.append([
        name.printableLine, "\(counts.done)", text(counts.failed), text(counts.pending), state,
        lastNight(folder) ?? status.lastActivity.map(shown) ?? "-",
      ])
    }
    if rows.count > 1 {
      rows.append(["\(rows.count) runs", "\(total.done)", text(total.failed), text(total.pending), "", ""])
    }
    return TextTable.lines(["run", "done", "failed", "to do", "time", "last night"], rows).joined(separator: "\n")
  }

  private static func text(_ count: Int) -> String { count == 0 ? "-" : "\(count)" }
}
