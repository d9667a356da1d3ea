import Foundation
import Testing

/// The commands and their options, as ArgumentParser's `--experimental-dump-help` describes them.
struct CommandDump: Decodable {
  struct Command: Decodable {
    var commandName: String
    var abstract: String?
    var discussion: String?
    var arguments: [Argument]?
    var subcommands: [Command]?

    /// The options of the command, without those that every command has.
    var ownArguments: [Argument] {
      (arguments ?? []).filter { $0.shouldDisplay && !["help", "version"].contains($0.preferredName?.name) }
    }

    /// The options by their long names, with the dashes.
    var optionNames: [String] {
      (arguments ?? []).flatMap { ($0.names ?? []).filter { $0.kind == "long" } }.map { "--\($0.name)" }
    }

    /// The exit codes that the help names.
    var exitCodes: [String]? {
      guard let discussion, let start = discussion.range(of: "Exit codes: ") else { return nil }
      return discussion[start.upperBound...].matches(of: /(?:^|; | and )(\d+)/).map { String($0.1) }
    }
  }

  struct Argument: Decodable {
    struct Name: Decodable {
      var kind: String
      var name: String
    }

    var kind: String
    var abstract: String?
    var valueName: String?
    var defaultValue: String?
    var preferredName: Name?
    var names: [Name]?
    var shouldDisplay: Bool

    /// The name on the command line.
    var usage: String {
      let value = valueName.map { "<\($0)>" } ?? ""
      guard let name = preferredName?.name else { return value }
      return kind == "flag" ? "--\(name)" : "--\(name) \(value)"
    }
  }

  var command: Command

  /// The program's commands, except `help`.
  var commands: [Command] { (command.subcommands ?? []).filter { $0.commandName != "help" } }

  /// Asks the program.
  static func ofProgram() async throws -> CommandDump {
    let space = try Workspace(recipe: nil)
    let output = try await space.run("--experimental-dump-help").output
    return try JSONDecoder().decode(CommandDump.self, from: Data(output.utf8))
  }

  /// The commands and the words of those with subcommands, by their names on the command line: "queue add".
  private var named: [(name: String, command: Command)] {
    commands.flatMap { command in
      [(command.commandName, command)]
        + (command.subcommands ?? []).filter { $0.commandName != "help" }.map {
          ("\(command.commandName) \($0.commandName)", $0)
        }
    }
  }

  /// The command in a line with these words; `run` if it names none.
  func command(of words: some Collection<String>) -> Command? {
    let line = words.joined(separator: " ") + " "
    let found = named.filter { line.hasPrefix($0.name + " ") }.max { $0.name.count < $1.name.count }
    return found?.command ?? commands.first { $0.commandName == "run" }
  }

  /// The part of the manual that is derived from the definitions.
  var reference: String {
    named.map { name, command in
      var text = "## \(name)\n\n"
      for paragraph in [command.abstract, command.discussion].compactMap({ $0 }) { text += paragraph + "\n\n" }
      guard !command.ownArguments.isEmpty else { return text }
      text += "| option | meaning |\n|---|---|\n"
      for argument in command.ownArguments {
        let value = argument.defaultValue.map { " (default: \($0))" } ?? ""
        let meaning = ((argument.abstract ?? "") + value).replacingOccurrences(of: "|", with: "\\|")
        text += "| `\(argument.usage)` | \(meaning) |\n"
      }
      return text + "\n"
    }.joined().trimmingCharacters(in: .newlines) + "\n"
  }
}
