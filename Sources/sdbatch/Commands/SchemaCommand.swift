import ArgumentParser
import JSON
import Recipes

/// `sdbatch schema`
struct SchemaCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schema",
    abstract: "Print the JSON Schema (draft 2020-12) of recipes, for editors and checks.",
    discussion: """
      After sdbatch schema > recipe.schema.json, an editor with a YAML language server checks recipes that begin with the line \
      "# yaml-language-server: $schema=recipe.schema.json".
      """)

  func run() { Console.output(json: Self.lines(RecipeSchema.json, indent: "")) }

  /// JSON with one line for each member of larger objects.
  private static func lines(_ value: JSONValue, indent: String) -> String {
    let text = value.jsonText
    guard case .object(let members) = value, text.utf8.count + indent.utf8.count > 100, !members.isEmpty else {
      return text
    }
    let inner = indent + "  "
    let parts = members.map { inner + JSONValue.string($0.name).jsonText + ": " + lines($0.value, indent: inner) }
    return "{\n" + parts.joined(separator: ",\n") + "\n" + indent + "}"
  }
}
