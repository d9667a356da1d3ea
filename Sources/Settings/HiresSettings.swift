import JSON

/// The settings of the second pass (the webui's hires fix), and a row for each. The second pass enlarges the first pass's
/// result, adds noise, and denoises it again.
public struct HiresSettings: Hashable, Sendable {
  /// How much noise is added back, from 0 (none) to 1 (all).
  public var denoisingStrength = 0.7
  /// The factor by which width and height grow, unless a size is given.
  public var scale = 2.0
  /// A factor: how much of its initial noise the second pass adds once more; 0 for none.
  public var extraNoise = 0.0
  /// The width of the second pass, in pixels; 0 derives it from the height.
  public var resizeX = 0
  /// The height of the second pass, in pixels; 0 derives it from the width.
  public var resizeY = 0
  /// Sampling steps of the second pass; 0 means as many as in the first pass.
  public var steps = 0
  /// The strength of classifier-free guidance; 0 for the first pass's.
  public var cfgScale = 0.0
  /// The `distilledCFGScale` of the second pass; 0 for the first pass's.
  public var distilledCFGScale = 0.0
  /// Which pass a refiner finishes.
  public var refinerPass = RefinerPass.second
  /// The fraction of all tokens that are merged; 0 for the first pass's.
  public var tokenMergingRatio = 0.0
  /// The part of the pass in which guidance applies; nil for the first pass's.
  public var guidanceInterval: PassInterval?
  /// Replaces the first pass's `cfgRescale`; nil for the same value. The next four work the same way.
  public var cfgRescale: Double?
  /// See `PassSettings.apgEta`.
  public var apgEta: Double?
  /// See `PassSettings.apgNormThreshold`.
  public var apgNormThreshold: Double?
  /// See `PassSettings.apgMomentum`.
  public var apgMomentum: Double?
  /// See `PassSettings.skipLayerScale`.
  public var skipLayerScale: Double?
  /// The network is computed every N-th call; 0 means as in the first pass.
  public var featureForecast = 0
  /// The checkpoint; nil for the first pass's.
  public var checkpoint: ModelReference?
  /// The sampler; nil for the first pass's.
  public var sampler: SamplerID?
  /// The schedule; nil for the first pass's.
  public var scheduler: ScheduleID?
  /// The prompt; empty for the first pass's.
  public var prompt = ""
  /// The negative prompt; empty for the first pass's.
  public var negativePrompt = ""
  /// The text that dynamic prompts made the second pass's own prompt of; empty if they did not.
  public var promptTemplate = ""
  /// The text that dynamic prompts made the second pass's own negative prompt of; empty if they did not.
  public var negativePromptTemplate = ""
  /// What enlarges the image; nil means the first latent filter, and is not recorded in infotexts.
  public var upscaler: UpscalerReference?

  /// The webui's defaults.
  public init() {}

  /// The upscaler in use.
  public var effectiveUpscaler: UpscalerReference { upscaler ?? .latent }

  /// Whether the first pass's decoded image is enlarged, rather than its latent.
  public var enlargesImages: Bool { effectiveUpscaler.enlargesImages }
}

extension HiresSettings: SettingsPart {
  static let pass = SettingRow.Pass.second
  static func reader<Value: SettingRepresentable>(
    of path: WritableKeyPath<HiresSettings, Value> & Sendable
  ) -> @Sendable (ImageSettings) -> SettingValue {
    let standard = HiresSettings()[keyPath: path].settingValue
    return { $0.hires?[keyPath: path].settingValue ?? standard }
  }
  static func change(_ settings: inout ImageSettings, _ body: (inout HiresSettings) -> Void) {
    guard var hires = settings.hires else { return }
    body(&hires)
    settings.hires = hires
  }

  /// One row for each property. The job id has a separate object for the second pass, which holds its effective settings; its
  /// size is computed from `hr_scale` or `hr_resize_*`.
  @RowTable static var rows: [SettingRow] {
    row(
      "denoising_strength", \.denoisingStrength, .number(0...1),
      "How much noise the second pass starts with, from 0 (none) to 1 (all).", effect: .when { $0.second != nil },
      infotext: [
        .entry("Denoising strength", at: 140, reading: .together, for: .text, when: { $0.second != nil }),
        .entry("Denoising strength", at: 1000, reading: .together, for: .info, when: { $0.second != nil }),
      ],
      request: .field(nil, worker: 0), plot: ["Denoising"], ingredients: .always)
    row(
      "img2img_extra_noise", \.extraNoise, .number(0...100),
      "How much of its initial noise the second pass adds to the image once more, which creates details.",
      effect: .computed(as: "extra_noise") { image in
        image.hires.flatMap {
          JSONValue.number($0.extraNoise).only(if: $0.extraNoise != 0 && image.sampledAgain != nil)
        }
      },
      infotext: [.entry("Extra noise", at: 1420)], request: .option("img2img_extra_noise"), plot: ["Extra noise"])
    row(
      "hr_scale", \.scale, .number(0.01...100), "The factor by which width and height grow, unless a size is given.",
      effect: .through { $0.hires?.resizeX == 0 && $0.hires?.resizeY == 0 },
      infotext: [
        .entry(
          "Hires upscale", at: 1060, reading: .together,
          when: { $0.hires?.resizeX == 0 && $0.hires?.resizeY == 0 })
      ],
      request: .field(2.0, worker: 2.0), ingredients: .always)
    row(
      "hr_resize_x", \.resizeX, .integer(0...8192, multipleOf: 1),
      "The width of the second pass; 0 derives it from hr_resize_y. With both, the longer side is cropped.",
      effect: .through { $0.second != nil },
      infotext: [
        .computed("Hires resize", at: 1060) {
          $0.hires.flatMap { hires in
            JSONValue.string("\(hires.resizeX)x\(hires.resizeY)").only(if: hires.resizeX != 0 || hires.resizeY != 0)
          }
        }
      ],
      request: .field(0, worker: 0), ingredients: .always)
    row(
      "hr_resize_y", \.resizeY, .integer(0...8192, multipleOf: 1),
      "The height of the second pass; 0 derives it from hr_resize_x.", effect: .through { $0.second != nil },
      request: .field(0, worker: 0), ingredients: .always)
    row(
      "hr_second_pass_steps", \.steps, .integer(0...10_000, multipleOf: 1),
      "Sampling steps of the second pass; 0 means as many as in the first pass.",
      effect: .computed(as: "steps") { $0.sampledAgain.map { .integer(Int64($0.steps)) } },
      infotext: [
        .entry("Hires steps", at: 1070, reading: .together, when: { $0.second != nil && $0.hires?.steps != 0 })
      ],
      request: .field(0, worker: 0), plot: ["Hires steps"], ingredients: .ofPrompts)
    row(
      "hr_cfg", \.cfgScale, .number(0...1000), "The cfg_scale of the second pass; 0 for the first pass's.",
      effect: .computed(as: "cfg_scale") { image in
        image.sampledAgain.flatMap { JSONValue.number($0.cfgScale).only(if: $0.cfgScale != image.settings.cfgScale) }
      },
      infotext: [
        .computed("Hires CFG Scale", at: 1072, reading: .byKind) { image in
          image.second.flatMap { JSONValue.number($0.cfgScale).only(if: $0.cfgScale != image.settings.cfgScale) }
        }
      ],
      request: .field(nil, worker: nil), plot: ["Hires CFG Scale"],
      stage: { _ in .duringSecondPass }, isShown: { $0.hires?.cfgScale != 0 })
    row(
      "hr_distilled_cfg", \.distilledCFGScale, .number(0...1000),
      "The distilled_cfg_scale of the second pass; 0 for the first pass's.",
      effect: .computed(as: "distilled_cfg_scale") { image in
        image.sampledAgain.flatMap {
          JSONValue.number($0.effectiveDistilledCFGScale).only(if: $0.traits.readsDistilledGuidance)
        }
      },
      infotext: [
        .computed("Hires Distilled CFG Scale", at: 1074, reading: .byKind) { image in
          image.second.flatMap {
            JSONValue.number($0.effectiveDistilledCFGScale)
              .only(
                if: $0.traits.readsDistilledGuidance
                  && $0.effectiveDistilledCFGScale != image.settings.effectiveDistilledCFGScale)
          }
        }
      ],
      request: .field(nil, worker: nil), stage: { _ in .duringSecondPass },
      isShown: { $0.hires?.distilledCFGScale != 0 })
    row(
      "hires_fix_refiner_pass", choice: \.refinerPass, "Which pass the refiner finishes, if there are two.",
      effect: .computed(as: "refiner_pass") { image in
        image.hires.flatMap { JSONValue.string($0.refinerPass.rawValue).only(if: image.ingredients.refiner != nil) }
      },
      infotext: [
        .computed("Hires refiner", at: 1700) { image in
          image.hires.flatMap { hires in
            JSONValue.string(hires.refinerPass.rawValue)
              .only(if: image.ingredients.refiner != nil && hires.refinerPass != .second)
          }
        }
      ],
      request: .option("hires_fix_refiner_pass"), ingredients: .always)
    row(
      "token_merging_ratio_hr", \.tokenMergingRatio, .number(0...0.9),
      "The token_merging_ratio of the second pass; 0 for the first pass's.",
      effect: .computed(as: "token_merging_ratio") { image in
        image.sampledAgain.flatMap { JSONValue.number($0.tokenMergingRatio).only(if: $0.tokenMergingRatio != 0) }
      },
      infotext: [
        .computed("Token merging ratio hr", at: 180) { image in
          image.second.flatMap { JSONValue.number($0.tokenMergingRatio).only(if: $0.tokenMergingRatio != 0) }
        }
      ],
      request: .option("token_merging_ratio_hr"), plot: ["Token merging ratio high-res"],
      stage: { _ in .duringSecondPass })
    row(
      "hr_guidance_interval", \.guidanceInterval, .otherInterval,
      "The guidance_interval of the second pass, if different.",
      effect: .computed(as: "guidance_interval") { image in
        image.ownSecondInterval.map { .array([.number($0.start), .number($0.end)]) }
      },
      infotext: [
        .computed("Hires guidance interval", at: 1825, reading: .byKind) { image in
          image.ownSecondInterval.map { .string($0.text) }
        }
      ], request: .none, stage: { _ in .duringSecondPass }, isShown: { $0.hires?.guidanceInterval != nil })
    row(
      "hr_cfg_rescale", \.cfgRescale, .otherNumber(0...1), "The cfg_rescale of the second pass, if different.",
      effect: .bySecondPass(as: "cfg_rescale") { $0.effectiveCFGRescale },
      infotext: [.bySecondPass("Hires Rescale CFG", at: 1650) { $0.effectiveCFGRescale }],
      request: .none, stage: { _ in .duringSecondPass }, isShown: { $0.hires?.cfgRescale != nil })
    row(
      "hr_apg_eta", \.apgEta, .otherNumber(-10...10), "The apg_eta of the second pass, if different.",
      effect: .bySecondPass(as: "apg_eta") { $0.effectiveAPGEta },
      infotext: [.bySecondPass("Hires APG Eta", at: 1652) { $0.effectiveAPGEta }],
      request: .none, stage: { _ in .duringSecondPass }, isShown: { $0.hires?.apgEta != nil })
    row(
      "hr_apg_norm_threshold", \.apgNormThreshold, .otherNumber(0...10_000),
      "The apg_norm_threshold of the second pass, if different.",
      effect: .bySecondPass(as: "apg_norm_threshold") { $0.effectiveAPGNormThreshold },
      infotext: [.bySecondPass("Hires APG Norm Threshold", at: 1654) { $0.effectiveAPGNormThreshold }],
      request: .none, stage: { _ in .duringSecondPass }, isShown: { $0.hires?.apgNormThreshold != nil })
    row(
      "hr_apg_momentum", \.apgMomentum, .otherNumber(-1...1), "The apg_momentum of the second pass, if different.",
      effect: .bySecondPass(as: "apg_momentum") { $0.effectiveAPGMomentum },
      infotext: [.bySecondPass("Hires APG Momentum", at: 1656) { $0.effectiveAPGMomentum }],
      request: .none, stage: { _ in .duringSecondPass }, isShown: { $0.hires?.apgMomentum != nil })
    row(
      "hr_skip_layer_guidance_scale", \.skipLayerScale, .otherNumber(0...100),
      "The skip_layer_guidance_scale of the second pass, if different.",
      effect: .bySecondPass(as: "skip_layer_guidance_scale") { $0.effectiveSkipLayerScale },
      infotext: [.bySecondPass("Hires skip layer guidance scale", at: 1658) { $0.effectiveSkipLayerScale }],
      request: .none, stage: { _ in .duringSecondPass }, isShown: { $0.hires?.skipLayerScale != nil })
    row(
      "hr_feature_forecast", \.featureForecast, .integer(0...100, multipleOf: 1),
      "The feature_forecast of the second pass; 0 for the first pass's.",
      effect: .computed(as: "feature_forecast") { image in
        image.ownSecondForecast.map { $0 == 1 ? 1 : image.forecastIdentity($0) }
      },
      infotext: [
        .computed("Hires feature forecast", at: 1824, reading: .byKind) { image in
          image.ownSecondForecast.map { .integer(Int64($0)) }
        }
      ], request: .none, stage: { _ in .duringSecondPass }, isShown: { ($0.hires?.featureForecast ?? 0) != 0 })
    row(
      "hr_checkpoint_name", \.checkpoint, .otherModel, "The checkpoint of the second pass, if different.",
      effect: .computed(as: "model") { $0.ingredients.hiresModel.map { .string($0.pixelDigest) } },
      infotext: [
        .computed("Hires checkpoint", at: 1010) { image in
          image.ingredients.hiresModel.flatMap { JSONValue.string($0.title).only(if: image.second != nil) }
        }
      ],
      request: .field(nil, worker: ""), ingredients: .always, isShown: { $0.hires?.checkpoint != nil })
    row(
      "hr_sampler_name", \.sampler, .otherSampler, "The sampler of the second pass, if different.",
      effect: .computed(as: "sampler_name") { $0.sampledAgain.map { .string($0.sampler.rawValue) } },
      infotext: [
        .computed("Hires sampler", at: 1020) { image in
          image.second.flatMap { JSONValue.string($0.sampler.rawValue).only(if: $0.sampler != image.settings.sampler) }
        }
      ],
      request: .field(nil, worker: ""), plot: ["Hires sampler"], ingredients: .ofPrompts,
      shown: { .sampler($0.second?.sampler ?? $0.settings.sampler, nil) })
    row(
      "hr_scheduler", \.scheduler, .otherSchedule, "The noise schedule of the second pass, if different.",
      effect: .computed(as: "scheduler") { image in
        image.sampledAgain.flatMap { JSONValue.string($0.effectiveSchedule.rawValue).only(if: $0.scheduleMatters) }
      },
      infotext: [
        // The webui omits "Automatic" here, and reads a missing schedule as the first pass's.
        .computed("Hires schedule type", at: 1050, for: .text) { $0.ownSecondSchedule.map { .string($0.label) } },
        .computed("Hires schedule type", at: 1050, for: .info) { image in
          let own = image.ownSecondSchedule.flatMap { JSONValue.string($0.label).only(if: $0 != .automatic) }
          return (own ?? .null).only(if: image.second != nil)
        },
      ],
      request: .field(nil, worker: nil), shown: { .schedule(($0.second ?? $0.settings.base).namedSchedule) })
    row(
      "hr_prompt", \.prompt, .text, "The prompt of the second pass, if different.",
      effect: .computed(as: "prompt") { $0.sampledAgain.map { .string($0.prompt) } },
      infotext: [
        .computed("Hires prompt", at: 1030, for: .text) { image in
          image.second.flatMap { JSONValue.string($0.prompt).only(if: $0.prompt != image.settings.prompt) }
        },
        // The webui stores callables here, which serialise to null; keep the keys.
        .computed("Hires prompt", at: 1030, for: .info) { JSONValue.null.only(if: $0.second != nil) },
      ],
      request: .field("", worker: ""), ingredients: .ofPrompts, stage: { _ in .duringSecondPass },
      shown: { .text($0.second?.prompt ?? "") })
    row(
      "hr_negative_prompt", \.negativePrompt, .text, "The negative prompt of the second pass, if different.",
      effect: .computed(as: "negative_prompt") { $0.sampledAgain.map { .string($0.negativePrompt) } },
      infotext: [
        .computed("Hires negative prompt", at: 1040, for: .text) { image in
          image.second.flatMap {
            JSONValue.string($0.negativePrompt).only(if: $0.negativePrompt != image.settings.negativePrompt)
          }
        },
        .computed("Hires negative prompt", at: 1040, for: .info) { JSONValue.null.only(if: $0.second != nil) },
      ],
      request: .field("", worker: ""), ingredients: .ofPrompts, stage: { _ in .duringSecondPass },
      shown: { .text($0.second?.negativePrompt ?? "") })
    row(
      "hr_prompt_template", \.promptTemplate, .text, "What dynamic prompts made the second pass's own prompt of.",
      effect: .none,
      infotext: [.entry("Hires template", at: 1902, when: { $0.settings.hires?.promptTemplate.isEmpty == false })],
      request: .none, isDerived: true, isShown: { $0.hires?.promptTemplate.isEmpty == false })
    row(
      "hr_negative_prompt_template", \.negativePromptTemplate, .text,
      "What dynamic prompts made the second pass's own negative prompt of.", effect: .none,
      infotext: [
        .entry(
          "Hires negative template", at: 1903, when: { $0.settings.hires?.negativePromptTemplate.isEmpty == false })
      ],
      request: .none, isDerived: true, isShown: { $0.hires?.negativePromptTemplate.isEmpty == false })
    row(
      "hr_upscaler", \.upscaler, .upscaler,
      "What enlarges the first pass's latent or image: a filter, or the file of an upscaling network.",
      effect: .computed(as: "upscaler") { image in
        image.hires.map { .string(image.ingredients.upscaler?.sha256 ?? $0.effectiveUpscaler.name) }
      },
      infotext: [.computed("Hires upscaler", at: 1080) { $0.hires?.upscaler.map { .string($0.title) } }],
      request: .field(nil, worker: ""), plot: ["Hires upscaler"], ingredients: .always,
      isShown: { $0.hires?.upscaler != nil }, shown: { .upscaler(($0.hires ?? HiresSettings()).effectiveUpscaler) })
  }
}
