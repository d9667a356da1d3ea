import Foundation
import Prompts
import Settings

/// The settings of one cell while base, axes and extra cells write into them, each over the one before.
struct CellDraft {
  /// Everything that one key alone decides; `hires` is there even if the cell has no second pass.
  var settings = ImageSettings()
  var basePrompt = ""
  var promptAppend = ""
  var baseNegativePrompt = ""
  var negativePromptAppend = ""
  /// Whether the job's prompts lose their comments.
  var stripsComments = true
  /// Takes the place of the base prompt.
  var matrix: MatrixCombination?
  /// Takes the place of the base negative prompt.
  var negativeMatrix: MatrixCombination?
  /// Applied to both prompts, in this order.
  var edits: [PlacedEdit] = []
  var styles: [PromptStyle] = []
  var stylesAppend: [PromptStyle] = []
  /// Whether wildcards stand for anything but themselves.
  var hasWildcards = true
  /// What wildcards stand for, by name.
  var wildcards: [String: String] = [:]
  /// The second pass.
  var hires = HiresDraft()
  /// What a `scheduler` key said last.
  private var keySchedule = ScheduleID.automatic
  /// What the sampler's own name says ("DPM++ SDE Karras"), unless a `scheduler` came later.
  private var nameSchedule: ScheduleID?
  private var givenEta: Double?
  /// The option `eta_ancestral`.
  var ancestralEta: Double?
  private var givenWidth: Int?
  private var givenHeight: Int?
  private let demoWidth: Int
  private let demoHeight: Int
  /// Where the prompts' networks are looked for.
  private let adapterPlaces: AdapterPlaces

  init(environment: PlanningEnvironment, adapterPlaces: AdapterPlaces = AdapterPlaces()) {
    settings.hires = HiresSettings()
    demoWidth = environment.demoWidth
    demoHeight = environment.demoHeight
    self.adapterPlaces = adapterPlaces
  }

  /// Before edits, styles and wildcards.
  var prompt: String {
    let base = matrix.map { $0.matrix.prompt($0.number, own: basePrompt) } ?? basePrompt
    return promptAppend.isEmpty ? base : base + promptAppend
  }

  /// Before edits, styles and wildcards.
  var negativePrompt: String {
    let base = negativeMatrix.map { $0.matrix.prompt($0.number, own: baseNegativePrompt) } ?? baseNegativePrompt
    return negativePromptAppend.isEmpty ? base : base + negativePromptAppend
  }

  /// Both prompts after edits and styles, as wildcards are looked for in them; comments are gone, unless they stay.
  ///
  /// - Parameter report: Is told of each edit that cannot be made, and of the prompt as it was then.
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

  /// The second pass's own prompts after styles, as wildcards are looked for in them; empty as far as it has none.
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

  /// Both prompts as the job has them.
  var finalPrompts: PromptPair { finished(templates()) }

  private func finished(_ pair: PromptPair) -> PromptPair {
    var pair = pair
    guard hasWildcards, !wildcards.isEmpty else { return pair }
    pair.prompt = Wildcard.replaced(in: pair.prompt, by: wildcards)
    pair.negativePrompt = Wildcard.replaced(in: pair.negativePrompt, by: wildcards)
    if stripsComments { pair.stripComments() }
    return pair
  }

  var scheduler: ScheduleID {
    get { nameSchedule ?? keySchedule }
    set {
      keySchedule = newValue
      // `automatic` asks for nothing, so the name's schedule stands, as in the webui.
      if newValue != .automatic { nameSchedule = nil }
    }
  }

  var sampler: (SamplerID, ScheduleID?) {
    get { (settings.sampler, scheduler) }
    set {
      settings.sampler = newValue.0
      nameSchedule = newValue.1
    }
  }

  /// The second pass's sampler, and the schedule that its name carries; nil for the first pass's.
  var hiresSampler: (SamplerID, ScheduleID?)? {
    get { settings.hires?.sampler.map { ($0, hires.scheduler) } }
    set {
      settings.hires?.sampler = newValue?.0
      hires.nameSchedule = newValue?.1
    }
  }

  /// A request's `eta` is for whatever sampler runs, and goes before the options `eta_ancestral` and `eta_ddim`.
  var eta: Double {
    get { givenEta ?? ancestralEta ?? settings.eta }
    set { givenEta = newValue }
  }

  var width: Int {
    get { givenWidth ?? (usesDemo ? demoWidth : settings.width) }
    set { givenWidth = newValue }
  }

  var height: Int {
    get { givenHeight ?? (usesDemo ? demoHeight : settings.height) }
    set { givenHeight = newValue }
  }

  /// Sampling steps of all passes.
  var allSteps: Int {
    hires.isOn ? settings.allSteps : settings.steps
  }

  private var usesDemo: Bool { settings.model.path == nil }

  mutating func apply(_ changes: [Setting]) {
    for setting in changes { setting.key.apply(setting.value, &self) }
  }

  /// What the cell's job gets.
  var resolved: ImageSettings {
    var resolved = settings
    let prompts = finalPrompts
    resolved.prompt = prompts.prompt
    resolved.negativePrompt = prompts.negativePrompt
    resolved.adapterPlaces = adapterPlaces.places(for: prompts)
    resolved.scheduler = scheduler
    resolved.eta = eta
    if let givenEta { resolved.etaDDIM = givenEta }
    resolved.width = width
    resolved.height = height
    let own = hires.isOn ? finished(hiresTemplates) : PromptPair(prompt: "", negativePrompt: "")
    hires.apply(to: &resolved, prompts: own)
    if hires.isOn {
      if resolved.adapterPlaces.isEmpty { resolved.adapterPlaces = adapterPlaces.places(for: own) }
    }
    return resolved
  }
}

/// What a picture shows, and what it does not show.
struct PromptPair {
  var prompt: String
  var negativePrompt: String

  mutating func stripComments() {
    prompt = PromptComments.stripped(prompt)
    negativePrompt = PromptComments.stripped(negativePrompt)
  }
}

/// The folders that hold LoRAs and embeddings, for the jobs whose prompts may name some.
struct AdapterPlaces: Sendable {
  private let places: [String]
  private let hasEmbeddings: Bool

  /// No folders.
  init() {
    places = []
    hasEmbeddings = false
  }

  /// The places in which the models of a recipe are looked for, too.
  init(_ locator: ModelLocator) {
    places = locator.places
    hasEmbeddings = places.contains { FileManager.default.fileExists(atPath: $0 + "/embeddings") }
  }

  /// Any word may name an embedding; LoRAs are asked for by tags.
  func places(for prompts: PromptPair) -> [String] {
    hasEmbeddings || prompts.prompt.utf8.contains(UInt8(ascii: "<")) ? places : []
  }
}

/// A change of the prompts, and the axis that makes it.
struct PlacedEdit {
  var edit: PromptEdit
  var position: SourcePosition
}

/// One combination of a matrix.
struct MatrixCombination {
  var matrix: PromptMatrix
  var number: Int
}
