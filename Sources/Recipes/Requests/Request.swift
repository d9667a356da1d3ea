import Crypto
import JSON
import Settings
import Text

/// One txt2img request, read and checked: a body for the webui's API, alone or in a serverless envelope.
public struct Request: Sendable {
  /// Where it stands.
  public let position: SourcePosition
  /// What tells it from the others of its file or folder: `line 3`, or a file's name; nothing where it is the only one.
  public internal(set) var label: String?
  /// The id that the request brings.
  public let givenID: String?
  /// Whose values the fields have that it does not set.
  public let defaults: RequestDefaults
  /// What was asked for: the envelope's `input`, or the body itself.
  public let input: JSONValue
  /// Every field of the body with the value it came with or has by default, under the webui's names in its order.
  public let parameters: JSONValue
  /// Where to post the response.
  public let webhook: WebhookAddress?
  /// How long the work on it may take, in milliseconds.
  public let executionTimeout: Int64?
  /// How long after the start of the run it is of any use, in milliseconds.
  public let timeToLive: Int64?
  /// Images of one batch.
  public let batchSize: Int
  /// Batches.
  public let iterations: Int
  /// Whether the response holds the images.
  public let sendsImages: Bool
  /// Whether the webui would save the images, and make a grid of several.
  public let savesImages: Bool
  /// The styles that it names.
  public let styles: [String]
  /// The body's `denoising_strength`, which only a second pass reads.
  public let denoisingStrength: Double?

  /// The settings of all images; `seed` and `subseed` may still be -1.
  let settings: ImageSettings
  /// A digest of all that was asked for, but for where to post it.
  let digest: String

  /// How many images it asks for.
  public var imageCount: Int { batchSize * iterations }
}

/// A request with its seeds drawn and its id made.
public struct PlannedRequest: Sendable {
  /// What was asked for.
  public let request: Request
  /// The request's own id, or 32 hexadecimal digits made of all that was asked for and the seeds.
  public let id: String
  /// The places of its images in the plan.
  public let jobs: Range<Int>
  /// The first image's seed.
  public let seed: Int64
  /// The first image's subseed.
  public let subseed: Int64

  /// The settings of one of its images, as the webui counts the seeds on: not where another seed's noise is mixed in.
  ///
  /// - Parameter number: The image, from 0: batch after batch.
  /// - Returns: Its settings.
  public func parameters(_ number: Int) -> ImageSettings {
    var parameters = request.settings
    parameters.seed = parameters.subseedMatters ? seed : seed + Int64(number)
    parameters.subseed = subseed + Int64(number)
    return parameters
  }
}

/// The requests of a file or a folder.
public struct RequestBatch: Sendable {
  /// In the order of the file, or of the names of the folder's files.
  public let requests: [Request]

  /// Checks what requests may not have in common, and how many images they ask for.
  static func check(_ requests: [Request], _ findings: Findings) {
    var places: [String: SourcePosition] = [:]
    for request in requests {
      guard let id = request.givenID else { continue }
      if let first = places.updateValue(request.position, forKey: id) {
        findings.error(
          "found the id \(id) a second time, expected it once; it already stands at \(first)", at: request.position)
      }
    }
    let count = requests.reduce(0) { $0 + $1.imageCount }
    if count > Recipe.jobLimit, let last = requests.last {
      findings.error("found \(count) images, expected \(Recipe.jobLimit) at most", at: last.position)
    }
  }

  /// Draws the seeds that are left to chance and numbers the images.
  ///
  /// A draw goes by the request's own id, else by what it asks for, so that it stays when requests are added or removed;
  /// requests that are equal are told apart by their number.
  ///
  /// - Parameters:
  ///   - seeds: What earlier runs drew; what is drawn now is added.
  ///   - generator: Where new seeds come from.
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
      let place = "request[\(request.givenID ?? String(digest.prefix(16)) + (number == 0 ? "" : "#\(number)"))]"
      var settings = request.settings
      if settings.seed < 0 { settings.seed = seeds.seed(for: place + ".seed", using: &generator) }
      if settings.subseed < 0 { settings.subseed = seeds.seed(for: place + ".subseed", using: &generator) }
      defer { next += request.imageCount }
      let subseed = settings.subseedMatters ? settings.subseed : 0
      return PlannedRequest(
        request: request,
        id: request.givenID ?? Self.id(of: "\(digest) \(settings.seed) \(subseed)"),
        jobs: next..<(next + request.imageCount), seed: settings.seed, subseed: settings.subseed)
    }
  }

  private static func id(of text: String) -> String {
    Hexadecimal.text(SHA256.hash(data: Array(text.utf8)).prefix(16))
  }
}

/// The images of requests as jobs, each made when it is asked for.
struct RequestJobs: Sequence, IteratorProtocol {
  private let requests: [PlannedRequest]
  private var place = 0
  private var number = 0
  /// Whether some request asks for more than one image.
  private let hasSeveralImages: Bool

  init(_ requests: [PlannedRequest]) {
    self.requests = requests
    hasSeveralImages = requests.contains { $0.jobs.count > 1 }
  }

  /// The next job; nothing after the last.
  mutating func next() -> Job? {
    while place < requests.count, number >= requests[place].jobs.count {
      place += 1
      number = 0
    }
    guard place < requests.count else { return nil }
    let planned = requests[place]
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
