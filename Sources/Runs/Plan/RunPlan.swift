import JSON
import Settings

/// What a run is to do.
public struct RunPlan<Jobs: Sequence> where Jobs.Element == Job {
  /// The jobs in written order; may be walked through more than once, and gives the same each time.
  public var jobs: Jobs
  /// The recipe as the manifest shows it: an object.
  public var recipe: JSONValue
  /// The recipe as it took effect, for `recipe.yaml`; nothing to leave that file alone.
  public var recipeText: String?

  /// A plan.
  public init(jobs: Jobs, recipe: JSONValue, recipeText: String?) {
    self.jobs = jobs
    self.recipe = recipe
    self.recipeText = recipeText
  }
}

/// A plan whose jobs have identities: a few dozen bytes a job, so that a million fit in memory.
struct IdentifiedPlan<Jobs: Sequence> where Jobs.Element == Job {
  let jobs: Jobs
  /// The identity of each job.
  private(set) var ids: [JobID] = []
  /// What the jobs are made from, each once, in order of first use.
  private(set) var ingredients: [JobIngredients] = []
  /// Which of `ingredients` each job is made from.
  private(set) var groups: [Int32] = []
  /// Which batch of work the jobs of each of `ingredients` belong to; batches are done in the order of their numbers.
  private(set) var batches: [Int] = []
  /// The first job with the same identity; its own place for most.
  private(set) var firsts: [Int32] = []

  /// Finds out the identities.
  ///
  /// - Parameters:
  ///   - jobs: The jobs in order.
  ///   - generator: Says what each is made from.
  /// - Throws: What the generator throws.
  init(_ jobs: Jobs, _ generator: some ImageGenerator) throws {
    self.jobs = jobs
    var knownGroups: [JobIngredients: Int32] = [:]
    var knownIDs: [JobID: Int32] = [:]
    for job in jobs {
      let ingredients = try generator.ingredients(for: job.settings)
      let id = JobID(job.settings, ingredients)
      let place = Int32(ids.count)
      if knownGroups[ingredients] == nil {
        knownGroups[ingredients] = Int32(self.ingredients.count)
        self.ingredients.append(ingredients)
      }
      groups.append(knownGroups[ingredients] ?? 0)
      if knownIDs[id] == nil { knownIDs[id] = place }
      firsts.append(knownIDs[id] ?? place)
      ids.append(id)
    }
    batches = Self.batches(self.ingredients)
  }

  /// Jobs with equal weights make up a batch: first come those of one model, among them those with one checkpoint for the
  /// second pass and one refiner, among them those with the same LoRAs, and among these those with one VAE, each in the
  /// order in which they are first asked for. So a model is loaded once, whatever the order of a grid's axes; LoRAs change
  /// most of a model's layers, and a VAE is less than any of these.
  private static func batches(_ ingredients: [JobIngredients]) -> [Int] {
    var ranks: [[AnyHashable]: Int] = [:]
    func rank(_ key: [AnyHashable], _ place: Int) -> Int {
      if let rank = ranks[key] { return rank }
      ranks[key] = place
      return place
    }
    func text(_ loras: [LoRAIdentity]?) -> [String] {
      (loras ?? []).map { "\($0.sha256) \($0.textMultiplier) \($0.unetMultiplier) \($0.rankLimit ?? -1)" }
    }
    let keys = ingredients.enumerated().map { place, item -> [Int] in
      // Whoever makes the images knows a model by its place.
      let levels: [AnyHashable] = [
        item.model.sha256, item.model.path, item.precision, item.weightPacking, item.hiresModel?.sha256,
        item.hiresModel?.path, item.refiner?.sha256, item.refiner?.path, text(item.loras), text(item.hiresLoRAs),
        item.vae?.sha256, item.vae?.path,
      ]
      return levels.indices.map { rank(Array(levels[...$0]), place) }
    }
    let order = Set(keys).sorted { $0.lexicographicallyPrecedes($1) }
    let numbers = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
    return keys.map { numbers[$0] ?? 0 }
  }

  /// How many batches of work there are.
  var batchCount: Int { (batches.max() ?? -1) + 1 }

  /// The batch that a job belongs to.
  func batch(_ place: Int) -> Int { batches[Int(groups[place])] }

  var count: Int { ids.count }

  /// An engine with the precisions that these jobs run in, of several one after the other: `bf16, fp32`.
  func engine(_ engine: EngineDescription) -> EngineDescription {
    var engine = engine
    var precisions: [String] = []
    for ingredients in ingredients where !precisions.contains(ingredients.precision) {
      precisions.append(ingredients.precision)
    }
    if !precisions.isEmpty { engine.precision = precisions.joined(separator: ", ") }
    return engine
  }

  /// Whether this is the job that makes the picture of its identity.
  func isFirst(_ place: Int) -> Bool { Int(firsts[place]) == place }

  /// By place, whether a shard makes the picture of the first job with the same identity.
  ///
  /// - Parameter shard: Nothing for a run that makes all.
  /// - Returns: A value for each place.
  func places(of shard: Shard?) -> [Bool] {
    guard let shard else { return Array(repeating: true, count: count) }
    // In the order of the work: jobs of one model follow each other.
    let costs = jobs.map { job in
      let passes = [job.settings] + (job.settings.secondPass.map { [$0] } ?? [])
      return passes.reduce(0) { $0 + $1.steps * $1.width * $1.height }
    }
    let work = (0..<count).filter(isFirst).sorted { (batch($0), $0) < (batch($1), $1) }
    var owned = Array(repeating: false, count: count)
    for place in shard.places(work.lazy.map { costs[$0] }) { owned[work[place]] = true }
    return owned
  }

  /// Every job with its identity, in order; made one by one, for a list of them would fill the memory.
  var planned: some Sequence<IdentifiedJob> {
    jobs.enumerated().lazy.map { [ids, ingredients, groups] place, job in
      IdentifiedJob(id: ids[place], job: job, ingredients: ingredients[Int(groups[place])])
    }
  }
}
