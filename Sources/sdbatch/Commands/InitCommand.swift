import ArgumentParser
import Foundation
import JSON
import Recipes
import Runs
import Text

/// `sdbatch init`
struct InitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init",
    abstract: "Write a recipe to start from.",
    discussion: """
      Asks for model, prompt and axes on a terminal, unless options give them; elsewhere, the defaults are the demo model, its \
      prompt and four seeds. It never overwrites a file. Exit codes: 0 done; 10 the recipe could not be used; 64 command line not \
      understood; 74 the file exists, or cannot be written.
      """)

  @Argument(help: "The recipe's file.", completion: .file(extensions: ["yaml", "yml"]))
  var file = "recipe.yaml"

  @Option(help: "The model: a name, a path, or demo.", completion: .file())
  var model: String?

  @Option(help: "The prompt.")
  var prompt: String?

  @Option(
    name: .customLong("axis"),
    help: ArgumentHelp("An axis of the grid, as in --axis cfg_scale=5,7,9. May be repeated.", valueName: "key=values"),
    completion: .list(RecipeKey.all.map { $0.name + "=" }))
  var axes: [String] = []

  @OptionGroup var places: ModelPlaces

  func run() throws {
    var recipe = NewRecipe(path: file)
    let asks = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1
    recipe.model = try model ?? (asks ? askForModel() : "demo")
    recipe.prompt = prompt ?? (asks ? ask("prompt", NewRecipe.demoPrompt) : NewRecipe.demoPrompt)
    var given = axes
    if given.isEmpty, asks {
      Console.output("An axis is a setting with several values, such as cfg_scale=5,7,9. An empty line ends the list.")
      while true {
        let axis = ask("axis", "")
        if axis.isEmpty { break }
        given.append(axis)
      }
    }
    for axis in given {
      guard let equals = axis.firstIndex(of: "="), equals != axis.startIndex else {
        throw ValidationError("--axis \(axis): expected a key and its values, such as cfg_scale=5,7,9")
      }
      recipe.axes.append((String(axis[..<equals]), String(axis[axis.index(after: equals)...])))
    }
    let count = try recipe.imageCount()
    try recipe.write()
    Console.output("\(file): \(Count(count, "image")); make them with: sdbatch \(file)")
  }

  // MARK: Questions

  /// Asks for one line; an empty answer means the proposal.
  private func ask(_ question: String, _ proposal: String) -> String {
    Console.live(proposal.isEmpty ? "\(question): " : "\(question) [\(proposal)]: ")
    let answer = (readLine() ?? "").trimmingCharacters(in: .whitespaces)
    return answer.isEmpty ? proposal : answer
  }

  /// Lists the checkpoints, and accepts a number, a name or a path.
  private func askForModel() throws -> String {
    let checkpoints = try places.library().checkpoints
    for (index, one) in checkpoints.enumerated() {
      Console.output("\(index + 1)  \(one.name)  (\(one.report?.family ?? ""))")
    }
    let answer = ask(checkpoints.isEmpty ? "model" : "model, by number or name", "demo")
    guard let number = Int(answer), checkpoints.indices.contains(number - 1) else { return answer }
    return checkpoints[number - 1].path
  }
}

/// A recipe to write.
private struct NewRecipe {
  static let demoPrompt = "a red circle on a white background"

  let path: String
  var model = "demo"
  var prompt = NewRecipe.demoPrompt
  /// Keys with their values as the user wrote them.
  var axes: [(key: String, values: String)] = []

  init(path: String) { self.path = path }

  /// The recipe with comments.
  var text: String {
    var lines = [
      "# Make the images with: sdbatch \(path.printableLine)",
      "# All keys: sdbatch help recipes",
      "",
      "model: \(Self.quoted(model))",
      "prompt: \(Self.quoted(prompt))",
      "# negative_prompt: \"\"",
      "steps: 20",
      "cfg_scale: 7",
      "# sampler_name: DPM++ 2M",
      "",
      "# Every combination of these values is an image. The last axis varies fastest.",
      "grid:",
    ]
    lines += axes.map { "  \($0.key): \(Self.list($0.values))" }
    if !axes.contains(where: { $0.key == "seed" }) { lines.append("  seed: [1, 2, 3, 4]") }
    return lines.joined(separator: "\n") + "\n"
  }

  /// A string in JSON's form, which is also YAML's double-quoted form; a plain word stays unchanged.
  private static func quoted(_ text: String) -> String {
    let isWord = !text.isEmpty && text.utf8.allSatisfy { UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 }
    return isWord && !["true", "false", "null", "yes", "no", "on", "off"].contains(text)
      ? text : JSONValue.string(text).jsonText
  }

  /// Values with commas between them as a list; ranges such as `1, 2, ..., 8` stay unchanged.
  private static func list(_ values: String) -> String {
    if values.hasPrefix("[") || values.contains("...") { return values }
    let parts = values.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    return "[" + parts.map { Double($0) != nil ? $0 : quoted($0) }.joined(separator: ", ") + "]"
  }

  /// The number of images.
  ///
  /// Throws `RecipeErrors` if the recipe cannot be used in its present form.
  func imageCount() throws -> Int {
    let recipe = try RecipeReader(environment: .ofProcess).read(text: Array(text.utf8), path: path)
    var seeds = SeedDraws()
    return try Plan(recipe: recipe, environment: .ofProcess, seeds: &seeds).count
  }

  /// Writes the file, unless it exists.
  func write() throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw RunError.notWritten(path: path, action: .write, code: errno) }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw RunError.notWritten(path: path, action: .write, code: errno) }
      written += count
    }
  }
}
