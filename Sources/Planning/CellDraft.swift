import Jobs
import Prompts

/// The settings of one cell while base, axes and extra cells write into them, each over the one before.
struct CellDraft {
  /// Everything that one key alone decides.
  var parameters = JobParameters()
  var basePrompt = ""
  var promptAppend = ""
  var baseNegativePrompt = ""
  var negativePromptAppend = ""
  /// Whether the job's prompts lose their comments.
  var stripsComments = true
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

  init(environment: PlanningEnvironment) {
    demoWidth = environment.demoWidth
    demoHeight = environment.demoHeight
  }

  var prompt: String { promptAppend.isEmpty ? basePrompt : basePrompt + promptAppend }

  var negativePrompt: String {
    negativePromptAppend.isEmpty ? baseNegativePrompt : baseNegativePrompt + negativePromptAppend
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
    get { (parameters.sampler, scheduler) }
    set {
      parameters.sampler = newValue.0
      nameSchedule = newValue.1
    }
  }

  /// A request's `eta` is for whatever sampler runs, and goes before the options `eta_ancestral` and `eta_ddim`.
  var eta: Double {
    get { givenEta ?? ancestralEta ?? parameters.eta }
    set { givenEta = newValue }
  }

  var width: Int {
    get { givenWidth ?? (usesDemo ? demoWidth : parameters.width) }
    set { givenWidth = newValue }
  }

  var height: Int {
    get { givenHeight ?? (usesDemo ? demoHeight : parameters.height) }
    set { givenHeight = newValue }
  }

  private var usesDemo: Bool { parameters.model.path == nil }

  mutating func apply(_ settings: [Setting]) {
    for setting in settings { setting.key.apply(setting.value, &self) }
  }

  /// What the cell's job gets.
  var resolved: JobParameters {
    var resolved = parameters
    resolved.prompt = stripsComments ? PromptComments.stripped(prompt) : prompt
    resolved.negativePrompt = stripsComments ? PromptComments.stripped(negativePrompt) : negativePrompt
    resolved.scheduler = scheduler
    resolved.eta = eta
    if let givenEta { resolved.etaDDIM = givenEta }
    resolved.width = width
    resolved.height = height
    return resolved
  }
}
