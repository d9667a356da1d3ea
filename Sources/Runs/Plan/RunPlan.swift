import JSON

/// What a run does, and what its folder stores of the recipe.
public struct RunPlan {
  /// The jobs in written order.
  public let jobs: JobList
  /// The recipe as the manifest shows it: an object.
  public let recipe: JSONValue
  /// The effective recipe, for `recipe.yaml`; if nil, that file does not change.
  public let recipeText: String?

  /// A plan.
  public init(jobs: JobList, recipe: JSONValue, recipeText: String?) {
    self.jobs = jobs
    self.recipe = recipe
    self.recipeText = recipeText
  }
}
