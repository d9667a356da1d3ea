import Hashing
import Infotext
import JSON
import Recipes
import Runs
import Settings
import Text

/// What to answer: a request, and the images of the plan that belong to it.
public struct ResponseOrder: Sendable {
  /// The name of the answer and of its file.
  public var id: String
  /// What was requested, for the answer's `input`.
  public var input: JSONValue
  /// What was requested, with all defaults, for the answer's `parameters`.
  public var parameters: JSONValue
  /// The indices of the images in the plan.
  public var jobs: Range<Int>
  /// Where to announce the answer.
  public var webhook: WebhookAddress?
  /// How long the work may take, in milliseconds.
  public var executionTimeout: Int64?
  /// How long after the start of the run the answer is still wanted, in milliseconds.
  public var timeToLive: Int64?
  /// Whether the answer contains the images.
  public var sendsImages: Bool
  /// Whether a grid comes before the images if there are several.
  public var makesGrid: Bool
  /// What the answer's `info` takes from the request.
  public var info: GenerationInfo.Request
  /// Returns the settings of an image by its number within the order; nil if they must be looked up in the plan.
  let settings: (@Sendable (Int) -> ImageSettings)?

  /// Creates the order of a request.
  public init(_ planned: PlannedRequest) {
    let request = planned.request
    id = planned.id
    input = request.input
    parameters = request.parameters
    jobs = planned.jobs
    webhook = request.webhook
    executionTimeout = request.executionTimeout
    timeToLive = request.timeToLive
    sendsImages = request.sendsImages
    makesGrid = request.savesImages && planned.jobs.count > 1
    info = GenerationInfo.Request(
      batchSize: request.batchSize, styles: request.styles, denoisingStrength: request.denoisingStrength,
      hasGrid: makesGrid)
    settings = { planned.parameters($0) }
  }

  /// The orders of a recipe's webhook: one for the run, or one for each image.
  ///
  /// - Parameters:
  ///   - webhook: The recipe's `webhook`.
  ///   - occasion: What to announce: the run or each image.
  ///   - recipe: The recipe as the manifest shows it.
  ///   - jobs: The plan's jobs.
  /// - Returns: Orders; equal jobs share one order.
  public static func orders(
    of webhook: RecipeWebhook, per occasion: RecipeWebhook.Occasion, recipe: JSONValue, jobs: JobList
  ) -> [ResponseOrder] {
    let ids = jobs.ids
    switch occasion {
    case .run:
      var hash = SHA256()
      for id in ids { hash.update(Array(id.description.utf8)) }
      let id = Hexadecimal.text(hash.finalize().prefix(16))
      return ids.isEmpty
        ? [] : [ResponseOrder(id: id, input: recipe, parameters: recipe, jobs: 0..<ids.count, webhook)]
    case .job:
      var seen: Set<JobID> = []
      return zip(jobs.jobs, ids).enumerated().compactMap { index, pair in
        guard seen.insert(pair.1).inserted else { return nil }
        let settings = ImageRecipe.json(pair.0.settings)
        return ResponseOrder(
          id: pair.1.description, input: settings, parameters: settings, jobs: index..<(index + 1), webhook)
      }
    }
  }

  private init(
    id: String, input: JSONValue, parameters: JSONValue, jobs: Range<Int>, _ webhook: RecipeWebhook
  ) {
    self.id = id
    self.input = input
    self.parameters = parameters
    self.jobs = jobs
    self.webhook = webhook.address
    sendsImages = webhook.sendsImages
    makesGrid = false
    info = GenerationInfo.Request()
    settings = nil
  }

  /// A digest of the request and the ids of its images.
  func digest(_ ids: some Sequence<JobID>) -> String {
    var hash = SHA256()
    hash.update(Array(input.jsonText.utf8))
    hash.update(Array(parameters.jsonText.utf8))
    for id in ids { hash.update(Array(id.description.utf8)) }
    return Hexadecimal.text(hash.finalize())
  }
}
