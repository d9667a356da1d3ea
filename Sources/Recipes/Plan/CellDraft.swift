import Foundation
import Prompts
import Settings

/// The settings of one cell while they are put together. Base, axes and extra cells write into it; later values replace earlier
/// ones.
struct CellDraft {
  /// The settings that depend on one key each; `hires` is never nil, even if the cell has no second pass.
  var settings = ImageSettings()
  var basePrompt = ""
  var promptAppend = ""
  var baseNegativePrompt = ""
  var negativePromptAppend = ""
  /// Whether comments are removed from the prompts.
  var stripsComments = true
  /// Replaces the base prompt.
  var matrix: MatrixCombination?
  /// Replaces the base negative prompt.
  var negativeMatrix: MatrixCombination?
  /// The edits of both prompts, in this order.
  var edits: [PlacedEdit] = []
  var styles: [PromptStyle] = []
  var stylesAppend: [PromptStyle] = []
  /// Whether wildcards are replaced.
  var hasWildcards = true
  /// The replacements of wildcards, by name.
  var wildcards: [String: String] = [:]
  /// Resolves dynamic prompts; nil while the recipe is read, or if they are off.
  var dynamic: DynamicPrompts?
  /// The seed for dynamic prompts; nil for the image's own.
  var promptSeed: Int64?
  /// Added to the seed (or to the subseed, if that has an effect), as for the images of a batch.
  var seedOffset: Int64 = 0
  /// The cell's number, for dynamic prompts that are taken in order.
  var promptNumber = 0
  /// The cell's indices on the axes of dynamic prompts.
  var combinations: [DynamicPrompts.Part: Int] = [:]
  /// The second pass.
  var hires = HiresDraft()
  /// The last value of a `scheduler` key.
  private var keySchedule = ScheduleID.automatic
  /// The schedule in the sampler's name ("DPM++ SDE Karras"), unless a `scheduler` key came later.
  private var nameSchedule: ScheduleID?
  private var givenEta: Double?
  /// The option `eta_ancestral`.
  var ancestralEta: Double?
  private var givenSteps: Int?
  private var givenCFGScale: Double?
  private var isSamplerGiven = false
  private var givenWidth: Int?
  private var givenHeight: Int?
  private let demoWidth: Int
  private let demoHeight: Int
  /// The folders that are searched for the prompts' LoRAs and embeddings.
  private let adapterFolders: AdapterFolders

  init(environment: PlanningEnvironment, adapterFolders: AdapterFolders = AdapterFolders()) {
    settings.hires = HiresSettings()
    demoWidth = environment.demoWidth
    demoHeight = environment.demoHeight
    self.adapterFolders = adapterFolders
  }

  /// The prompt before edits, styles and wildcards.
  var prompt: String {
    let base = matrix.map { $0.matrix.prompt($0.number, own: basePrompt) } ?? basePrompt
    return promptAppend.isEmpty ? base : base + promptAppend
  }

  /// The negative prompt before edits, styles and wildcards.
  var negativePrompt: String {
    let base = negativeMatrix.map { $0.matrix.prompt($0.number, own: baseNegativePrompt) } ?? baseNegativePrompt
    return negativePromptAppend.isEmpty ? base : base + negativePromptAppend
  }

  /// Both prompts after edits and styles, but before wildcards; without comments, unless comments are kept.
  ///
  /// - Parameter report: Called for each edit that is not possible, with the prompt at that point.
  /// - Returns: The prompts.
  func templates(report: (PlacedEdit, PromptEdit.Problem, _ prompt: String) -> Void = { _, _, _ in }) -> PromptPair {
    var pair = PromptPair(prompt: prompt, negativePrompt: negativePrompt)
    for placed in edits {
      do {
        try placed.edit.apply(to: &pair.prompt, &pair.negativePrompt)
      } catch {
        report(placed, error, pair.prompt)
      }
    }
    for list in [styles, stylesAppend] {
      for style in list {
        pair.prompt = PromptStyle.merged(style.prompt, into: pair.prompt)
        pair.negativePrompt = PromptStyle.merged(style.negativePrompt, into: pair.negativePrompt)
      }
    }
    if stripsComments { pair.stripComments() }
    return pair
  }

  /// The second pass's own prompts after styles, but before wildcards; empty if it has none.
  var hiresTemplates: PromptPair {
    guard hires.isOn else { return PromptPair(prompt: "", negativePrompt: "") }
    var pair = PromptPair(prompt: settings.hires?.prompt ?? "", negativePrompt: settings.hires?.negativePrompt ?? "")
    for style in styles + stylesAppend {
      if !pair.prompt.isEmpty { pair.prompt = PromptStyle.merged(style.prompt, into: pair.prompt) }
      if !pair.negativePrompt.isEmpty {
        pair.negativePrompt = PromptStyle.merged(style.negativePrompt, into: pair.negativePrompt)
      }
    }
    if stripsComments { pair.stripComments() }
    return pair
  }

  /// Both prompts of the job.
  var finalPrompts: PromptPair { resolved(replacedTemplates) }

  /// Both prompts before dynamic prompts are resolved.
  var replacedTemplates: PromptPair { replaced(templates()) }

  /// The second pass's own prompts before dynamic prompts are resolved.
  var replacedHiresTemplates: PromptPair { replaced(hiresTemplates) }

  /// The properties of the cell that dynamic prompts depend on.
  private var promptCell: DynamicPrompts.Cell {
    DynamicPrompts.Cell(
      seed: promptSeed ?? imageSeed, number: promptNumber, combinations: combinations, hasWildcards: hasWildcards)
  }

  /// The seed of the image. As in the webui, the images of a batch have consecutive seeds, unless a subseed's noise is mixed
  /// in.
  private var imageSeed: Int64 { settings.subseedStrength == 0 ? settings.seed &+ seedOffset : settings.seed }

  private func resolved(_ pair: PromptPair) -> PromptPair {
    guard let dynamic else { return pair }
    let cell = promptCell
    return PromptPair(
      prompt: dynamic.resolved(pair.prompt, .prompt, cell),
      negativePrompt: dynamic.resolved(pair.negativePrompt, .negativePrompt, cell))
  }

  /// The templates that have anything to resolve; the others are empty.
  private func dynamicParts(of templates: PromptPair) -> PromptPair {
    guard let dynamic else { return PromptPair(prompt: "", negativePrompt: "") }
    let cell = promptCell
    return PromptPair(
      prompt: dynamic.isDynamic(templates.prompt, cell) ? templates.prompt : "",
      negativePrompt: dynamic.isDynamic(templates.negativePrompt, cell) ? templates.negativePrompt : "")
  }

  /// Whether the axes of dynamic prompts have no such value in this cell, because it has fewer prompts than others.
  var isGap: Bool {
    guard let dynamic, dynamic.hasGaps else { return false }
    let pair = replacedTemplates
    let cell = promptCell
    return combinations[.prompt, default: 0] >= dynamic.count(pair.prompt, .prompt, cell)
      || combinations[.negativePrompt, default: 0] >= dynamic.count(pair.negativePrompt, .negativePrompt, cell)
  }

  private func replaced(_ pair: PromptPair) -> PromptPair {
    var pair = pair
    guard hasWildcards, !wildcards.isEmpty else { return pair }
    pair.prompt = Wildcard.replaced(in: pair.prompt, by: wildcards)
    pair.negativePrompt = Wildcard.replaced(in: pair.negativePrompt, by: wildcards)
    return pair
  }

  var scheduler: ScheduleID {
    get { nameSchedule ?? keySchedule }
    set {
      keySchedule = newValue
      // As in the webui, `automatic` keeps the schedule in the sampler's name.
      if newValue != .automatic { nameSchedule = nil }
    }
  }

  var sampler: (SamplerID, ScheduleID?) {
    get { (isSamplerGiven ? settings.sampler : defaults.sampler, scheduler) }
    set {
      isSamplerGiven = true
      settings.sampler = newValue.0
      nameSchedule = newValue.1
    }
  }

  /// The second pass's sampler, and the schedule in its name; nil for the first pass's.
  var hiresSampler: (SamplerID, ScheduleID?)? {
    get { settings.hires?.sampler.map { ($0, hires.scheduler) } }
    set {
      settings.hires?.sampler = newValue?.0
      hires.nameSchedule = newValue?.1
    }
  }

  /// The eta. A request's `eta` applies to any sampler, and overrides the options `eta_ancestral` and `eta_ddim`.
  var eta: Double {
    get { givenEta ?? ancestralEta ?? settings.eta }
    set { givenEta = newValue }
  }

  /// The defaults of the model's family.
  private var defaults: FamilyDefaults { settings.traits.defaults }

  var steps: Int {
    get { givenSteps ?? defaults.steps }
    set { givenSteps = newValue }
  }

  var cfgScale: Double {
    get { givenCFGScale ?? defaults.cfgScale }
    set { givenCFGScale = newValue }
  }

  var width: Int {
    get { givenWidth ?? (usesDemo ? demoWidth : settings.width) }
    set { givenWidth = newValue }
  }

  var height: Int {
    get { givenHeight ?? (usesDemo ? demoHeight : settings.height) }
    set { givenHeight = newValue }
  }

  /// The sampling steps of both passes together.
  var allSteps: Int {
    guard hires.isOn else { return steps }
    var settings = settings
    settings.steps = steps
    return settings.allSteps
  }

  private var usesDemo: Bool { settings.model.path == nil }

  mutating func apply(_ changes: [Setting]) {
    for setting in changes { setting.key.apply(setting.value, &self) }
  }

  /// The settings of the cell's job.
  var resolved: ImageSettings {
    var resolved = settings
    if seedOffset > 0 {
      resolved.seed = imageSeed
      if resolved.subseed >= 0 { resolved.subseed &+= seedOffset }
    }
    let templates = replacedTemplates
    let prompts = self.resolved(templates)
    resolved.prompt = prompts.prompt
    resolved.negativePrompt = prompts.negativePrompt
    let dynamic = dynamicParts(of: templates)
    (resolved.promptTemplate, resolved.negativePromptTemplate) = (dynamic.prompt, dynamic.negativePrompt)
    resolved.adapterFolders = adapterFolders.folders(for: prompts)
    resolved.faceFolders = resolved.restoreFaces ? adapterFolders.all : []
    (resolved.steps, resolved.cfgScale, resolved.sampler) = (steps, cfgScale, sampler.0)
    resolved.scheduler = scheduler
    let flow = settings.traits.flow
    // Store the shift, so that a plan stays the same. klein's shift depends on size, steps and schedule.
    if let flow, !flow.hasOwnCurve, resolved.shift == 0 { resolved.shift = flow.table.shift }
    if flow != nil || (hires.isOn && settings.hires?.checkpoint?.family.traits.flow != nil) {
      resolved.partFolders = adapterFolders.all
    }
    resolved.eta = eta
    if let givenEta { resolved.etaDDIM = givenEta }
    resolved.width = width
    resolved.height = height
    let ownTemplates = hires.isOn ? replacedHiresTemplates : PromptPair(prompt: "", negativePrompt: "")
    let own = self.resolved(ownTemplates)
    hires.apply(to: &resolved, prompts: own, templates: dynamicParts(of: ownTemplates))
    if hires.isOn {
      if resolved.adapterFolders.isEmpty { resolved.adapterFolders = adapterFolders.folders(for: own) }
    }
    return resolved
  }
}

/// The two prompts of an image.
struct PromptPair {
  var prompt: String
  var negativePrompt: String

  mutating func stripComments() {
    prompt = PromptComments.stripped(prompt)
    negativePrompt = PromptComments.stripped(negativePrompt)
  }
}

/// The folders with LoRAs and embeddings, for jobs whose prompts may use them.
struct AdapterFolders: Sendable {
  private let folders: [String]
  private let hasEmbeddings: Bool

  /// All folders that are searched for models.
  var all: [String] { folders }

  /// Creates an empty list of folders.
  init() {
    folders = []
    hasEmbeddings = false
  }

  /// Creates the list of folders that are searched for a recipe's models.
  init(_ locator: ModelLocator) {
    folders = locator.folders
    hasEmbeddings = folders.contains { FileManager.default.fileExists(atPath: $0 + "/embeddings") }
  }

  /// The folders that the prompts need. Any word may name an embedding; LoRAs are named by tags.
  func folders(for prompts: PromptPair) -> [String] {
    hasEmbeddings || prompts.prompt.utf8.contains(UInt8(ascii: "<")) ? folders : []
  }
}

/// An edit of the prompts, and the position of the axis that makes it.
struct PlacedEdit {
  var edit: PromptEdit
  var position: SourcePosition
}

/// One combination of a matrix.
struct MatrixCombination {
  var matrix: PromptMatrix
  var number: Int
}
