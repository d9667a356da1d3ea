import ArgumentParser
import JSON
import Runs
import Text

/// `sdbatch status DIR`
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show the state of a run, from its folder; the run may be going on.")

  @Argument(help: "The run folder, such as Output/fish.", completion: .directory)
  var folder: String

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let status = try RunStatus(RunFolder(folder))
    if json {
      Console.output(json: status.json.jsonText)
      return
    }
    Console.output(text: status.text)
    if let current = status.current { Console.output(Self.line(current)) }
  }

  /// "making image 3 of 12 (job 7): step 5 of 20, 1.25 s/step, 3m12s left".
  private static func line(_ current: CurrentImage) -> String {
    var parts = [current.stage]
    if let step = current.step, let steps = current.steps { parts = ["step \(step) of \(steps)"] }
    if let pace = current.secondsPerStep { parts.append("\(Pace.seconds(pace))/step") }
    if let left = current.secondsLeft { parts.append("\(Pace.duration(left)) left") }
    return "making image \(current.number) of \(current.count) (job \(current.index)): \(parts.joined(separator: ", "))"
  }
}
