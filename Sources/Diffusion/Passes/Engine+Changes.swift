import Prompts
import Sampling
import Settings

/// What takes effect at which call of an image's first pass, so that images which differ only later share their steps.
extension Engine {
  /// What takes effect at which call of a job's first pass; see `ImageGenerator.changes(in:)`.
  ///
  /// - Parameter settings: The settings of a job.
  /// - Returns: The changes in order of their calls; nil if they are not known, for example because the model cannot be used.
  public func changes(in settings: ImageSettings) -> [CallChange]? {
    guard savesWork else { return nil }
    var key = settings.firstPass
    key.seed = 0
    if let last = lastChanges, last.settings == key { return last.changes }
    let changes = try? CallChanges(catalog, settings.firstPass).changes
    lastChanges = (key, changes)
    return changes
  }
}

/// The changes during a pass.
private struct CallChanges {
  private(set) var changes: [CallChange] = []
  private let job: PassSettings
  private let calls: Int

  init(_ catalog: ModelCatalog, _ job: PassSettings) throws {
    self.job = job
    calls = job.sampler.plannedCalls(steps: job.steps)
    try addPrompts(catalog)
    addGuidance()
    addSkippedLayers()
    addForecast()
    try addRefiner(catalog)
    // A stable order, since images are compared change by change.
    changes.sort { ($0.call, $0.text) < ($1.call, $1.text) }
  }

  // MARK: Prompts

  private mutating func addPrompts(_ catalog: ModelCatalog) throws {
    let model = try catalog.models(for: job).model.files
    let library = try catalog.library(for: job)
    let parts = PromptParts(ExtraNetworkTag.split(job.prompt).text).parts
    let schedules = (parts.map(\.text) + [job.negativePrompt]).map {
      PromptSchedule($0, calls: calls, usesOldTimelines: job.timelines == .old)
    }
    for (index, schedule) in schedules.enumerated() {
      let name = index < parts.count ? "prompt \(index) of \(parts.count), weight \(parts[index].weight)" : "negative"
      let texts = schedule.entries.map(\.text)
      let isWhole = try !Set(texts).allSatisfy { try isIndependent($0) }
      if isWhole {
        // Emphasis restores the mean over all texts of a schedule, so that each affects all.
        changes.append(CallChange(call: 0, text: "\(name): \(schedule.entries)"))
        continue
      }
      // Contexts are as long as the longest text needs, and an empty prompt can mean zeros if it stays empty.
      let counts = try Set(texts).map { try model.chunkCount(of: $0, job.effectiveEmphasis, library) }
      let length = counts.max() ?? 1
      changes.append(
        CallChange(call: 0, text: "\(name): \(length) chunks, \(texts.allSatisfy(\.isEmpty) ? "empty" : "text")"))
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
      // Compared as bytes: `String` takes more texts for equal than the prompt language does.
      if last.map({ !$0.utf8.elementsEqual(entry.text.utf8) }) ?? true {
        changes.append(CallChange(call: call, text: "\(name): \(entry.text)"))
      }
      last = entry.text
      call = entry.end + 1
    }
    // After its last entry, a schedule begins again.
    if schedule.entries.count > 1 {
      changes.append(CallChange(call: call, text: "\(name), again: \(schedule.entries[0].text)"))
    }
  }

  // MARK: Guidance and refiner

  private mutating func addGuidance() {
    let skips = GuidanceSkips(job).changes
    for change in skips {
      changes.append(CallChange(call: change.call, text: change.isSkipped ? "no guidance" : "guidance"))
    }
    // How guidance is changed matters from its first call on, and what the layers change is rescaled.
    let firstLayers = SkippedLayers(job)?.changes.first?.call
    guard let first = [skips.first { !$0.isSkipped }?.call, firstLayers].compactMap({ $0 }).min() else { return }
    let values = [
      ("rescale", job.effectiveCFGRescale, 0.0), ("eta", job.effectiveAPGEta, 1.0),
      ("norm", job.effectiveAPGNormThreshold, 0.0), ("momentum", job.effectiveAPGMomentum, 0.0),
    ]
    for (name, value, off) in values where value != off {
      changes.append(CallChange(call: first, text: "guidance \(name) \(value)"))
    }
  }

  private mutating func addSkippedLayers() {
    guard let skipped = SkippedLayers(job) else { return }
    for change in skipped.changes {
      changes.append(
        CallChange(
          call: change.call,
          text: change.applies ? "without layers \(skipped.layers.text), \(skipped.scale)" : "all layers"))
    }
  }

  /// From the first call on, features are noted; the interval counts later.
  private mutating func addForecast() {
    guard let schedule = ForecastSchedule(job) else { return }
    changes.append(CallChange(call: 0, text: "forecast"))
    changes.append(CallChange(call: schedule.firstOwnCall, text: "forecast every \(schedule.interval) calls"))
  }

  private mutating func addRefiner(_ catalog: ModelCatalog) throws {
    guard let refiner = job.refiner else { return }
    let identity = try catalog.model(ModelCatalog.Checkpoint(refiner)).identity
    guard try identity.sha256 != catalog.model(ModelCatalog.Checkpoint(job)).identity.sha256 else { return }
    let step = try firstRefinedStep(catalog)
    let call = step * job.sampler.plannedCalls(steps: 1)
    let text = "refiner \(identity.sha256) \(identity.path ?? "") at \(job.refinerSwitchAt)"
    changes.append(CallChange(call: call, text: text))
  }

  /// A step before which the refiner cannot have taken over: its first call is at the step's noise level, a second one may be
  /// at the next step's.
  private func firstRefinedStep(_ catalog: ModelCatalog) throws -> Int {
    let training = try catalog.training(job)
    let sampling = SamplingSettings(job, channels: try catalog.channels(job))
    let sigmas = SamplingLoop.sigmas(sampling, training: training)
    let switchAt = Float(job.refinerSwitchAt)
    // Samplers that choose their noise levels as they go, and those of timesteps, could switch at once as far as is known here.
    guard job.sampler.stepsThroughSigmas else { return 0 }
    let index = sigmas.firstIndex { training.completedPart(atSigma: $0, of: job.sampler) >= switchAt } ?? sigmas.count
    return job.sampler.isSecondOrder ? max(0, index - 1) : index
  }
}
