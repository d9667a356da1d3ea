import ArgumentParser
import JSON
import Runs
import Text

/// `sdbatch nights DIR`
struct NightsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nights",
    abstract: "List the nights of a run, newest first: images, failures, stars, time.",
    discussion: """
      The nights are those of a nightly series; for other runs, they are the dates on which work on the images began. Exit codes: 0; 10 not \
      a run folder.
      """)

  @Argument(help: "The run folder, such as Output/fish.", completion: .directory)
  var folder: String

  @Option(help: "List only this many nights, the newest ones.")
  var last: Int?

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    if let last, last < 1 { throw ValidationError("--last takes a number from 1 on") }
  }

  func run() throws {
    let list = try NightList(RunFolder(folder))
    let nights = list.nights.prefix(last ?? list.nights.count)
    if json {
      Console.output(
        json: JSONValue.object([
          JSONMember("folder", .string(list.folder)), JSONMember("series", .bool(list.isSeries)),
          JSONMember("nights", .array(nights.map(\.json))),
        ]).jsonText)
      return
    }
    if nights.isEmpty {
      Console.output("\(list.folder): no nights")
      return
    }
    let rows = nights.map { night in
      [
        "\(night.date)", "\(night.counts.done)/\(night.counts.total)", Self.text(night.counts.failed),
        Self.text(night.counts.pending), Self.text(night.forgotten), Self.text(night.starred),
        Pace.duration(night.seconds),
      ]
    }
    for line in TextTable.lines(["night", "images", "failed", "to do", "forgotten", "starred", "time"], rows) {
      Console.output(line)
    }
    for night in nights {
      for error in night.errors { Console.output("\(night.date): failed: \(error.printableLine)") }
    }
    if nights.count < list.nights.count { Console.output("and \(list.nights.count - nights.count) earlier") }
  }

  private static func text(_ count: Int) -> String { count == 0 ? "-" : "\(count)" }
}
