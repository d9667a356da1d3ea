import Settings

/// The parts of a cell's second pass that depend on several keys; the others are in the cell's settings.
struct HiresDraft {
  /// Whether there is a second pass.
  var isOn = false
  /// The size of the first pass, if `width` and `height` are those of the finished image; 0 if they are those of the first
  /// pass.
  var firstWidth = 0
  var firstHeight = 0
  /// The last `hr_scheduler`.
  private var keySchedule: ScheduleID?
  /// The schedule in the sampler's name, unless an `hr_scheduler` came later.
  var nameSchedule: ScheduleID?

  /// Creates a draft without a second pass.
  init() {}

  /// Creates the draft of an image's second pass, if it has one.
  init(_ image: ImageSettings) {
    isOn = image.hires != nil
    keySchedule = image.hires?.scheduler
  }

  var scheduler: ScheduleID? {
    get { nameSchedule ?? keySchedule }
    set {
      keySchedule = newValue
      if newValue != .automatic, newValue != nil { nameSchedule = nil }
    }
  }

  /// Completes the second pass in an image's settings, or removes it.
  ///
  /// - Parameters:
  ///   - image: The settings to change.
  ///   - prompts: The second pass's own prompts; empty to use the first pass's.
  ///   - templates: What dynamic prompts made them of; empty if they did not.
  func apply(to image: inout ImageSettings, prompts: PromptPair, templates: PromptPair) {
    guard isOn, var hires = image.hires else {
      image.hires = nil
      return
    }
    hires.scheduler = scheduler
    hires.prompt = prompts.prompt
    hires.negativePrompt = prompts.negativePrompt
    (hires.promptTemplate, hires.negativePromptTemplate) = (templates.prompt, templates.negativePrompt)
    if firstWidth != 0 || firstHeight != 0 {
      // The webui's first versions chose a first pass of about 512x512 pixels if only one side was given.
      let legacy = HiresSize.legacyFirstPass(width: image.width, height: image.height)
      (hires.resizeX, hires.resizeY) = (image.width, image.height)
      image.width = firstWidth == 0 ? legacy.width : firstWidth
      image.height = firstHeight == 0 ? legacy.height : firstHeight
    }
    image.hires = hires
  }
}
