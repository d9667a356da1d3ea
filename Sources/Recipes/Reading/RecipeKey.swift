import Prompts
import Settings

/// One key that a recipe understands.
///
/// `RecipeKey.all` is the only list of them: reading, checking, axes, excludes, messages and documentation follow it.
public final class RecipeKey: Sendable {
  /// The name that recipes and manifests use.
  public let name: String
  /// Other names for the same key.
  public let aliases: [String]
  /// What the key holds.
  public let kind: ValueKind
  /// One sentence about the key.
  public let summary: String

  /// Whether only our recipes have the key: the webui's request body does not.
  let isOurs: Bool
  /// Keys with the same word here decide together what a cell ends up with.
  let concern: String
  /// Writes the key's value into a cell.
  let apply: @Sendable (SettingValue, inout CellDraft) -> Void
  /// What a cell ended up with, to be compared with what an exclude asks for; nothing for keys of the document.
  let resolved: (@Sendable (CellDraft) -> SettingValue)?
  /// What a cell had before something else was made of it, which excludes may ask for as well.
  let written: (@Sendable (CellDraft) -> SettingValue)?
  /// The name of the wildcard that the key sets.
  let wildcard: String?

  /// A setting of a job.
  private init(
    _ name: String, aliases: [String] = [], _ kind: ValueKind, isOurs: Bool = false, concern: String? = nil,
    _ summary: String, resolved: @escaping @Sendable (CellDraft) -> SettingValue,
    written: (@Sendable (CellDraft) -> SettingValue)? = nil,
    apply: @escaping @Sendable (SettingValue, inout CellDraft) -> Void
  ) {
    self.name = name
    self.aliases = aliases
    self.kind = kind
    self.isOurs = isOurs
    self.concern = concern ?? name
    self.summary = summary
    self.apply = apply
    self.resolved = resolved
    self.written = written
    wildcard = nil
  }

  /// A part of the document.
  private init(document name: String, _ kind: ValueKind, isOurs: Bool = true, _ summary: String) {
    self.name = name
    self.aliases = []
    self.kind = kind
    self.isOurs = isOurs
    self.concern = name
    self.summary = summary
    self.apply = { _, _ in }
    self.resolved = nil
    written = nil
    wildcard = nil
  }

  /// What a prompt's wildcard stands for; by default only where nothing else says it.
  init(wildcard: String, isDefault: Bool = false) {
    name = Wildcard.text(wildcard)
    aliases = []
    kind = .text
    self.wildcard = wildcard
    isOurs = true
    concern = "prompt"
    summary = "What the wildcard stands for."
    apply = { value, draft in
      if !isDefault || draft.wildcards[wildcard] == nil { draft.wildcards[wildcard] = value.asText }
    }
    resolved = { .text($0.wildcards[wildcard] ?? "") }
    written = nil
  }

  /// Part of an axis that no other place may name.
  private init(axis name: String, apply: @escaping @Sendable (SettingValue, inout CellDraft) -> Void) {
    self.name = name
    aliases = []
    kind = .text
    wildcard = nil
    isOurs = true
    concern = "prompt"
    summary = "What an axis does with the prompts."
    self.apply = apply
    resolved = nil
    written = nil
  }

  /// One more change of the prompts.
  static let promptEdit = RecipeKey(axis: "prompt edit") { $1.edits.append($0.asEdit) }
  /// The combination of a prompt matrix.
  static let promptMatrix = RecipeKey(axis: "prompt matrix") { $1.matrix = $0.asCombination }
  /// The combination of a matrix of the negative prompt.
  static let negativePromptMatrix = RecipeKey(axis: "negative prompt matrix") { $1.negativeMatrix = $0.asCombination }

  /// Whether the key sets something of a job, and may thus be an axis, an exclude or an include.
  public var isSetting: Bool { resolved != nil }

  /// The key with this name or alias, or the wildcard of this name.
  static func named(_ name: String) -> RecipeKey? {
    byName[name] ?? Wildcard.name(name).map { RecipeKey(wildcard: $0) }
  }

  /// Names to propose where a setting of a job is expected.
  static let settingNames = all.filter(\.isSetting).map(\.name)

  private static let byName = Dictionary(
    all.flatMap { key in ([key.name] + key.aliases).map { ($0, key) } }, uniquingKeysWith: { first, _ in first })

  /// Every key, in the order of the documentation.
  public static let all: [RecipeKey] = [
    RecipeKey(
      "model", aliases: ["sd_model_checkpoint"], .model, isOurs: true, concern: "size",
      "The checkpoint: demo, or a file or folder beside the recipe, in models/ there or in $SDBATCH_MODELS.",
      resolved: { .model($0.settings.model) }, apply: { $1.settings.model = $0.asModel ?? .demo }),
    RecipeKey(
      "vae", aliases: ["sd_vae"], .vae, isOurs: true, "A VAE file or folder that replaces the checkpoint's own.",
      resolved: { $0.settings.vae.map { .model($0) } ?? .nothing }, apply: { $1.settings.vae = $0.asModel }),
    RecipeKey(
      "refiner_checkpoint", .otherModel,
      "A checkpoint that finishes the picture, such as the refiner of Stable Diffusion XL.",
      resolved: { $0.settings.refiner.map { .model($0) } ?? .nothing }, apply: { $1.settings.refiner = $0.asModel }),
    RecipeKey(
      "refiner_switch_at", .number(0...1), "How much of the noise is gone when refiner_checkpoint takes over.",
      resolved: { .number($0.settings.refinerSwitchAt) }, apply: { $1.settings.refinerSwitchAt = $0.asNumber }),
    RecipeKey(
      "prompt", .text, concern: "prompt", "What the picture shows, in the webui's prompt syntax.",
      resolved: { .text($0.finalPrompts.prompt) }, written: { .text($0.prompt) },
      apply: { $1.basePrompt = $0.asText }),
    RecipeKey(
      "prompt_append", .text, isOurs: true, concern: "prompt",
      "Text put after the prompt; base, axes and included cells each add theirs, in this order.",
      resolved: { .text($0.promptAppend) }, apply: { $1.promptAppend += $0.asText }),
    RecipeKey(
      "negative_prompt", .text, concern: "prompt", "What the picture does not show.",
      resolved: { .text($0.finalPrompts.negativePrompt) }, written: { .text($0.negativePrompt) },
      apply: { $1.baseNegativePrompt = $0.asText }),
    RecipeKey(
      "negative_prompt_append", .text, isOurs: true, concern: "prompt",
      "Text put after the negative prompt, as prompt_append after the prompt.",
      resolved: { .text($0.negativePromptAppend) }, apply: { $1.negativePromptAppend += $0.asText }),
    RecipeKey(
      "styles", .styles, concern: "prompt", "Styles of the webui's file, applied to both prompts in this order.",
      resolved: { .styles($0.styles) }, apply: { $1.styles = $0.asStyles }),
    RecipeKey(
      "styles_append", .styles, isOurs: true, concern: "prompt",
      "More styles; base, axes and included cells each add theirs, in this order.",
      resolved: { .styles($0.stylesAppend) }, apply: { $1.stylesAppend += $0.asStyles }),
    RecipeKey(
      "emphasis", .choice(EmphasisChoice.allCases.map(\.rawValue)), concern: "emphasis",
      "What the weights of both prompts do, by the webui's names.",
      resolved: { .choice($0.settings.emphasis.rawValue) },
      apply: { $1.settings.emphasis = $0.asChoice(EmphasisChoice.self) }),
    RecipeKey(
      "use_old_scheduling", .choice(["false", "true"]),
      "Reads the numbers of prompt editing as the webui did before 1.6: those below 1 are parts of the whole.",
      resolved: { .choice($0.settings.timelines == .old ? "true" : "false") },
      apply: { $1.settings.timelines = $0 == .choice("true") ? .old : .current }),
    RecipeKey(
      "enable_prompt_comments", .choice(["true", "false"]), concern: "prompt",
      "Whether # and what follows it in a line are taken out of both prompts.",
      resolved: { .choice($0.stripsComments ? "true" : "false") },
      apply: { $1.stripsComments = $0 == .choice("true") }),
    RecipeKey(
      "enable_wildcards", .flag, isOurs: true, concern: "prompt",
      "Whether __name__ in a prompt stands for an entry of a list, or for itself.",
      resolved: { .flag($0.hasWildcards) }, apply: { $1.hasWildcards = $0.asFlag }),
    RecipeKey(
      "seed", .seed,
      "Seeds the noise; -1 draws a number once, which the run folder keeps; nightly 16 adds 16 new ones each date.",
      resolved: { .integer($0.settings.seed) }, apply: { $1.settings.seed = $0.asInteger }),
    RecipeKey(
      "steps", .integer(1...10_000, multipleOf: 1), "Sampling steps.",
      resolved: { .integer(Int64($0.settings.steps)) }, apply: { $1.settings.steps = Int($0.asInteger) }),
    RecipeKey(
      "cfg_scale", .number(-1000...1000), "How strongly the picture follows the prompt.",
      resolved: { .number($0.settings.cfgScale) }, apply: { $1.settings.cfgScale = $0.asNumber }),
    RecipeKey(
      "sampler_name", aliases: ["sampler_index"], .sampler, concern: "sampler",
      "The sampler by its webui name; an old combined name (DPM++ SDE Karras) sets the scheduler too.",
      resolved: { .sampler($0.sampler.0, $0.sampler.1) }, apply: { $1.sampler = $0.asSampler }),
    RecipeKey(
      "scheduler", aliases: ["k_sched_type"], .schedule, concern: "sampler",
      "The noise schedule; automatic is the sampler's own.",
      resolved: { .schedule($0.scheduler) }, apply: { $1.scheduler = $0.asSchedule }),
    RecipeKey(
      "width", .integer(8...8192, multipleOf: 8), concern: "size", "Width in pixels, a multiple of 8.",
      resolved: { .integer(Int64($0.width)) }, apply: { $1.width = Int($0.asInteger) }),
    RecipeKey(
      "height", .integer(8...8192, multipleOf: 8), concern: "size", "Height in pixels, a multiple of 8.",
      resolved: { .integer(Int64($0.height)) }, apply: { $1.height = Int($0.asInteger) }),
    RecipeKey(
      "size", .size, isOurs: true, concern: "size", "Width and height together, such as 512x768.",
      resolved: { .size($0.width, $0.height) },
      apply: {
        let size = $0.asSize
        ($1.width, $1.height) = (size.width, size.height)
      }),
    RecipeKey(
      "rng", aliases: ["randn_source"], .choice(NoiseSourceID.allCases.map(\.rawValue)), isOurs: true,
      "Whose random numbers the noise uses: nv is the webui on a GPU, cpu is PyTorch on a CPU.",
      resolved: { .choice($0.settings.rng.rawValue) },
      apply: { $1.settings.rng = $0.asChoice(NoiseSourceID.self) }),
    RecipeKey(
      "precision", .choice(PrecisionChoice.allCases.map(\.rawValue)), isOurs: true,
      "The arithmetic; auto is the fastest that keeps quality on this machine.",
      resolved: { .choice($0.settings.precision.rawValue) },
      apply: { $1.settings.precision = $0.asChoice(PrecisionChoice.self) }),
    RecipeKey(
      "clip_skip", aliases: ["CLIP_stop_at_last_layers"], .integer(1...32, multipleOf: 1), isOurs: true,
      "1 takes the text encoder's last layer, 2 the one before it.",
      resolved: { .integer(Int64($0.settings.clipSkip)) }, apply: { $1.settings.clipSkip = Int($0.asInteger) }),
    RecipeKey(
      "eta", .number(0...100),
      "How much noise an ancestral or SDE sampler puts back; for DDIM it goes before eta_ddim.",
      resolved: { .number($0.eta) }, apply: { $1.eta = $0.asNumber }),
    RecipeKey(
      "eta_ancestral", .number(0...100), concern: "eta",
      "What eta is for all samplers but DDIM, where eta does not say.",
      resolved: { .number($0.eta) }, apply: { $1.ancestralEta = $0.asNumber }),
    RecipeKey(
      "s_churn", .number(0...10_000), "Noise added at each step of Euler, Heun and DPM2.",
      resolved: { .number($0.settings.sChurn) }, apply: { $1.settings.sChurn = $0.asNumber }),
    RecipeKey(
      "s_tmin", .number(0...10_000), "The smallest sigma that s_churn acts on.",
      resolved: { .number($0.settings.sTmin) }, apply: { $1.settings.sTmin = $0.asNumber }),
    RecipeKey(
      "s_tmax", .limit(0...10_000), "The largest sigma that s_churn acts on; 0 or nothing means no limit.",
      resolved: { $0.settings.sTmax.map { .number($0) } ?? .nothing }, apply: { $1.settings.sTmax = $0.asLimit }),
    RecipeKey(
      "s_noise", .number(0...100), "Scales the noise that a sampler adds.",
      resolved: { .number($0.settings.sNoise) }, apply: { $1.settings.sNoise = $0.asNumber }),
    RecipeKey(
      "subseed", .seed, "Seeds the noise that subseed_strength mixes in; -1 draws a number once.",
      resolved: { .integer($0.settings.subseed) }, apply: { $1.settings.subseed = $0.asInteger }),
    RecipeKey(
      "subseed_strength", .number(0...1), "How much of the subseed's noise is mixed into the first noise.",
      resolved: { .number($0.settings.subseedStrength) }, apply: { $1.settings.subseedStrength = $0.asNumber }),
    RecipeKey(
      "seed_resize_from_w", .integer(-1...8192, multipleOf: 1),
      "Width of the picture whose noise is put into the middle; 0 or less for none.",
      resolved: { .integer(Int64($0.settings.seedResizeFromW)) },
      apply: { $1.settings.seedResizeFromW = Int($0.asInteger) }),
    RecipeKey(
      "seed_resize_from_h", .integer(-1...8192, multipleOf: 1), "The height that goes with seed_resize_from_w.",
      resolved: { .integer(Int64($0.settings.seedResizeFromH)) },
      apply: { $1.settings.seedResizeFromH = Int($0.asInteger) }),
    RecipeKey(
      "eta_noise_seed_delta", .integer(-(1 << 53)...(1 << 53), multipleOf: 1),
      "Added to the seed for all noise but the first (ENSD).",
      resolved: { .integer($0.settings.etaNoiseSeedDelta) },
      apply: { $1.settings.etaNoiseSeedDelta = $0.asInteger }),
    RecipeKey(
      "eta_ddim", .number(0...1), "How much noise DDIM puts back.",
      resolved: { .number($0.settings.etaDDIM) }, apply: { $1.settings.etaDDIM = $0.asNumber }),
    RecipeKey(
      "uni_pc_variant", .choice(UniPCVariant.allCases.map(\.rawValue)), "The form of UniPC's coefficients.",
      resolved: { .choice($0.settings.uniPCVariant.rawValue) },
      apply: { $1.settings.uniPCVariant = $0.asChoice(UniPCVariant.self) }),
    RecipeKey(
      "uni_pc_skip_type", .choice(UniPCSkipType.allCases.map(\.rawValue)), "How UniPC spaces its steps.",
      resolved: { .choice($0.settings.uniPCSkipType.rawValue) },
      apply: { $1.settings.uniPCSkipType = $0.asChoice(UniPCSkipType.self) }),
    RecipeKey(
      "uni_pc_order", .integer(1...50, multipleOf: 1), "UniPC's order, at most the steps.",
      resolved: { .integer(Int64($0.settings.uniPCOrder)) },
      apply: { $1.settings.uniPCOrder = Int($0.asInteger) }),
    RecipeKey(
      "uni_pc_lower_order_final", .flag, "Whether UniPC goes down in order at the end.",
      resolved: { .flag($0.settings.uniPCLowerOrderFinal) },
      apply: { $1.settings.uniPCLowerOrderFinal = $0.asFlag }),
    RecipeKey(
      "always_discard_next_to_last_sigma", .flag, "Drops the schedule's last sigma but one with every sampler.",
      resolved: { .flag($0.settings.alwaysDiscardNextToLastSigma) },
      apply: { $1.settings.alwaysDiscardNextToLastSigma = $0.asFlag }),
    RecipeKey(
      "sgm_noise_multiplier", .flag, "Scales the first noise by √(1 + σ²) rather than by σ.",
      resolved: { .flag($0.settings.sgmNoiseMultiplier) },
      apply: { $1.settings.sgmNoiseMultiplier = $0.asFlag }),
    RecipeKey(
      "sigma_min", .number(0...10_000), "The schedule's smallest sigma; 0 for the model's.",
      resolved: { .number($0.settings.sigmaMin) }, apply: { $1.settings.sigmaMin = $0.asNumber }),
    RecipeKey(
      "sigma_max", .number(0...10_000), "The schedule's largest sigma; 0 for the model's.",
      resolved: { .number($0.settings.sigmaMax) }, apply: { $1.settings.sigmaMax = $0.asNumber }),
    RecipeKey(
      "rho", .number(0...100), "The exponent of the schedules karras and polyexponential; 0 for their own.",
      resolved: { .number($0.settings.rho) }, apply: { $1.settings.rho = $0.asNumber }),
    RecipeKey(
      "beta_dist_alpha", .number(0.01...100), "The first parameter of the schedule beta.",
      resolved: { .number($0.settings.betaDistAlpha) }, apply: { $1.settings.betaDistAlpha = $0.asNumber }),
    RecipeKey(
      "beta_dist_beta", .number(0.01...100), "The second parameter of the schedule beta.",
      resolved: { .number($0.settings.betaDistBeta) }, apply: { $1.settings.betaDistBeta = $0.asNumber }),
    RecipeKey(
      "use_old_karras_scheduler_sigmas", .flag, "Runs schedules from 10 to 0.1, as the webui's first versions did.",
      resolved: { .flag($0.settings.useOldKarrasSchedulerSigmas) },
      apply: { $1.settings.useOldKarrasSchedulerSigmas = $0.asFlag }),
    RecipeKey(
      "sd_noise_schedule", .choice(TrainingNoiseChoice.allCases.map(\.rawValue)),
      "The noise levels that the model is taken to be trained on.",
      resolved: { .choice($0.settings.sdNoiseSchedule.rawValue) },
      apply: { $1.settings.sdNoiseSchedule = $0.asChoice(TrainingNoiseChoice.self) }),
    RecipeKey(
      "use_downcasted_alpha_bar", .flag, "Rounds the training's noise levels to half precision.",
      resolved: { .flag($0.settings.useDowncastedAlphaBar) },
      apply: { $1.settings.useDowncastedAlphaBar = $0.asFlag }),
    RecipeKey(
      "enable_quantization", .flag, "Tells the network of whole timesteps only.",
      resolved: { .flag($0.settings.enableQuantization) },
      apply: { $1.settings.enableQuantization = $0.asFlag }),
    RecipeKey(
      "s_min_uncond", .number(0...10_000), "Below this sigma every other call leaves out the negative prompt.",
      resolved: { .number($0.settings.sMinUncond) }, apply: { $1.settings.sMinUncond = $0.asNumber }),
    RecipeKey(
      "s_min_uncond_all", .flag, "Makes s_min_uncond act on every call.",
      resolved: { .flag($0.settings.sMinUncondAll) },
      apply: { $1.settings.sMinUncondAll = $0.asFlag }),
    RecipeKey(
      "skip_early_cond", .number(0...1), "The first part of all calls that leaves out the negative prompt.",
      resolved: { .number($0.settings.skipEarlyCond) }, apply: { $1.settings.skipEarlyCond = $0.asNumber }),
    RecipeKey(
      "tiling", .flag, "Makes pictures that continue themselves beyond their edges.",
      resolved: { .flag($0.settings.tiling) }, apply: { $1.settings.tiling = $0.asFlag }),
    RecipeKey(
      "token_merging_ratio", .number(0...0.9), "The part of all tokens that self-attention merges: an approximation.",
      resolved: { .number($0.settings.tokenMergingRatio) },
      apply: { $1.settings.tokenMergingRatio = $0.asNumber }),
    RecipeKey(
      "enable_hr", .flag, "Makes a second pass over the enlarged picture of the first: hires fix.",
      resolved: { .flag($0.hires.isOn) }, apply: { $1.hires.isOn = $0.asFlag }),
    RecipeKey(
      "hr_scale", .number(0.01...100), "How many times as wide and high the second pass is, unless a size is given.",
      resolved: { .number($0.hires.settings.scale) }, apply: { $1.hires.settings.scale = $0.asNumber }),
    RecipeKey(
      "hr_resize_x", .integer(0...8192, multipleOf: 1),
      "The width of the second pass; 0 follows from hr_resize_y. With both, what is too much of one side is cut off.",
      resolved: { .integer(Int64($0.hires.settings.resizeX)) },
      apply: { $1.hires.settings.resizeX = Int($0.asInteger) }),
    RecipeKey(
      "hr_resize_y", .integer(0...8192, multipleOf: 1), "The height of the second pass; 0 follows from hr_resize_x.",
      resolved: { .integer(Int64($0.hires.settings.resizeY)) },
      apply: { $1.hires.settings.resizeY = Int($0.asInteger) }),
    RecipeKey(
      "firstphase_width", .integer(0...8192, multipleOf: 8),
      "The width of the first pass, with which width and height are those of the second; 0 for none of this.",
      resolved: { .integer(Int64($0.hires.firstWidth)) }, apply: { $1.hires.firstWidth = Int($0.asInteger) }),
    RecipeKey(
      "firstphase_height", .integer(0...8192, multipleOf: 8), "The height that goes with firstphase_width.",
      resolved: { .integer(Int64($0.hires.firstHeight)) }, apply: { $1.hires.firstHeight = Int($0.asInteger) }),
    RecipeKey(
      "hr_upscaler", .upscaler, "What enlarges the first pass's latent or image: a filter, or the file of a network.",
      resolved: { $0.hires.settings.upscaler.map { .upscaler($0) } ?? .nothing },
      apply: { $1.hires.settings.upscaler = $0.asUpscaler }),
    RecipeKey(
      "hr_second_pass_steps", .integer(0...10_000, multipleOf: 1),
      "Sampling steps of the second pass; 0 for as many as in the first.",
      resolved: { .integer(Int64($0.hires.settings.steps)) },
      apply: { $1.hires.settings.steps = Int($0.asInteger) }),
    RecipeKey(
      "denoising_strength", .number(0...1), "How much noise the second pass begins with: 1 is all, 0 none.",
      resolved: { .number($0.hires.settings.denoisingStrength) },
      apply: { $1.hires.settings.denoisingStrength = $0.asNumber }),
    RecipeKey(
      "hr_checkpoint_name", .otherModel, "The checkpoint of the second pass, if it is another.",
      resolved: { $0.hires.settings.checkpoint.map { .model($0) } ?? .nothing },
      apply: { $1.hires.settings.checkpoint = $0.asModel }),
    RecipeKey(
      "hires_fix_refiner_pass", .choice(RefinerPass.allCases.map(\.rawValue)),
      "Which pass the refiner finishes, where there are two.",
      resolved: { .choice($0.hires.settings.refinerPass.rawValue) },
      apply: { $1.hires.settings.refinerPass = $0.asChoice(RefinerPass.self) }),
    RecipeKey(
      "hr_sampler_name", .otherSampler, concern: "hr_sampler", "The sampler of the second pass, if it is another.",
      resolved: { draft in draft.hires.sampler.map { .sampler($0.0, $0.1) } ?? .nothing },
      apply: { $1.hires.sampler = $0.asOtherSampler }),
    RecipeKey(
      "hr_scheduler", .otherSchedule, concern: "hr_sampler", "The noise schedule of the second pass, if it is another.",
      resolved: { $0.hires.scheduler.map { .schedule($0) } ?? .nothing },
      apply: { $1.hires.scheduler = $0.asOtherSchedule }),
    RecipeKey(
      "hr_prompt", .text, concern: "prompt", "The prompt of the second pass, if it is another.",
      resolved: { .text($0.hires.settings.prompt) }, apply: { $1.hires.settings.prompt = $0.asText }),
    RecipeKey(
      "hr_negative_prompt", .text, concern: "prompt", "The negative prompt of the second pass, if it is another.",
      resolved: { .text($0.hires.settings.negativePrompt) },
      apply: { $1.hires.settings.negativePrompt = $0.asText }),
    RecipeKey(
      "token_merging_ratio_hr", .number(0...0.9), "token_merging_ratio of the second pass; 0 for that of the first.",
      resolved: { .number($0.hires.settings.tokenMergingRatio) },
      apply: { $1.hires.settings.tokenMergingRatio = $0.asNumber }),
    RecipeKey(
      "feature_cache", .integer(1...100, multipleOf: 1), isOurs: true,
      "Computes all of the network in every so many calls, and in between only its shallow layers: an approximation.",
      resolved: { .integer(Int64($0.settings.featureCache)) },
      apply: { $1.settings.featureCache = Int($0.asInteger) }),
    RecipeKey(
      "memory_limit", .bytes, isOurs: true,
      "The most memory that making an image may take, such as 2.5GiB; the run tells what it gives up for it.",
      resolved: { .integer($0.settings.memoryLimit) }, apply: { $1.settings.memoryLimit = $0.asBytes }),
    RecipeKey(
      "weight_packing", .choice(WeightPackingChoice.allCases.map(\.rawValue)), isOurs: true,
      "Whether weights are packed to be fast or small; auto is fast, unless memory_limit leaves no room.",
      resolved: { .choice($0.settings.weightPacking.rawValue) },
      apply: { $1.settings.weightPacking = $0.asChoice(WeightPackingChoice.self) }),
    RecipeKey(
      "prediction_type", .choice(PredictionChoice.allCases.map(\.rawValue)), isOurs: true,
      "What the network predicts, where the model's files do not say.",
      resolved: { .choice($0.settings.predictionType.rawValue) },
      apply: { $1.settings.predictionType = $0.asChoice(PredictionChoice.self) }),

    RecipeKey(document: "grid", .axes, "Axes that are multiplied; the last varies fastest."),
    RecipeKey(document: "zip", .axisGroups, "Groups of axes that advance together; each group is one more axis."),
    RecipeKey(document: "exclude", .cells, "Cells to leave out: those whose values or titles match."),
    RecipeKey(document: "include", .cells, "Cells to add: the base with these values, after all others."),
    RecipeKey(document: "styles_file", .files, "The CSV files of styles; by default styles.csv beside the recipe."),
    RecipeKey(document: "output", .path, "The run's folder, relative to the current folder."),
    RecipeKey(document: "sheet", .sheet, "Which axes the contact sheet lays out."),
    RecipeKey(document: "webhook", .address, isOurs: false, "Where to announce a finished run, or each of its images."),
  ]
}

extension RecipeKey: Equatable {
  /// Whether both are the key of this name.
  public static func == (a: RecipeKey, b: RecipeKey) -> Bool { a === b || a.name == b.name }
}
