import ArgumentParser
import JSON
import Runs

/// `sdbatch doctor`
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Check this machine before the first night: program, processor, fonts, models, disks, clock.",
    discussion: """
      It also times two steps of a recipe's first image, or of the demo model, so that plan can estimate the time. Exit codes: 0; \
      3 there are problems, on lines that begin with "problem".
      """)

  @Argument(help: "The recipe to time.", completion: .file(extensions: ["yaml", "yml"]))
  var recipe: String?

  @Flag(help: "Time nothing.")
  var noTiming = false

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    RunCommand.prepareProcess(nice: nil)
    if let recipe { _ = try RecipeOptions.read(recipe) }
    var findings: [Checkup.Finding] = []
    Checkup(recipe: recipe, times: !noTiming).run { finding in
      findings.append(finding)
      if !json {
        let level = finding.level.rawValue
        Console.output(
          level + String(repeating: " ", count: 9 - level.count) + finding.name
            + String(repeating: " ", count: 11 - finding.name.count) + finding.text)
      }
    }
    if json { Console.output(json: JSONValue.object([JSONMember("findings", .array(findings.map(\.json)))]).jsonText) }
    if findings.contains(where: { $0.level == .problem }) { throw ExitStatus.difference }
  }
}
