import JSON

/// The settings of one pass through the noise levels, and a row for each.
///
/// To add a setting, add a property and a row here (or in `HiresSettings` if only the second pass has it), and read the
/// property in the code that it affects.
public struct PassSettings: Hashable, Sendable {
  // MARK: Models

  /// The checkpoint to use.
  public var model = ModelReference.demo
  /// A VAE file or folder that replaces the checkpoint's own, or `ownVAE`. nil means the one next to the checkpoint if there is
  /// one, otherwise the checkpoint's own.
  public var vae: ModelReference?
  /// A checkpoint whose text encoders are used instead of the model's own; nil for the model's own.
  public var textEncoder: ModelReference?
  /// Files with text encoders, for checkpoints that do not contain them. Encoders that are still missing are searched for.
  public var textEncoders: [ModelReference] = []
  /// The checkpoint that finishes the image; nil for one checkpoint throughout.
  public var refiner: ModelReference?
  /// The fraction of the noise that is removed before the refiner takes over, 0 to 1.
  public var refinerSwitchAt = 0.8
  /// The folders whose `lora/`, `Lora/` and `embeddings/` are searched for the prompts' LoRAs and embeddings, in this
  /// order; empty if the prompts use none.
  public var adapterFolders: [String] = []
  /// The folders that are searched for text encoders and VAEs in separate files, in this order; empty for Stable
  /// Diffusion.
  public var partFolders: [String] = []

  // MARK: Prompts

  /// What the image should show, in the webui's syntax.
  public var prompt = ""
  /// What guidance steers away from.
  public var negativePrompt = ""
  /// The text that dynamic prompts turned into the prompt; empty if there is none.
  public var promptTemplate = ""
  /// The text that dynamic prompts turned into the negative prompt; empty if there is none.
  public var negativePromptTemplate = ""
  /// How the weights of both prompts are applied.
  public var emphasis = EmphasisChoice.original
  /// How the numbers of prompt editing are read.
  public var timelines = PromptTimelines.current

  // MARK: The image and its sampler

  /// The seed of this image's noise; never -1.
  public var seed: Int64 = 0
  /// Sampling steps.
  public var steps = 20
  /// The strength of classifier-free guidance; 1 turns it off.
  public var cfgScale = 7.0
  /// The guidance scale for networks that take it as an input, such as Flux.1 dev's.
  public var distilledCFGScale = 3.5
  /// The shift of the noise levels of flow matching: σ(u) = a u / (1 + (a − 1) u); 0 for the family's default.
  public var shift = 0.0
  /// The sampler.
  public var sampler = SamplerID.dpmPP2M
  /// The requested schedule; `automatic` means the sampler's default.
  public var scheduler = ScheduleID.automatic
  /// The width in pixels; a multiple of 8.
  public var width = 512
  /// The height in pixels; a multiple of 8.
  public var height = 512
  /// The random number generator of the noise.
  public var rng = NoiseSourceID.nv
  /// Which layer of the text encoder is used, counted from the end: 1 is the last.
  public var clipSkip = 1
  /// How much of an ancestral or SDE sampler's noise is used, 0 to 1.
  public var eta = 1.0
  /// How much noise Euler, Heun and DPM2 add and remove again.
  public var sChurn = 0.0
  /// The smallest sigma that is churned.
  public var sTmin = 0.0
  /// The largest sigma that is churned; nil means no limit.
  public var sTmax: Double?
  /// The factor on noise that samplers add.
  public var sNoise = 1.0
  /// The requested precision.
  public var precision = PrecisionChoice.auto
  /// What the network predicts.
  public var predictionType = PredictionChoice.auto

  // MARK: Noise

  /// The seed of the noise that is mixed into the initial noise; -1 if none is.
  public var subseed: Int64 = -1
  /// How much of the subseed's noise is mixed in, 0 to 1.
  public var subseedStrength = 0.0
  /// The width in pixels of the image whose noise is placed in the centre of this one's; 0 or less for none.
  public var seedResizeFromW = -1
  /// The height that goes with `seedResizeFromW`.
  public var seedResizeFromH = -1
  /// Added to the seed of all noise except the initial noise.
  public var etaNoiseSeedDelta: Int64 = 0

  // MARK: Samplers

  /// DDIM's eta.
  public var etaDDIM = 0.0
  /// The form of UniPC's coefficients.
  public var uniPCVariant = UniPCVariant.bh1
  /// How UniPC spaces its steps.
  public var uniPCSkipType = UniPCSkipType.timeUniform
  /// UniPC's order, at least 1.
  public var uniPCOrder = 3
  /// Whether UniPC lowers its order in the last steps.
  public var uniPCLowerOrderFinal = true

  // MARK: Schedule

  /// Whether every sampler drops the schedule's second-to-last value.
  public var alwaysDiscardNextToLastSigma = false
  /// Whether the initial noise is scaled by √(1 + σ²) instead of σ.
  public var sgmNoiseMultiplier = false
  /// The schedule's smallest sigma; 0 for the model's.
  public var sigmaMin = 0.0
  /// The schedule's largest sigma; 0 for the model's.
  public var sigmaMax = 0.0
  /// The exponent of the Karras and polyexponential schedules; 0 for their defaults.
  public var rho = 0.0
  /// The first parameter of the beta schedule's distribution.
  public var betaDistAlpha = 0.6
  /// The second parameter of the beta schedule's distribution.
  public var betaDistBeta = 0.6
  /// Whether schedules run from 10 to 0.1, as in the webui's first versions.
  public var useOldKarrasSchedulerSigmas = false
  /// The noise levels that the model is assumed to be trained on.
  public var sdNoiseSchedule = TrainingNoiseChoice.standard
  /// Whether the noise levels of training are rounded to half precision.
  public var useDowncastedAlphaBar = false
  /// Whether each sigma is rounded to the nearest whole timestep before the network sees it.
  public var enableQuantization = false

  // MARK: Guidance

  /// Below this sigma every other call omits the negative prompt.
  public var sMinUncond = 0.0
  /// Whether `sMinUncond` applies to every call.
  public var sMinUncondAll = false
  /// The fraction of calls, counted from the first, that omit the negative prompt, 0 to 1.
  public var skipEarlyCond = 0.0
  /// The part of the pass in which guidance applies; other calls omit the negative prompt.
  public var guidanceInterval = PassInterval.whole
  /// How much the standard deviation of the result is corrected to that of the prompt's own result, from 0 (not at all) to 1.
  public var cfgRescale = 0.0
  /// How much of the part of guidance that is parallel to the prompt's own result counts; 1 for all of it, which is plain
  /// guidance.
  public var apgEta = 1.0
  /// The largest norm of guidance before it is scaled; 0 for no limit.
  public var apgNormThreshold = 0.0
  /// How much of the guidance of earlier calls is added; 0 for none.
  public var apgMomentum = 0.0
  /// How strongly the image is steered away from the network's result without some layers; 0 for not at all.
  public var skipLayerScale = 0.0
  /// The layers that are skipped for that.
  public var skipLayers = LayerList.standard
  /// The part of the pass in which they are skipped.
  public var skipLayerInterval = PassInterval.skippedLayers

  // MARK: The networks

  /// Whether opposite edges of the image match, so that copies of it tile seamlessly.
  public var tiling = false
  /// The fraction of tokens that self-attention merges at the latent's own resolution, 0 to 0.9: an approximation.
  public var tokenMergingRatio = 0.0
  /// Every N-th call computes the whole network; 1 means every call. Calls in between compute only its shallow layers
  /// and reuse the last output of the deep ones: an approximation.
  public var featureCache = 1
  /// Once it has started, every N-th call computes the network; 1 means every call. In between, the network's last features
  /// are forecast from those of earlier calls: an approximation.
  public var featureForecast = 1

  // MARK: Faces

  /// Whether the faces of the finished image are restored.
  public var restoreFaces = false
  /// The network that restores faces.
  public var faceRestorationModel = FaceRestorationModel.codeFormer
  /// How much of the original face CodeFormer keeps, from 0 (least) to 1.
  public var codeFormerWeight = 0.5
  /// Whether to keep the image before its faces were restored too.
  public var savesBeforeFaces = false
  /// The folders that are searched for the networks that restore faces, in this order; empty if no faces are restored.
  public var faceFolders: [String] = []

  // MARK: Files

  /// The format of the image's file.
  public var format = FileFormat.png
  /// Further formats in which the image is kept, each in its own file.
  public var otherFormats: [FileFormat] = []
  /// The quality of JPEG and WebP, 1 to 100.
  public var quality = 80
  /// Whether WebP keeps the pixels exactly.
  public var webPLossless = false

  /// The pattern of the file names without extensions, see `FileNamePattern`; empty for the default.
  public var fileName = ""

  // MARK: Memory

  /// The most memory, in bytes, that the process may use while it makes the image; 0 for no limit.
  public var memoryLimit: Int64 = 0
  /// How much memory weights may take.
  public var weightPacking = WeightPackingChoice.auto

  /// The defaults of a recipe; the seed must still be set.
  public init() {}
}

extension PassSettings: SettingsPart {
  static let pass = SettingRow.Pass.every
  static func reader<Value: SettingRepresentable>(
    of path: WritableKeyPath<PassSettings, Value> & Sendable
  ) -> @Sendable (ImageSettings) -> SettingValue {
    let base: WritableKeyPath<ImageSettings.Passes, PassSettings> = \.base
    guard let offset = MemoryLayout<ImageSettings.Passes>.offset(of: base.appending(path: path)) else {
      return { $0.base[keyPath: path].settingValue }
    }
    // A run of many jobs reads every row of each job. Reading a property by its offset avoids a slow walk along the key path.
    return { settings in
      settings.passes.withPointer {
        UnsafeRawPointer($0).load(fromByteOffset: offset, as: Value.self).settingValue
      }
    }
  }
  static func change(_ settings: inout ImageSettings, _ body: (inout PassSettings) -> Void) { body(&settings.base) }

  /// One row for each property, in the order of plan and manual. The optimiser needs twice as long for a single table.
  static var rows: [SettingRow] {
    rowsOfModels + rowsOfPrompts + rowsOfImage + rowsOfNoise + rowsOfSamplers + rowsOfSchedule
      + rowsOfGuidance + rowsOfNetworks + rowsOfFaces + rowsOfFiles + rowsOfMemory
  }

  // MARK: Models

  @RowTable private static var rowsOfModels: [SettingRow] {
    row(
      "model", aliases: ["sd_model_checkpoint"], \.model, .model,
      "The checkpoint: demo, or a file or folder next to the recipe, in its models/ or in $SDBATCH_MODELS.",
      effect: .computed { .string($0.ingredients.model.pixelDigest) },
      infotext: [
        .computed("Model hash", at: 70) { .string($0.ingredients.model.shortHash) },
        .computed("Model", at: 80) { .string($0.ingredients.model.name) },
      ],
      request: .option("sd_model_checkpoint"), plot: ["Checkpoint name"], ingredients: .always)
    row(
      "vae", aliases: ["sd_vae"], \.vae, .vae,
      "A VAE file or folder that replaces the checkpoint's own; none keeps its own even if there is a NAME.vae.pt.",
      effect: .computed { $0.ingredients.vae.map { .string($0.sha256) } ?? .null },
      infotext: [
        .computed("VAE hash", at: 90) { $0.ingredients.vae.map { .string($0.shortHash) } },
        .computed("VAE", at: 100) { $0.ingredients.vae.map { .string($0.fileName) } },
        .computed("VAE Decoder", at: 1800) { JSONValue.string("TAESD").only(if: $0.ingredients.vae?.isTiny == true) },
      ],
      request: .option("sd_vae"), plot: ["VAE"], ingredients: .always, stage: SettingRow.vaeStage)
    row(
      "text_encoder", \.textEncoder, .otherModel,
      "A checkpoint whose text encoders are used, and whose VAE if the model has none: completes a UNet alone.",
      effect: .computed { $0.ingredients.textEncoder.map { .string($0.pixelDigest) } },
      infotext: [.computed("Text encoder", at: 1815) { $0.ingredients.textEncoder.map { .string($0.title) } }],
      request: .none, ingredients: .always, isShown: { $0.textEncoder != nil })
    row(
      "text_encoders", aliases: ["forge_additional_modules"], \.textEncoders, .models,
      "The files of text encoders that the checkpoint does not contain; those that are not given are searched for.",
      effect: .computed { image in
        image.ingredients.textEncoders.map { .array($0.map { .string($0.pixelDigest) }) }
      },
      infotext: (1...ModelIdentity.mostModules).map { number in
        .computed("Module \(number)", at: 1850 + number) { $0.module(number).map { .string($0) } }
      },
      request: .option("forge_additional_modules"), ingredients: .always, isShown: { !$0.textEncoders.isEmpty })
    row(
      "part_places", \.partFolders, .folders,
      "The folders that are searched for separate files of text encoders and VAEs.",
      effect: .none, request: .none, ingredients: .always, isShown: { !$0.partFolders.isEmpty })
    row(
      "refiner_checkpoint", \.refiner, .otherModel,
      "A checkpoint that finishes the image, such as the refiner of Stable Diffusion XL.",
      effect: .computed { $0.ingredients.refiner.map { .string($0.pixelDigest) } },
      infotext: [.computed("Refiner", at: 1710) { $0.ingredients.refiner.map { .string($0.title) } }],
      request: .field(nil, worker: ""), plot: ["Refiner checkpoint"], ingredients: .always,
      stage: { _ in .duringFirstPass }, isShown: { $0.refiner != nil })
    row(
      "refiner_switch_at", \.refinerSwitchAt, .number(0...1),
      "The fraction of the noise that is removed before refiner_checkpoint takes over.",
      effect: .when { $0.ingredients.refiner != nil },
      infotext: [
        .entry("Refiner switch at", at: 1720, reading: .together, when: { $0.ingredients.refiner != nil })
      ],
      request: .field(nil, worker: 0), plot: ["Refiner switch at"],
      stage: { _ in .duringFirstPass }, isShown: { $0.refiner != nil })
    row(
      "adapter_places", \.adapterFolders, .folders,
      "The folders that are searched for the prompts' LoRAs and embeddings.",
      effect: .none, request: .none, ingredients: .always, isShown: { !$0.adapterFolders.isEmpty })
  }

  // MARK: Prompts

  @RowTable private static var rowsOfPrompts: [SettingRow] {
    row(
      "prompt", \.prompt, .text, "What the image should show, in the webui's prompt syntax.", effect: .always,
      request: .field("", worker: ""), ingredients: .ofPrompts, stage: { _ in .duringFirstPass })
    row(
      "negative_prompt", \.negativePrompt, .text, "What the image should not show.", effect: .always,
      request: .field("", worker: ""), ingredients: .ofPrompts, stage: { _ in .duringFirstPass })
    row(
      "prompt_template", \.promptTemplate, .text, "What dynamic prompts turned into the prompt.", effect: .none,
      infotext: [.entry("Template", at: 1900, when: { !$0.settings.promptTemplate.isEmpty })], request: .none,
      isDerived: true,
      isShown: { !$0.promptTemplate.isEmpty })
    row(
      "negative_prompt_template", \.negativePromptTemplate, .text,
      "What dynamic prompts turned into the negative prompt.", effect: .none,
      infotext: [.entry("Negative Template", at: 1901, when: { !$0.settings.negativePromptTemplate.isEmpty })],
      request: .none, isDerived: true, isShown: { !$0.negativePromptTemplate.isEmpty })
    row(
      "emphasis", choice: \.emphasis, "How the weights of both prompts are applied, by the webui's names.",
      effect: .when { $0.emphasisMatters }, infotext: [.entry("Emphasis", at: 1200)], request: .option("emphasis"),
      ingredients: .ofPrompts)
    row(
      "use_old_scheduling", choice: \.timelines,
      "Reads the numbers of prompt editing as the webui did before 1.6: those below 1 are fractions of all steps.",
      effect: .when { $0.timelinesMatter }, infotext: [.entry("Old prompt editing timelines", at: 1210)],
      request: .option("use_old_scheduling"), ingredients: .ofPrompts)
  }

  // MARK: The image and its sampler

  @RowTable private static var rowsOfImage: [SettingRow] {
    row(
      "seed", \.seed, .seed,
      "The seed of the noise; -1 draws one and keeps it in the run folder; nightly 16 adds 16 new seeds every date.",
      effect: .always, infotext: [.entry("Seed", at: 50, reading: .together, when: { _ in true })],
      request: .field(-1, worker: -1), plot: ["Seed"])
    row(
      "steps", \.steps, .integer(1...10_000, multipleOf: 1), "Sampling steps.", effect: .always,
      infotext: [.entry("Steps", at: 10, reading: .together, when: { _ in true })], request: .field(50, worker: 20),
      plot: ["Steps"], ingredients: .ofPrompts)
    row(
      "cfg_scale", \.cfgScale, .number(-1000...1000), "How strongly the image follows the prompt.", effect: .always,
      infotext: [.entry("CFG scale", at: 40, reading: .together, when: { _ in true })],
      request: .field(7.0, worker: 7.0), plot: ["CFG Scale"])
    row(
      "distilled_cfg_scale", \.distilledCFGScale, .number(0...1000),
      "The guidance scale that Flux.1 dev's network takes as an input; other networks ignore it.",
      effect: .computed { image in
        JSONValue.number(image.settings.effectiveDistilledCFGScale)
          .only(if: image.settings.traits.readsDistilledGuidance)
      },
      infotext: [
        .entry(
          "Distilled CFG Scale", at: 45,
          when: { image in image.inAnyPass { $0.traits.readsDistilledGuidance } })
      ],
      request: .field(nil, worker: nil), plot: ["Distilled CFG Scale"])
    row(
      "shift", \.shift, .number(0...1000),
      "The shift of the noise levels of models trained by flow matching; 0 for the family's own.",
      effect: .computed { image in
        (image.settings.traits.flow == nil ? image.second : image.settings.base).flatMap { pass in
          JSONValue.number(pass.effectiveShift).only(if: pass.traits.flow != nil)
        }
      },
      infotext: [.computed("Shift", at: 46, reading: .byKind) { $0.writtenShift.map { .number($0) } }],
      request: .none, plot: ["Shift"],
      shown: { image in
        let pass = image.settings.traits.flow == nil ? image.second ?? image.settings.base : image.settings.base
        return .number(pass.effectiveShift)
      })
    row(
      "sampler_name", aliases: ["sampler_index"], \.sampler, .sampler,
      "The sampler by its webui name; an old combined name (DPM++ SDE Karras) sets the scheduler too.",
      effect: .always, infotext: [.entry("Sampler", at: 20, reading: .together, when: { _ in true })],
      request: .field(nil, worker: "Euler a"), plot: ["Sampler"], ingredients: .ofPrompts)
    row(
      "scheduler", aliases: ["k_sched_type"], \.scheduler, .schedule,
      "The noise schedule; automatic means the sampler's default.",
      effect: .computed {
        JSONValue.string($0.settings.effectiveSchedule.rawValue).only(if: $0.settings.base.scheduleMatters)
      },
      infotext: [
        .computed("Schedule type", at: 30, for: .text) { .string($0.settings.namedSchedule.label) },
        .computed("Schedule type", at: 1330, for: .info) {
          JSONValue.string($0.settings.namedSchedule.label).only(if: $0.settings.namedSchedule != .automatic)
        },
      ],
      request: .field(nil, worker: "automatic", option: "k_sched_type"), plot: ["Schedule type"],
      shown: { .schedule($0.settings.namedSchedule) })
    row(
      "width", \.width, .integer(8...8192, multipleOf: 8), "Width in pixels, a multiple of 8.", effect: .always,
      infotext: [
        .computed("Size", at: 60) { .string("\($0.settings.width)x\($0.settings.height)") }
      ],
      request: .field(512, worker: 512), ingredients: .always)
    row(
      "height", \.height, .integer(8...8192, multipleOf: 8), "Height in pixels, a multiple of 8.", effect: .always,
      request: .field(512, worker: 512), ingredients: .always)
    row(
      "rng", aliases: ["randn_source"], choice: \.rng,
      "The random number generator of the noise: nv as the webui on a GPU, cpu as PyTorch on a CPU.", effect: .always,
      infotext: [
        .computed("RNG", at: 190) { .string($0.settings.rng == .nv ? "NV" : "CPU") }
      ],
      request: .option("randn_source"), plot: ["RNG source"])
    row(
      "clip_skip", aliases: ["CLIP_stop_at_last_layers"], \.clipSkip, .integer(1...32, multipleOf: 1),
      "Which layer of the text encoder is used, counted from the end: 1 is the last.",
      effect: .when { image in image.inAnyPass { $0.traits.prompts.readsClipSkip } },
      infotext: [.entry("Clip skip", at: 150)], request: .option("CLIP_stop_at_last_layers"), plot: ["Clip skip"])
    row(
      "eta", \.eta, .number(0...100),
      "How much noise an ancestral or SDE sampler adds back; for DDIM it overrides eta_ddim.",
      effect: .inAnyPass { $0.etaMatters }, infotext: [.entry("Eta", at: 1500, reading: .together)],
      request: .field(nil, worker: 0), plot: ["Eta"])
    row(
      "s_churn", \.sChurn, .number(0...10_000), "Noise added at each step of Euler, Heun and DPM2.",
      effect: .inAnyPass { $0.churnMatters }, infotext: [.entry("Sigma churn", at: 1520)],
      request: .field(nil, worker: 0, option: "s_churn"), plot: ["Sigma Churn"])
    row(
      "s_tmin", \.sTmin, .number(0...10_000), "The smallest sigma that s_churn applies to.",
      effect: .inAnyPass { $0.churnMatters },
      infotext: [
        .entry(
          "Sigma tmin", at: 1530,
          when: { image in image.inAnyPass { $0.sampler.usesChurn } && image.settings.sTmin != 0 })
      ],
      request: .field(nil, worker: 0, option: "s_tmin"), plot: ["Sigma min"])
    row(
      "s_tmax", \.sTmax, .limit(0...10_000), "The largest sigma that s_churn applies to; 0 or null means no limit.",
      effect: .inAnyPass { $0.churnMatters },
      infotext: [
        .entry(
          "Sigma tmax", at: 1540,
          when: { image in image.inAnyPass { $0.sampler.usesChurn } && image.settings.sTmax ?? .infinity != .infinity })
      ],
      request: .field(nil, worker: 0, option: "s_tmax"), plot: ["Sigma max"])
    row(
      "s_noise", \.sNoise, .number(0...100), "The factor on noise that a sampler adds.",
      effect: .inAnyPass { $0.noiseScaleMatters },
      infotext: [
        .entry(
          "Sigma noise", at: 1550,
          when: { image in image.inAnyPass { $0.sampler.usesNoiseScale } && image.settings.sNoise != 1 })
      ],
      request: .field(nil, worker: 0, option: "s_noise"), plot: ["Sigma noise"])
    row(
      "precision", choice: \.precision, "The precision; auto is the fastest that keeps quality on this machine.",
      effect: .computed { .string($0.ingredients.precision) },
      infotext: [
        .computed("Precision", at: 1840, reading: .byKind) { .string($0.ingredients.precision) }
      ],
      request: .none, ingredients: .always, shown: { .choice($0.ingredients.precision) })
    row(
      "prediction_type", choice: \.predictionType, "What the network predicts, if the model's files do not say.",
      effect: .always, infotext: [.entry("Prediction type", at: 1810)], request: .none)
  }

  // MARK: Noise

  @RowTable private static var rowsOfNoise: [SettingRow] {
    row(
      "subseed", \.subseed, .seed, "The seed of the noise that subseed_strength mixes in; -1 draws one and keeps it.",
      effect: .when { $0.settings.subseedMatters },
      infotext: [.entry("Variation seed", at: 110, when: { $0.settings.subseedMatters })],
      request: .field(-1, worker: -1),
      plot: ["Var. seed"])
    row(
      "subseed_strength", \.subseedStrength, .number(0...1),
      "How much of the subseed's noise is mixed into the initial noise.", effect: .when { $0.settings.subseedMatters },
      infotext: [.entry("Variation seed strength", at: 120)], request: .field(0, worker: 0), plot: ["Var. strength"])
    row(
      "seed_resize_from_w", \.seedResizeFromW, .integer(-1...8192, multipleOf: 1),
      "The width of the image whose noise is placed in the centre of this one's; 0 or less for none.",
      effect: .when { $0.settings.seedResizeMatters },
      infotext: [
        .computed("Seed resize from", at: 130) {
          JSONValue.string("\($0.settings.seedResizeFromW)x\($0.settings.seedResizeFromH)")
            .only(if: $0.settings.seedResizeMatters)
        }
      ],
      request: .field(-1, worker: -1))
    row(
      "seed_resize_from_h", \.seedResizeFromH, .integer(-1...8192, multipleOf: 1),
      "The height that goes with seed_resize_from_w.", effect: .when { $0.settings.seedResizeMatters },
      request: .field(-1, worker: -1))
    row(
      "eta_noise_seed_delta", \.etaNoiseSeedDelta, .integer(-(1 << 53)...(1 << 53), multipleOf: 1),
      "Added to the seed of all noise except the initial noise (ENSD).",
      effect: .inAnyPass { $0.etaNoiseSeedDeltaMatters },
      infotext: [.entry("ENSD", at: 160)], request: .option("eta_noise_seed_delta"))
  }

  // MARK: Samplers

  @RowTable private static var rowsOfSamplers: [SettingRow] {
    row(
      "eta_ddim", \.etaDDIM, .number(0...1), "How much noise DDIM adds back.",
      effect: .inAnyPass { $0.sampler.usesEtaDDIM },
      infotext: [.entry("Eta DDIM", at: 1510, reading: .together)], request: .option("eta_ddim"))
    row(
      "uni_pc_variant", choice: \.uniPCVariant, "The form of UniPC's coefficients.",
      effect: .inAnyPass { $0.uniPCMatters },
      infotext: [.entry("UniPC variant", at: 1560)], request: .option("uni_pc_variant"))
    row(
      "uni_pc_skip_type", choice: \.uniPCSkipType, "How UniPC spaces its steps.",
      effect: .inAnyPass { $0.uniPCMatters },
      infotext: [.entry("UniPC skip type", at: 1570)], request: .option("uni_pc_skip_type"))
    row(
      "uni_pc_order", \.uniPCOrder, .integer(1...50, multipleOf: 1), "UniPC's order, at most the number of steps.",
      effect: .inAnyPass { $0.uniPCMatters }, infotext: [.entry("UniPC order", at: 1580)],
      request: .option("uni_pc_order"), plot: ["UniPC Order"])
    row(
      "uni_pc_lower_order_final", \.uniPCLowerOrderFinal, .flag, "Whether UniPC lowers its order in the last steps.",
      effect: .inAnyPass { $0.uniPCMatters }, infotext: [.entry("UniPC lower order final", at: 1590)],
      request: .option("uni_pc_lower_order_final"))
  }

  // MARK: Schedule

  @RowTable private static var rowsOfSchedule: [SettingRow] {
    row(
      "always_discard_next_to_last_sigma", \.alwaysDiscardNextToLastSigma, .flag,
      "Whether every sampler drops the schedule's second-to-last sigma.", effect: .inAnyPass { $0.discardMatters },
      infotext: [.entry("Discard penultimate sigma", at: 1320)],
      request: .option("always_discard_next_to_last_sigma"), plot: ["Always discard next-to-last sigma"])
    row(
      "sgm_noise_multiplier", \.sgmNoiseMultiplier, .flag, "Scales the initial noise by √(1 + σ²) instead of σ.",
      effect: .when { $0.settings.sgmNoiseMultiplierMatters }, infotext: [.entry("SGM noise multiplier", at: 1410)],
      request: .option("sgm_noise_multiplier"), plot: ["SGM noise multiplier"])
    row(
      "sigma_min", \.sigmaMin, .number(0...10_000), "The schedule's smallest sigma; 0 for the model's.",
      effect: .inAnyPass { $0.sigmaRangeMatters && $0.sigmaMin != 0 },
      infotext: [.entry("Schedule min sigma", at: 1340)], request: .option("sigma_min"), plot: ["Schedule min sigma"])
    row(
      "sigma_max", \.sigmaMax, .number(0...10_000), "The schedule's largest sigma; 0 for the model's.",
      effect: .inAnyPass { $0.sigmaRangeMatters && $0.sigmaMax != 0 },
      infotext: [.entry("Schedule max sigma", at: 1350)], request: .option("sigma_max"), plot: ["Schedule max sigma"])
    row(
      "rho", \.rho, .number(0...100), "The exponent of the schedules karras and polyexponential; 0 for their own.",
      effect: .inAnyPass { $0.rhoMatters }, infotext: [.entry("Schedule rho", at: 1360)], request: .option("rho"),
      plot: ["Schedule rho"])
    // The webui writes "schedule" but reads "scheduler" when it pastes.
    row(
      "beta_dist_alpha", \.betaDistAlpha, .number(0.01...100), "The first parameter of the schedule beta.",
      effect: .inAnyPass { $0.betaMatters },
      infotext: [.entry("Beta schedule alpha", at: 1370, spellings: ["Beta scheduler alpha"])],
      request: .option("beta_dist_alpha"), plot: ["Beta schedule alpha"])
    row(
      "beta_dist_beta", \.betaDistBeta, .number(0.01...100), "The second parameter of the schedule beta.",
      effect: .inAnyPass { $0.betaMatters },
      infotext: [.entry("Beta schedule beta", at: 1380, spellings: ["Beta scheduler beta"])],
      request: .option("beta_dist_beta"), plot: ["Beta schedule beta"])
    // The webui records neither this option nor enable_quantization.
    row(
      "use_old_karras_scheduler_sigmas", \.useOldKarrasSchedulerSigmas, .flag,
      "Runs schedules from 10 to 0.1, as the webui's first versions did.", effect: .inAnyPass { $0.oldSigmasMatter },
      infotext: [.entry("Old Karras scheduler sigmas", at: 1390)], request: .option("use_old_karras_scheduler_sigmas"))
    row(
      "sd_noise_schedule", choice: \.sdNoiseSchedule, "The noise levels that the model is assumed to be trained on.",
      effect: .when { $0.settings.sdNoiseSchedule != .standard }, infotext: [.entry("Noise Schedule", at: 1310)],
      request: .option("sd_noise_schedule"))
    row(
      "use_downcasted_alpha_bar", \.useDowncastedAlphaBar, .flag,
      "Rounds the noise levels of training to half precision.", effect: .when { $0.settings.useDowncastedAlphaBar },
      infotext: [.entry("Downcast alphas_cumprod", at: 1300)], request: .option("use_downcasted_alpha_bar"))
    row(
      "enable_quantization", \.enableQuantization, .flag,
      "Rounds each sigma to a whole timestep before the network sees it.",
      effect: .inAnyPass { $0.quantizationMatters }, infotext: [.entry("Quantized timesteps", at: 1400)],
      request: .option("enable_quantization"))
  }

  // MARK: Guidance

  @RowTable private static var rowsOfGuidance: [SettingRow] {
    row(
      "s_min_uncond", \.sMinUncond, .number(0...10_000),
      "Below this sigma every other call omits the negative prompt.",
      effect: .when { $0.settings.sMinUncond != 0 }, infotext: [.entry("NGMS", at: 1610)],
      request: .field(nil, worker: 0, option: "s_min_uncond"), plot: ["Negative Guidance minimum sigma"])
    row(
      "s_min_uncond_all", \.sMinUncondAll, .flag, "Makes s_min_uncond apply to every call.",
      effect: .when { $0.settings.sMinUncond != 0 }, infotext: [.entry("NGMS all steps", at: 1620)],
      request: .option("s_min_uncond_all"))
    row(
      "skip_early_cond", \.skipEarlyCond, .number(0...1),
      "The fraction of calls, counted from the first, that omit the negative prompt.",
      effect: .when { $0.settings.skipEarlyCond != 0 }, infotext: [.entry("Skip Early CFG", at: 1600)],
      request: .option("skip_early_cond"), stage: { _ in .duringFirstPass })
    row(
      "guidance_interval", \.guidanceInterval, .interval,
      "The part of each pass in which guidance applies, by fractions of its calls; other calls omit the negative prompt.",
      effect: .when { $0.settings.guidanceInterval != .whole },
      infotext: [
        .computed("Guidance interval", at: 1823, reading: .byKind) {
          JSONValue.string($0.settings.guidanceInterval.text).only(if: $0.settings.guidanceInterval != .whole)
        }
      ],
      request: .none, stage: { _ in .duringFirstPass }, isShown: { $0.guidanceInterval != .whole })
    row(
      "cfg_rescale", aliases: ["rescale_cfg"], \.cfgRescale, .number(0...1),
      "How much the result's contrast is corrected to that of the prompt's own result, from 0 (not at all) to 1.",
      effect: .byPass({ $0.effectiveCFGRescale }, off: 0),
      infotext: [
        // Forge's extensions write the first key, those of the webui the others.
        .byPass(
          "Rescale CFG", at: 1630, spellings: ["CFG Rescale", "CFG Rescale φ", "CFG Rescale phi"],
          { $0.effectiveCFGRescale }, off: 0)
      ],
      request: .none, plot: ["Rescale CFG", "CFG Rescale"], stage: { _ in .duringFirstPass },
      isShown: { $0.cfgRescale != 0 })
    row(
      "apg_eta", \.apgEta, .number(-10...10),
      "Adaptive projected guidance: the share kept of what is parallel to the prompt's own result; 1 is plain.",
      effect: .byPass({ $0.effectiveAPGEta }, off: 1),
      infotext: [.byPass("APG Eta", at: 1632, { $0.effectiveAPGEta }, off: 1)], request: .none, plot: ["APG Eta"],
      stage: { _ in .duringFirstPass }, isShown: { $0.apgEta != 1 })
    row(
      "apg_norm_threshold", \.apgNormThreshold, .number(0...10_000),
      "Adaptive projected guidance: the largest norm of guidance before cfg_scale; 0 for no limit.",
      effect: .byPass({ $0.effectiveAPGNormThreshold }, off: 0),
      infotext: [.byPass("APG Norm Threshold", at: 1634, { $0.effectiveAPGNormThreshold }, off: 0)],
      request: .none, plot: ["APG Norm Threshold"], stage: { _ in .duringFirstPass },
      isShown: { $0.apgNormThreshold != 0 })
    row(
      "apg_momentum", \.apgMomentum, .number(-1...1),
      "Adaptive projected guidance: how much of the guidance of earlier calls is added; negative values push away from it.",
      effect: .byPass({ $0.effectiveAPGMomentum }, off: 0),
      infotext: [
        .byPass("APG Momentum", at: 1636, spellings: ["APG Beta"], { $0.effectiveAPGMomentum }, off: 0)
      ],
      request: .none, plot: ["APG Momentum"], stage: { _ in .duringFirstPass }, isShown: { $0.apgMomentum != 0 })
    row(
      "skip_layer_guidance_scale", \.skipLayerScale, .number(0...100),
      "How strongly a Stable Diffusion 3 image is steered away from the network's result without some layers.",
      effect: .byPass({ $0.effectiveSkipLayerScale }, off: 0),
      infotext: [.byPass("Skip layer guidance scale", at: 1640, { $0.effectiveSkipLayerScale }, off: 0)],
      request: .none, stage: { _ in .duringFirstPass }, isShown: { $0.skipLayerScale != 0 })
    row(
      "skip_layer_guidance_layers", \.skipLayers, .layers,
      "The layers that skip_layer_guidance_scale skips, counted from 0.",
      effect: .when { $0.inAnySampling(\.skipsLayers) },
      infotext: [
        .computed("Skip layer guidance layers", at: 1642, reading: .byKind) { image in
          JSONValue.string(image.settings.skipLayers.text)
            .only(if: image.inAnySampling(\.skipsLayers) && image.settings.skipLayers != .standard)
        }
      ],
      request: .none, stage: { _ in .duringFirstPass }, isShown: { $0.skipLayers != .standard })
    row(
      "skip_layer_guidance_interval", \.skipLayerInterval, .interval,
      "The part of each pass in which skip_layer_guidance_scale applies, by fractions of its calls.",
      effect: .when { $0.inAnySampling(\.skipsLayers) },
      infotext: [
        .computed("Skip layer guidance interval", at: 1644, reading: .byKind) { image in
          JSONValue.string(image.settings.skipLayerInterval.text)
            .only(if: image.inAnySampling(\.skipsLayers) && image.settings.skipLayerInterval != .skippedLayers)
        }
      ],
      request: .none, stage: { _ in .duringFirstPass }, isShown: { $0.skipLayerInterval != .skippedLayers })
  }

  // MARK: The networks

  @RowTable private static var rowsOfNetworks: [SettingRow] {
    row(
      "tiling", \.tiling, .flag, "Makes opposite edges of the image match, so that copies of it tile seamlessly.",
      effect: .when { $0.settings.tiling }, infotext: [.entry("Tiling", at: 200)], request: .field(nil, worker: false))
    row(
      "token_merging_ratio", \.tokenMergingRatio, .number(0...0.9),
      "The fraction of tokens that self-attention merges: an approximation.",
      effect: .when { $0.settings.tokenMergingRatio != 0 }, infotext: [.entry("Token merging ratio", at: 170)],
      request: .option("token_merging_ratio"), plot: ["Token merging ratio"])
    row(
      "feature_cache", \.featureCache, .integer(1...100, multipleOf: 1),
      "Computes the whole network every N-th call and only its shallow layers in between: an approximation.",
      effect: .when { $0.settings.featureCache != 1 }, infotext: [.entry("Feature cache", at: 1820)], request: .none)
    row(
      "feature_forecast", \.featureForecast, .integer(1...100, multipleOf: 1),
      "Computes the network every N-th call and forecasts its features in between: an approximation.",
      effect: .computed { image in
        image.forecastIdentity(image.settings.featureForecast).only(if: image.settings.base.forecastMatters)
      },
      infotext: [.entry("Feature forecast", at: 1822)],
      request: .none, stage: { _ in .duringFirstPass }, isShown: { $0.featureForecast != 1 })
  }

  // MARK: Faces

  @RowTable private static var rowsOfFaces: [SettingRow] {
    row(
      "restore_faces", aliases: ["face_restoration"], \.restoreFaces, .flag,
      "Restores the faces of the finished image, by face_restoration_model.",
      effect: .computed { image in
        image.ingredients.faces.flatMap { faces in
          JSONValue.array(faces.map { .string($0.sha256) }).only(if: image.settings.restoreFaces)
        }
      },
      infotext: [
        .computed("Face restoration", at: 55) { image in
          JSONValue.string(image.settings.faceRestorationModel.rawValue).only(if: image.settings.restoreFaces)
        }
      ],
      request: .field(nil, worker: false, option: "face_restoration"), ingredients: .always,
      stage: { _ in .decoding }, isShown: { $0.restoreFaces })
    row(
      "face_restoration_model", \.faceRestorationModel, .choice(FaceRestorationModel.allCases.map(\.rawValue)),
      "The network that restore_faces uses; its files are in models/Codeformer, models/GFPGAN or face/.",
      effect: .through { $0.settings.restoreFaces }, request: .option("face_restoration_model"), ingredients: .always,
      stage: { _ in .decoding }, isShown: { $0.restoreFaces || $0.faceRestorationModel != .codeFormer })
    row(
      "code_former_weight", \.codeFormerWeight, .number(0...1),
      "How much of the original face CodeFormer keeps, from 0 (least) to 1.",
      effect: .when { $0.settings.restoreFaces && $0.settings.faceRestorationModel == .codeFormer },
      request: .option("code_former_weight"), stage: { _ in .decoding },
      isShown: { $0.restoreFaces || $0.codeFormerWeight != 0.5 })
    row(
      "save_images_before_face_restoration", \.savesBeforeFaces, .flag,
      "Also keeps each image before its faces were restored, in a second file.", effect: .none,
      request: .option("save_images_before_face_restoration"), stage: { _ in .decoding },
      isShown: { $0.savesBeforeFaces })
    row(
      "face_places", \.faceFolders, .folders, "The folders that are searched for the networks that restore faces.",
      effect: .none, request: .none, ingredients: .always, stage: { _ in .decoding },
      isShown: { !$0.faceFolders.isEmpty })
  }

  // MARK: Files

  @RowTable private static var rowsOfFiles: [SettingRow] {
    row(
      "format", aliases: ["samples_format"], \.format, .choice(FileFormat.allCases.map(\.rawValue)),
      "The format of the image files. If it changes, a run converts existing images and does not make them again.",
      effect: .none, request: .option("samples_format"), stage: { _ in .decoding }, isShown: { $0.format != .png })
    row(
      "also", \.otherFormats, .choices(FileFormat.allCases.map(\.rawValue)),
      "Further formats in which every image is kept, each in its own file next to the first.",
      effect: .none, request: .none, stage: { _ in .decoding }, isShown: { !$0.otherFormats.isEmpty })
    row(
      "quality", aliases: ["jpeg_quality"], \.quality, .integer(1...100, multipleOf: 1),
      "The quality of JPEG and WebP files.",
      effect: .none, request: .option("jpeg_quality"), stage: { _ in .decoding }, isShown: { $0.quality != 80 })
    row(
      "webp_lossless", \.webPLossless, .flag, "Keeps the pixels of WebP files exactly.",
      effect: .none, request: .option("webp_lossless"), stage: { _ in .decoding }, isShown: { $0.webPLossless })
    row(
      "file_name", aliases: ["samples_filename_pattern"], \.fileName, .text,
      "The pattern of the image files' names: [date]/[model_name]/[seed]-[axes]. A change renames existing files.",
      effect: .none, request: .option("samples_filename_pattern"), stage: { _ in .decoding },
      isShown: { !$0.fileName.isEmpty })
  }

  // MARK: Memory

  @RowTable private static var rowsOfMemory: [SettingRow] {
    row(
      "memory_limit", \.memoryLimit, .bytes,
      "The most memory that making an image may take, such as 2.5GiB; the run reports what it turns off to fit.",
      effect: .none, request: .none, ingredients: .ofMemory)
    row(
      "weight_packing", choice: \.weightPacking,
      "Whether weights are packed for speed or size; auto is fast unless memory_limit leaves no room.",
      effect: .computed { $0.ingredients.weightPacking.map { .string($0) } },
      infotext: [
        .computed("Weight packing", at: 1830, reading: .byKind) { $0.ingredients.weightPacking.map { .string($0) } }
      ],
      request: .none, ingredients: .always)
  }
}
