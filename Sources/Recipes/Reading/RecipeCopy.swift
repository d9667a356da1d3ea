import JSON

/// A run folder's copy of a recipe, as far as it can be read without the files that the recipe names.
public struct RecipeCopy: Sendable {
  /// The recipe as the manifest shows it.
  public let json: JSONValue
  /// Where to announce the run; nil if the address had secrets, which the copy does not contain.
  public let webhook: RecipeWebhook?
  /// Where to report the run; nil if the address had secrets.
  public let notify: RecipeNotify?
  /// Warnings about these addresses.
  public let warnings: [Diagnostic]

  /// Reads the copy.
  ///
  /// - Parameters:
  ///   - text: UTF-8.
  ///   - path: The file's name in errors.
  /// - Throws: Errors of the text, or of its webhook.
  public init(text: [UInt8], path: String) throws(RecipeErrors) {
    let document = try YAMLDocument(text) { SourcePosition(file: path, line: $0, column: $1) }
    let findings = Findings()
    findings.add(document.problems)
    guard let root = document.root, root.entries != nil else {
      throw RecipeErrors("found no recipe", at: SourcePosition(file: path, line: 1, column: 1))
    }
    json = JSONValue(root)
    webhook = root.value("webhook").flatMap { WebhookReader(findings: findings).webhook($0) }
    notify = root.value("notify").flatMap { NotifyReader(findings: findings).notify($0) }
    warnings = try findings.finish()
  }

  /// Writes a recipe again; comments and anchors are lost.
  ///
  /// - Parameter json: The recipe as the manifest shows it.
  /// - Returns: A text that reads as the same recipe; nil if it cannot be written.
  public static func text(of json: JSONValue) -> String? {
    YAMLWriter.text(of: YAMLNode(json, at: SourcePosition(file: "", line: 1, column: 1)))
  }
}
