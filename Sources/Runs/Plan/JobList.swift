import Imaging
import Settings

/// The jobs of a run with their identities, computed once: the check before the run, the response documents and the runner
/// share them.
///
/// The settings of a job are expanded again for each use. Only its identity and two numbers stay in memory, 40 bytes per job,
/// so a million jobs fit in memory.
public struct JobList {
  /// The jobs in written order; every loop over them expands them again.
  public let jobs: AnySequence<Job>
  /// The identity of each job.
  public private(set) var ids: [JobID] = []
  /// The ingredients of the jobs, each once, in order of first use.
  private(set) var ingredients: [JobIngredients] = []
  /// For each job, the index of its ingredients in `ingredients`.
  private var groups: [Int32] = []
  /// For each job, the index of the first job with the same identity; for most jobs that is the job itself.
  private(set) var firsts: [Int32] = []
  /// For each index in `ingredients`, the batch of those jobs; batches are done in ascending order.
  let batches: [Int]
  /// For the first job with an identity, by its index: its settings for files, if they are not the default. They count for all
  /// jobs with the identity, which share the files.
  private var files: [Int32: ImageSettings] = [:]

  /// Identifies jobs; reads facts about models, and writes nothing.
  ///
  /// - Parameters:
  ///   - jobs: The jobs in order; every loop over them must give the same jobs.
  ///   - stopRequest: Asked before each look at a model, since it takes long to read new models.
  ///   - ingredients: Reports the ingredients of a job with these settings; called once for equal keys.
  /// - Throws: The first error that `ingredients` throws. If that error is one of those that are reported together, all jobs
  ///   are looked at first. Or `StopRequested`.
  public init(
    _ jobs: some Sequence<Job>, stopRequest: @escaping () -> StopReason? = { nil },
    ingredients: @escaping (ImageSettings) throws -> JobIngredients
  ) throws {
    self.jobs = AnySequence(jobs)
    var lookup = IngredientsLookup(stopRequest: stopRequest, ingredients: ingredients)
    var knownIDs: [JobID: Int32] = [:]
    var sequence = JobIDSequence()
    var lastGroup: Int32?
    ids.reserveCapacity(jobs.underestimatedCount)
    groups.reserveCapacity(jobs.underestimatedCount)
    firsts.reserveCapacity(jobs.underestimatedCount)
    for job in jobs {
      let isLikeLast = lastGroup != nil && sequence.onlySeedDiffers(job.settings)
      guard let group = isLikeLast ? lastGroup : try lookup.group(job.settings) else { continue }
      let id = sequence.next(job.settings, isLikeLast ? nil : lookup.found[Int(group)])
      lastGroup = group
      let index = Int32(ids.count)
      groups.append(group)
      let first = knownIDs[id] ?? index
      if first == index {
        knownIDs[id] = index
        if job.settings.hasOwnFiles {
          if let problem = LongText(job) { throw problem }
          files[index] = job.settings
        }
      }
      firsts.append(first)
      ids.append(id)
      if first != index { Self.share(&files[first], with: job.settings) }
    }
    try lookup.finish()
    self.ingredients = lookup.found
    batches = Self.batches(lookup.found)
  }

  /// Equal jobs share the files that the first of them asks for. If another job asks for other files, and none of the first
  /// job's files preserves the pixels, a lossless one is added; so responses can have the image in any format.
  private static func share(_ files: inout ImageSettings?, with other: ImageSettings) {
    guard let own = files?.encodings, own != other.encodings, !own.contains(where: \.isLossless) else { return }
    files?.otherFormats.append(.png)
  }

  /// The same jobs, some of them with images that already exist.
  ///
  /// - Parameters:
  ///   - list: The jobs.
  ///   - images: By a job's identity, the image to use instead.
  init(_ list: JobList, keeping images: [JobID: OtherImages.Image]) {
    jobs = list.jobs
    files = list.files
    ids.reserveCapacity(list.count)
    groups.reserveCapacity(list.count)
    firsts.reserveCapacity(list.count)
    // Only used ingredients count, in order of first use.
    var ingredients: [JobIngredients] = []
    var known: [JobIngredients: Int32] = [:]
    var firstIDs: [JobID: Int32] = [:]
    var last: (old: Int32, new: Int32)?
    for index in 0..<list.count {
      let image = images[list.ids[index]]
      let old = list.groups[index]
      if image != nil || last?.old != old {
        let item = image?.ingredients ?? list.ingredients[Int(old)]
        let group = known[item] ?? Int32(ingredients.count)
        if group == ingredients.count {
          known[item] = group
          ingredients.append(item)
        }
        groups.append(group)
        last = image == nil ? (old, group) : nil
      } else if let last {
        groups.append(last.new)
      }
      let id = image?.id ?? list.ids[index]
      ids.append(id)
      let first = firstIDs[id] ?? Int32(index)
      firstIDs[id] = first
      firsts.append(first)
    }
    self.ingredients = ingredients
    batches = Self.batches(ingredients)
  }

  /// The same jobs without some of them, with new numbers.
  ///
  /// - Parameters:
  ///   - list: The jobs.
  ///   - left: The identities of the jobs to leave out.
  init(_ list: JobList, without left: Set<JobID>) {
    let all = list.ids
    jobs = AnySequence { [jobs = list.jobs] in
      let iterator = jobs.makeIterator()
      var (position, index) = (0, 0)
      return AnyIterator {
        while var job = iterator.next() {
          defer { position += 1 }
          if left.contains(all[position]) { continue }
          job.index = index
          index += 1
          return job
        }
        return nil
      }
    }
    var kept: [Int32: Int32] = [:]
    // Only used ingredients count, in order of first use.
    var used: [Int32: Int32] = [:]
    for index in list.ids.indices where !left.contains(list.ids[index]) {
      // All jobs with an identity stay or go together, so the first one stays the first one.
      let new = Int32(ids.count)
      if list.isFirst(index) { kept[Int32(index)] = new }
      firsts.append(kept[list.firsts[index]] ?? new)
      ids.append(list.ids[index])
      let group = used[list.groups[index]] ?? Int32(ingredients.count)
      if group == ingredients.count {
        used[list.groups[index]] = group
        ingredients.append(list.ingredients[Int(list.groups[index])])
      }
      groups.append(group)
    }
    batches = Self.batches(ingredients)
  }

  /// The number of jobs; equal jobs are counted separately.
  public var count: Int { ids.count }

  /// The ingredients of the job at an index.
  public func ingredients(at index: Int) -> JobIngredients { ingredients[Int(groups[index])] }

  /// The files in which some of the images are kept.
  ///
  /// - Parameter isWanted: Whether to include an image.
  /// - Returns: The encodings by identity.
  public func encodings(_ isWanted: (JobID) -> Bool) -> [JobID: [ImageEncoding]] {
    var encodings: [JobID: [ImageEncoding]] = [:]
    for (index, id) in ids.enumerated() where isFirst(index) && isWanted(id) {
      encodings[id] = files[Int32(index)]?.encodings ?? [.png]
    }
    return encodings
  }

  /// Whether a job has a pattern for the name of its image.
  var hasFileNames: Bool { files.values.contains { !$0.fileName.isEmpty } }

  /// Whether a job has its own settings for files.
  var hasOwnFiles: Bool { !files.isEmpty }

  /// The batch of work that a job belongs to.
  func batch(_ index: Int) -> Int { batches[Int(groups[index])] }

  /// Whether this is the first job with its identity, which makes the image.
  func isFirst(_ index: Int) -> Bool { Int(firsts[index]) == index }

  /// Every job with its identity, in order; made one at a time, since an array of them would fill the memory.
  var identified: some Sequence<IdentifiedJob> {
    jobs.enumerated().lazy.map { index, job in identified(job, at: index) }
  }

  /// A job of the list with its identity.
  func identified(_ job: Job, at index: Int) -> IdentifiedJob {
    var job = job
    if let own = files[firsts[index]] {
      job.settings.takeFiles(of: own)
    } else if !isFirst(index) {
      job.settings.takeFiles(of: ImageSettings())
    }
    return IdentifiedJob(id: ids[index], job: job, ingredients: ingredients(at: index))
  }

  /// An engine with the precisions in which these jobs run; several are joined: `bf16, fp32`.
  func engine(_ engine: EngineDescription) -> EngineDescription {
    var engine = engine
    var precisions: [String] = []
    for ingredients in ingredients where !precisions.contains(ingredients.precision) {
      precisions.append(ingredients.precision)
    }
    if !precisions.isEmpty { engine.precision = precisions.joined(separator: ", ") }
    return engine
  }
}

/// A job whose prompts are too long for the text of a JPEG.
struct LongText: InputFailure, CustomStringConvertible {
  let description: String

  /// Describes the problem of a job; nil for a job whose text fits.
  init?(_ job: Job) {
    let isJPEG = job.settings.encodings.contains { if case .jpeg = $0 { true } else { false } }
    guard isJPEG else { return nil }
    let texts = [
      job.settings.prompt, job.settings.negativePrompt, job.settings.hires?.prompt ?? "",
      job.settings.hires?.negativePrompt ?? "",
    ]
    let count = texts.reduce(0) { $0 + $1.utf16.count }
    // The settings follow the prompts.
    guard count > PictureFile.longestJPEGText - 2000 else { return nil }
    description =
      "job \(job.index): the prompts have \(count) characters, and a JPEG file can contain at most \(PictureFile.longestJPEGText - 2000); "
      + "use format: png or webp"
  }
}

/// Finds the ingredients of jobs, and looks at each model once.
private struct IngredientsLookup {
  /// What was found, each once, in order of first use.
  private(set) var found: [JobIngredients] = []
  private let stopRequest: () -> StopReason?
  private let ingredients: (ImageSettings) throws -> JobIngredients
  private var groups: [JobIngredients: Int32] = [:]
  private var known: [ImageSettings.IngredientsKey: Int32] = [:]
  private var failures: [any InputFailure] = []

  /// Keys contain prompts, and a plan may have as many prompts as jobs.
  private static let limit = 10_000

  init(stopRequest: @escaping () -> StopReason?, ingredients: @escaping (ImageSettings) throws -> JobIngredients) {
    self.stopRequest = stopRequest
    self.ingredients = ingredients
  }

  /// The index in `found` of a job's ingredients; nil after an error, which `finish` reports.
  mutating func group(_ settings: ImageSettings) throws -> Int32? {
    let key = settings.ingredientsKey
    if let group = known[key] { return group }
    if let reason = stopRequest() { throw StopRequested(reason) }
    let item: JobIngredients
    do {
      item = try ingredients(settings)
    } catch let error as any InputFailure where error.isReportedWithOthers {
      failures.append(error)
      return nil
    }
    let group = groups[item] ?? Int32(found.count)
    if group == found.count {
      groups[item] = group
      found.append(item)
    }
    if known.count >= Self.limit { known.removeAll() }
    known[key] = group
    return group
  }

  /// Throws all errors at once.
  func finish() throws { if !failures.isEmpty { throw InputFailures(failures) } }
}
