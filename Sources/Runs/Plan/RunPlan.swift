import JSON

/// What a run carries out, and what its folder keeps of the recipe.
public struct RunPlan {
  /// The jobs in written order.
  public let jobs: JobList
  /// The recipe as the manifest shows it: an object.
  public let recipe: JSONValue
  /// The effective recipe, for `recipe.yaml`; nil leaves that file alone.
  public let recipeText: String?

  /// A plan.
  public init(jobs: JobList, recipe: JSONValue, recipeText: String?) {
    self.jobs = jobs
    self.recipe = recipe
    self.recipeText = recipeText
  }
}
