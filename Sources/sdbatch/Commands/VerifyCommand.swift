import ArgumentParser
import Delivery
import JSON
import Recipes
import Runs
import Text

/// `sdbatch verify DIR`
struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Read every byte of a run folder and compare it with its journal, plan and manifest.",
    discussion: """
      Exit codes: 0 all correct; 3 differences, one on each line; 10 not a run folder; 11 a run is in progress, \
      and --repair and --prune do not work then; 74 output could not be written.
      """)

  @Argument(help: "The run folder, such as Output/fish.", completion: .directory)
  var folder: String

  @Flag(help: "Make the next run repeat damaged images, remove leftovers, rewrite the manifest.")
  var repair = false

  @Flag(help: "Delete the images that are not in the current recipe, their thumbnails, and latents of lossy images.")
  var prune = false

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let folder = RunFolder(folder)
    let lock = repair || prune ? try RunLock(existing: folder) : nil
    var verification = try Verification(
      folder, lock: lock, language: .recipes, others: ResponseExamination.findings)
    var pruned: [String] = []
    if let lock {
      if repair { try verification.repair(lock) }
      if prune { pruned = try verification.prune(lock) }
    }
    if json {
      guard case .object(let members) = verification.json else { return }
      let more = JSONMember("pruned", .array(pruned.map { .string($0) }))
      Console.output(json: JSONValue.object(members + [more]).jsonText)
    } else {
      for finding in verification.findings { Console.output(finding.text) }
      for file in pruned {
        let isLatent = file.hasPrefix("checkpoints/")
        Console.output("\(file): deleted, \(isLatent ? "its image exists" : "it is not in the current recipe")")
      }
      Console.output(verification.summary)
    }
    if !verification.isClean { throw ExitStatus.difference }
  }
}

extension RecipeLanguage {
  /// The language of the copies that runs keep of recipes.
  static let recipes = RecipeLanguage { text in
    do throws(RecipeErrors) {
      return .success(try RecipeCopy(text: text, path: "recipe.yaml").json)
    } catch {
      return .failure(RecipeProblem(error.diagnostics.first.map { "\($0)".printableLine } ?? "\(error)"))
    }
  } write: {
    RecipeCopy.text(of: $0)
  }
}
