import Settings

/// The second pass of a cell while base, axes and extra cells write into it.
struct HiresDraft {
  /// Whether there is one.
  var isOn = false
  /// Everything that one key alone decides.
  var settings = HiresSettings()
  /// The size of the first pass, by which the cell's own becomes that of the second; 0 for the cell's own.
  var firstWidth = 0
  var firstHeight = 0
  /// What an `hr_scheduler` key said last.
  private var keySchedule: ScheduleID?
  /// What the sampler's own name says, unless an `hr_scheduler` came later.
  private var nameSchedule: ScheduleID?

  /// No second pass.
  init() {}

  /// The second pass of a job, or none.
  init(_ image: ImageSettings) {
    guard let hires = image.hires else { return }
    isOn = true
    settings = hires
    keySchedule = hires.scheduler
  }

  var scheduler: ScheduleID? {
    get { nameSchedule ?? keySchedule }
    set {
      keySchedule = newValue
      if newValue != .automatic, newValue != nil { nameSchedule = nil }
    }
  }

  /// The sampler, and the schedule that its name carries; nothing for the first pass's.
  var sampler: (SamplerID, ScheduleID?)? {
    get { settings.sampler.map { ($0, scheduler) } }
    set {
      settings.sampler = newValue?.0
      nameSchedule = newValue?.1
    }
  }

  /// Puts the second pass into the settings of the first.
  ///
  /// - Parameters:
  ///   - job: Everything but the second pass.
  ///   - prompts: The second pass's own, as far as it has some.
  func apply(to job: inout ImageSettings, prompts: PromptPair) {
    guard isOn else { return }
    var hires = settings
    hires.scheduler = scheduler
    hires.prompt = prompts.prompt
    hires.negativePrompt = prompts.negativePrompt
    if firstWidth != 0 || firstHeight != 0 {
      // The webui's first versions chose a first pass of about 512x512 pixels where they were not told.
      let usual = HiresSize.usualFirstPass(width: job.width, height: job.height)
      (hires.resizeX, hires.resizeY) = (job.width, job.height)
      job.width = firstWidth == 0 ? usual.width : firstWidth
      job.height = firstHeight == 0 ? usual.height : firstHeight
    }
    job.hires = hires
  }
}

extension RecipeKey {
  /// Keys of the second pass, which say nothing without one.
  static let ofSecondPass: Set<String> = [
    "enable_hr", "hr_scale", "hr_resize_x", "hr_resize_y", "firstphase_width", "firstphase_height", "hr_upscaler",
    "hr_second_pass_steps", "denoising_strength", "hr_checkpoint_name", "hires_fix_refiner_pass", "hr_sampler_name",
    "hr_scheduler", "hr_prompt", "hr_negative_prompt", "token_merging_ratio_hr",
  ]
}
