import ArgumentParser
import Batch
import JSON

/// `sdbatch status DIR`
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show how a run stands, from its folder; the run may be going on.")

  @Argument(help: "The run folder, such as Output/fish.")
  var folder: String

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let status = try RunStatus(RunFolder(folder))
    Console.output(json ? status.json.jsonText : status.text)
  }
}
