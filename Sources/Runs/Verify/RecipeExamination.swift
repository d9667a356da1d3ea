import Foundation
import JSON

/// The language of recipes, as far as a run folder's copy is concerned; runs themselves do not know it.
public struct RecipeLanguage: Sendable {
  /// Reads a copy: the recipe as the manifest shows it.
  let read: @Sendable (_ text: [UInt8]) -> Result<JSONValue, RecipeProblem>
  /// Writes a recipe; nil if it cannot be written.
  let write: @Sendable (JSONValue) -> String?

  /// A language.
  public init(
    read: @escaping @Sendable (_ text: [UInt8]) -> Result<JSONValue, RecipeProblem>,
    write: @escaping @Sendable (JSONValue) -> String?
  ) {
    (self.read, self.write) = (read, write)
  }
}

/// Why a text is not a recipe.
public struct RecipeProblem: Error, Hashable {
  /// What is wrong, and where.
  public var text: String

  /// A problem.
  public init(_ text: String) { self.text = text }
}

/// Compares `recipe.yaml` of a run folder with the recipe that the plan was made from.
struct RecipeExamination {
  /// What is wrong with it.
  private(set) var finding: Finding?
  /// What to write in its place; nil if it is a recipe, which somebody may have edited on purpose.
  private(set) var replacement: String?

  /// Examines the copy of a run.
  ///
  /// - Parameters:
  ///   - folder: The run.
  ///   - planned: The recipe in the plan.
  ///   - language: Reads the copy.
  init(_ folder: RunFolder, planned: JSONValue, _ language: RecipeLanguage) {
    // Requests have no copy.
    guard planned != .null, planned["requests"] == nil else { return }
    let problem: String
    do {
      let found = try language.read(FileReader.bytes(of: folder.recipe)).get()
      if found.jsonText == planned.jsonText { return }
      finding = Finding(
        kind: .recipe, file: folder.name(of: folder.recipe), problem: "is not the recipe that the plan was made from",
        remedy: "sdbatch \(folder.path) runs it as it is now; running the original recipe writes it again")
      return
    } catch let error as RecipeProblem {
      problem = "is not a recipe (\(error.text))"
    } catch RunError.notRead(_, let code) where code == ENOENT {
      problem = "is missing"
    } catch {
      problem = "cannot be read: \(error)"
    }
    let text = language.write(planned)
    if let text, case .success(let found) = language.read(Array(text.utf8)), found.jsonText == planned.jsonText {
      replacement = text
    }
    finding = Finding(
      kind: .recipe, file: folder.name(of: folder.recipe), problem: problem,
      remedy: "running the recipe again writes it again"
        + (replacement == nil ? "" : ", and so does --repair, from the plan and without comments"))
  }
}
