import Diffusion
import Runs
import Settings

/// Checks the models of a run before anything is written, and prints what users should know about them.
final class ModelCheck {
  private let engine: Engine
  private let isQuiet: Bool
  private var summaries: Set<String> = []

  init(_ engine: Engine, isQuiet: Bool) {
    self.engine = engine
    self.isQuiet = isQuiet
  }

  /// The ingredients of a job.
  ///
  /// - Parameter settings: The settings of the job.
  /// - Returns: The models by digest, and the precision that will be used.
  /// - Throws: Why a model cannot be used.
  func ingredients(_ settings: ImageSettings) throws -> JobIngredients {
    defer { for note in engine.takeNotes() { Console.error("note: \(note)") } }
    let ingredients = try engine.ingredients(for: settings)
    if settings.memoryLimit > 0 {
      let plan = try engine.memoryPlan(for: settings)
      if !isQuiet, let summary = plan.summary, summaries.insert(summary).inserted { Console.error(summary) }
    }
    return ingredients
  }
}
