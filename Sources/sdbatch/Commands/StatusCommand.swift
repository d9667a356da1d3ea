import ArgumentParser
import JSON
import Runs
import Text

/// `sdbatch status DIR`
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show the state of a run, from its folder; the run may be going on.",
    discussion: """
      Exit codes: 0 the state is known; 10 not a run folder, or the next run would end with 10 because of a damaged file in it, \
      which is reported after the state.
      """)

  @Argument(help: "The run folder, such as Output/fish.", completion: .directory)
  var folder: String

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let folder = RunFolder(folder)
    let status = try RunStatus(folder)
    if json {
      Console.output(json: status.json.jsonText)
    } else {
      Console.output(text: status.text)
      if let current = status.current { Console.output(Self.line(current)) }
    }
    if let obstacle = folder.obstacles().first { throw obstacle }
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
