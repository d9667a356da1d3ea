import Prompts
import Sampling
import Settings

/// Finds out what takes effect at which call of an image's passes, so that images that only differ later share their steps.
extension Engine {
  /// What takes effect at which call of a job's passes; see `ImageGenerator.changes(in:)`.
  ///
  /// - Parameter settings: The settings of a job.
  /// - Returns: The changes, in the order of their calls; nil if they are unknown, for example because the model cannot be
  ///   used.
  public func changes(in settings: ImageSettings) -> [CallChange]? {
    guard savesWork else { return nil }
    return try? changes(inFirst: settings) + changes(inSecond: settings)
  }

  private func changes(inFirst settings: ImageSettings) throws -> [CallChange] {
    let pass = settings.firstPass
    return try lastChanges.first.answer(pass, callsBefore: nil) { try CallChanges(catalog, pass).changes }
  }

  private func changes(inSecond settings: ImageSettings) throws -> [CallChange] {
    guard let pass = try catalog.passes(of: settings).second?.begun else { return [] }
    let calls = settings.sampler.plannedCalls(steps: settings.steps)
    return try lastChanges.second.answer(pass, callsBefore: calls) {
      try CallChanges(catalog, second: pass, callsBefore: calls).changes
    }
  }
}

/// The last result for a pass, because many jobs differ only in their seed or in the other pass.
struct LastChanges {
  private var pass: PassSettings?
  private var callsBefore: Int?
  private var changes: [CallChange]?

  /// The changes of a pass for any seed; they are computed unless the pass is the same as the last one.
  ///
  /// - Throws: The error of `compute`, or `UnknownChanges` if it threw for the same pass before.
  fileprivate mutating func answer(
    _ pass: PassSettings, callsBefore: Int?, compute: () throws -> [CallChange]
  ) throws -> [CallChange] {
    var key = pass
    key.seed = 0
    if self.pass != key || self.callsBefore != callsBefore {
      (self.pass, self.callsBefore, changes) = (key, callsBefore, nil)
      changes = try compute()
    }
    guard let changes else { throw UnknownChanges() }
    return changes
  }

  private struct UnknownChanges: Error {}
}

/// The changes during a pass.
private struct CallChanges {
  private(set) var changes: [CallChange] = []
  private let job: PassSettings
  private let calls: Int
  private let callsBefore: Int?

  /// The changes of a first pass.
  init(_ catalog: ModelCatalog, _ job: PassSettings) throws {
    self.init(job, callsBefore: nil)
    try addPrompts(catalog)
    addGuidance()
    addSkippedLayers()
    addForecast()
    try addRefiner(catalog)
    sort()
  }

  /// The changes of a second pass. What both passes have in common, such as the refiner, has already taken effect in the first.
  init(_ catalog: ModelCatalog, second job: PassSettings, callsBefore: Int) throws {
    self.init(job, callsBefore: callsBefore)
    try addPrompts(catalog)
    addGuidance()
    addSkippedLayers()
    addForecast()
    add(
      0, "cfg_scale \(job.cfgScale), distilled \(job.distilledCFGScale), merging \(job.tokenMergingRatio)")
    sort()
  }

  private init(_ job: PassSettings, callsBefore: Int?) {
    self.job = job
    self.callsBefore = callsBefore
    calls = job.sampler.plannedCalls(steps: job.steps)
  }

  private mutating func add(_ call: Int, _ text: String) {
    changes.append(CallChange(call: call, text: text, isInSecondPass: callsBefore != nil))
  }

  /// Sorts the changes in a stable order, because images are compared change by change.
  private mutating func sort() { changes.sort { ($0.call, $0.text) < ($1.call, $1.text) } }

  // MARK: Prompts

  private mutating func addPrompts(_ catalog: ModelCatalog) throws {
    let model = try catalog.models(for: job).model.files
    let library = try catalog.library(for: job)
    let parts = PromptParts(ExtraNetworkTag.split(job.prompt).text).parts
    let schedules = (parts.map(\.text) + [job.negativePrompt]).map {
      PromptSchedule($0, calls: calls, usesOldTimelines: job.timelines == .old, callsBefore: callsBefore)
    }
    for (index, schedule) in schedules.enumerated() {
      let name = index < parts.count ? "prompt \(index) of \(parts.count), weight \(parts[index].weight)" : "negative"
      let texts = schedule.entries.map(\.text)
      let isWhole = try !Set(texts).allSatisfy { try isIndependent($0) }
      if isWhole {
        // Emphasis restores the mean over all texts of a schedule, so each text affects all others.
        add(0, "\(name): \(schedule.entries)")
        continue
      }
      // Contexts have the length of the longest text, and an empty prompt can mean zeros if it stays empty.
      let counts = try Set(texts).map { try model.chunkCount(of: $0, job.effectiveEmphasis, library) }
      let length = counts.max() ?? 1
      add(0, "\(name): \(length) chunks, \(texts.allSatisfy(\.isEmpty) ? "empty" : "text")")
      addTexts(schedule, name)
    }
  }

  /// Whether a text has no weights.
  private func isIndependent(_ text: String) throws -> Bool {
    try PromptAttention.Run.runs(text, job.effectiveEmphasis).allSatisfy { $0.weight == 1 || $0.isBreak }
  }

  private mutating func addTexts(_ schedule: PromptSchedule, _ name: String) {
    var last: String?
    var call = 0
    for entry in schedule.entries {
      // Compare bytes: `String` treats more texts as equal than the prompt language does.
      if last.map({ !$0.utf8.elementsEqual(entry.text.utf8) }) ?? true {
        add(call, "\(name): \(entry.text)")
      }
      last = entry.text
      call = entry.end + 1
    }
    // After its last entry, a schedule starts again.
    if schedule.entries.count > 1 {
      add(call, "\(name), again: \(schedule.entries[0].text)")
    }
  }

  // MARK: Guidance and refiner

  private mutating func addGuidance() {
    let skips = GuidanceSkips(job).changes
    for change in skips { add(change.call, change.isSkipped ? "no guidance" : "guidance") }
    // Changes to guidance matter from its first call on, and rescaling applies to the result of skipped layers.
    let firstLayers = SkippedLayers(job)?.changes.first?.call
    guard let first = [skips.first { !$0.isSkipped }?.call, firstLayers].compactMap({ $0 }).min() else { return }
    let values = [
      ("rescale", job.effectiveCFGRescale, 0.0), ("eta", job.effectiveAPGEta, 1.0),
      ("norm", job.effectiveAPGNormThreshold, 0.0), ("momentum", job.effectiveAPGMomentum, 0.0),
    ]
    for (name, value, off) in values where value != off { add(first, "guidance \(name) \(value)") }
  }

  private mutating func addSkippedLayers() {
    guard let skipped = SkippedLayers(job) else { return }
    for change in skipped.changes {
      add(change.call, change.applies ? "without layers \(skipped.layers.text), \(skipped.scale)" : "all layers")
    }
  }

  /// Features are stored from the first call on; the interval matters only later.
  private mutating func addForecast() {
    guard let schedule = ForecastSchedule(job) else { return }
    add(0, "forecast")
    add(schedule.firstOwnCall, "forecast every \(schedule.interval) calls")
  }

  private mutating func addRefiner(_ catalog: ModelCatalog) throws {
    guard let refiner = job.refiner else { return }
    let identity = try catalog.model(ModelCatalog.Checkpoint(refiner)).identity
    guard try identity.sha256 != catalog.model(ModelCatalog.Checkpoint(job)).identity.sha256 else { return }
    let step = try firstRefinedStep(catalog)
    let call = step * job.sampler.plannedCalls(steps: 1)
    add(call, "refiner \(identity.sha256) \(identity.path ?? "") at \(job.refinerSwitchAt)")
  }

  /// The last step before which the refiner cannot have taken over: a step's first call is at the step's noise level, a second
  /// call may be at the next step's level.
  private func firstRefinedStep(_ catalog: ModelCatalog) throws -> Int {
    let training = try catalog.training(job)
    let sampling = SamplingSettings(job, channels: try catalog.channels(job))
    let sigmas = SamplingLoop.sigmas(sampling, training: training)
    let switchAt = Float(job.refinerSwitchAt)
    // Samplers that choose their noise levels as they go, and those that use timesteps, might switch at any time.
    guard job.sampler.stepsThroughSigmas else { return 0 }
    let index = sigmas.firstIndex { training.completedPart(atSigma: $0, of: job.sampler) >= switchAt } ?? sigmas.count
    return job.sampler.isSecondOrder ? max(0, index - 1) : index
  }
}
