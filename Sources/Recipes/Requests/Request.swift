import Hashing
import JSON
import Settings
import Text

/// One txt2img request, read and checked: a body for the webui's API, with or without a serverless envelope.
public struct Request: Sendable {
  /// The position in the file.
  public let position: SourcePosition
  /// The label among the other requests of its file or folder: `line 3`, or a file's name; nil if it is the only one.
  public internal(set) var label: String?
  /// The request's own id; nil if it has none.
  public let givenID: String?
  /// The API whose defaults apply to missing fields.
  public let defaults: RequestAPI
  /// The request: the envelope's `input`, or the body itself.
  public let input: JSONValue
  /// Every field of the body, with its given or default value, under the webui's names and in the webui's order.
  public let parameters: JSONValue
  /// Where to post the response.
  public let webhook: WebhookAddress?
  /// The time limit of its execution, in milliseconds.
  public let executionTimeout: Int64?
  /// The time after the start of the run at which it expires, in milliseconds.
  public let timeToLive: Int64?
  /// The number of images in a batch.
  public let batchSize: Int
  /// The number of batches.
  public let iterations: Int
  /// Whether the response contains the images.
  public let sendsImages: Bool
  /// Whether the webui would save the images, and a grid if there are several.
  public let savesImages: Bool
  /// The names of its styles.
  public let styles: [String]
  /// The body's `denoising_strength`; only a second pass uses it.
  public let denoisingStrength: Double?

  /// The settings of all images; `seed` and `subseed` may still be -1.
  let settings: ImageSettings
  /// What resolves the prompts for each image; nil for prompts that are text.
  let prompts: RequestPrompts?
  /// A digest of the request, except its webhook.
  let digest: String

  /// The number of images.
  public var imageCount: Int { batchSize * iterations }
}

/// A request with its seeds drawn and its id set.
public struct PlannedRequest: Sendable {
  /// The request.
  public let request: Request
  /// The request's own id, or 32 hexadecimal digits that are derived from the request and the seeds.
  public let id: String
  /// The indices of its images in the plan.
  public let jobs: Range<Int>
  /// The first image's seed.
  public let seed: Int64
  /// The first image's subseed.
  public let subseed: Int64
  /// What resolves the prompts for each image, with its seed drawn.
  let prompts: RequestPrompts?

  /// The settings of one of its images. As in the webui, images have consecutive seeds, unless a subseed's noise is mixed in.
  ///
  /// - Parameter number: The image's number, from 0, batch after batch.
  /// - Returns: The settings of the image.
  public func parameters(_ number: Int) -> ImageSettings {
    var parameters = request.settings
    parameters.seed = parameters.subseedMatters ? seed : seed + Int64(number)
    parameters.subseed = subseed + Int64(number)
    prompts?.apply(to: &parameters, number: number)
    return parameters
  }
}

/// The requests of a file or a folder.
public struct RequestBatch: Sendable {
  /// The requests, in the order of the file or of the names of the folder's files.
  public let requests: [Request]

  /// Checks that ids are unique, and that there are not too many images.
  static func check(_ requests: [Request], _ findings: Findings) {
    var positions: [String: SourcePosition] = [:]
    for request in requests {
      guard let id = request.givenID else { continue }
      if let first = positions.updateValue(request.position, forKey: id) {
        findings.error(
          "found the id \(id) a second time, expected it once; the first is at \(first)", at: request.position)
      }
    }
    let count = requests.reduce(0) { $0 + $1.imageCount }
    if count > Recipe.jobLimit, let last = requests.last {
      findings.error("found \(count) images, expected \(Recipe.jobLimit) at most", at: last.position)
    }
  }

  /// Draws random seeds, and numbers the images.
  ///
  /// The key of a draw is the request's own id, or otherwise its content, so that the draw stays the same when requests are
  /// added or removed. Equal requests are distinguished by a number.
  ///
  /// - Parameters:
  ///   - seeds: The seeds of earlier runs; newly drawn seeds are added.
  ///   - generator: Draws new seeds.
  /// - Returns: Every request, in order.
  func planned(
    seeds: inout SeedDraws, using generator: inout some RandomNumberGenerator
  ) -> [PlannedRequest] {
    var repeats: [String: Int] = [:]
    var next = 0
    return requests.map { request in
      let number = repeats[request.digest, default: 0]
      repeats[request.digest] = number + 1
      let digest = number == 0 ? request.digest : "\(request.digest)#\(number)"
      let drawKey = "request[\(request.givenID ?? String(digest.prefix(16)) + (number == 0 ? "" : "#\(number)"))]"
      var settings = request.settings
      if settings.seed < 0 { settings.seed = seeds.seed(for: drawKey + ".seed", using: &generator) }
      if settings.subseed < 0 { settings.subseed = seeds.seed(for: drawKey + ".subseed", using: &generator) }
      var prompts = request.prompts
      if let own = prompts, own.drawsSeed {
        prompts = own.seeded(seeds.seed(for: drawKey + ".prompt_seed", using: &generator))
      }
      defer { next += request.imageCount }
      let subseed = settings.subseedMatters ? settings.subseed : 0
      return PlannedRequest(
        request: request,
        id: request.givenID ?? Self.id(of: "\(digest) \(settings.seed) \(subseed)"),
        jobs: next..<(next + request.imageCount), seed: settings.seed, subseed: settings.subseed,
        prompts: prompts)
    }
  }

  private static func id(of text: String) -> String {
    Hexadecimal.text(SHA256.hash(Array(text.utf8)).prefix(16))
  }
}

/// The images of requests as jobs; each is made on demand.
struct RequestJobs: Sequence, IteratorProtocol {
  private let requests: [PlannedRequest]
  private var requestIndex = 0
  private var number = 0
  /// Whether any request has more than one image.
  private let hasSeveralImages: Bool

  init(_ requests: [PlannedRequest]) {
    self.requests = requests
    hasSeveralImages = requests.contains { $0.jobs.count > 1 }
  }

  /// The next job; nil after the last.
  mutating func next() -> Job? {
    while requestIndex < requests.count, number >= requests[requestIndex].jobs.count {
      requestIndex += 1
      number = 0
    }
    guard requestIndex < requests.count else { return nil }
    let planned = requests[requestIndex]
    var axes: [AxisPosition] = []
    if requests.count > 1 {
      axes.append(
        AxisPosition(
          name: "request", value: planned.id, title: planned.request.givenID ?? planned.request.label ?? planned.id))
    }
    if hasSeveralImages { axes.append(AxisPosition(name: "image", value: "\(number)", title: "\(number)")) }
    defer { number += 1 }
    return Job(index: planned.jobs.lowerBound + number, axes: axes, settings: planned.parameters(number))
  }
}
