import Settings

/// How a setting is composed if several keys affect it.
struct Composition: Sendable {
  /// Keys with the same word here affect the same settings.
  let concern: String?
  /// Writes the value of the setting's own key into a cell; nil to set the setting directly.
  let apply: (@Sendable (KeyValue, inout CellDraft) -> Void)?
  /// The resolved value; nil to read the setting directly.
  let resolved: (@Sendable (CellDraft) -> KeyValue)?
  /// The key's own value, before other keys changed it.
  let written: (@Sendable (CellDraft) -> KeyValue)?

  private init(
    concern: String? = nil, resolved: (@Sendable (CellDraft) -> KeyValue)? = nil,
    written: (@Sendable (CellDraft) -> KeyValue)? = nil,
    apply: (@Sendable (KeyValue, inout CellDraft) -> Void)? = nil
  ) {
    self.concern = concern
    self.apply = apply
    self.resolved = resolved
    self.written = written
  }

  /// The settings that are composed, by their keys.
  static let named: [String: Composition] = [
    // The demo model has a native size, and families have their own defaults.
    "model": Composition(concern: "size"),
    "prompt": Composition(
      concern: "prompt", resolved: { .text($0.finalPrompts.prompt) }, written: { .text($0.prompt) },
      apply: { $1.basePrompt = $0.asText }),
    "negative_prompt": Composition(
      concern: "prompt", resolved: { .text($0.finalPrompts.negativePrompt) }, written: { .text($0.negativePrompt) },
      apply: { $1.baseNegativePrompt = $0.asText }),
    "steps": Composition(
      concern: "steps", resolved: { .integer(Int64($0.steps)) }, apply: { $1.steps = Int($0.asInteger) }),
    "cfg_scale": Composition(resolved: { .number($0.cfgScale) }, apply: { $1.cfgScale = $0.asNumber }),
    "sampler_name": Composition(
      concern: "sampler", resolved: { .setting(.sampler($0.sampler.0, $0.sampler.1)) },
      apply: { $1.sampler = $0.asSampler }),
    "scheduler": Composition(
      concern: "sampler", resolved: { .setting(.schedule($0.scheduler)) }, apply: { $1.scheduler = $0.asSchedule }),
    "width": Composition(
      concern: "size", resolved: { .integer(Int64($0.width)) }, apply: { $1.width = Int($0.asInteger) }),
    "height": Composition(
      concern: "size", resolved: { .integer(Int64($0.height)) }, apply: { $1.height = Int($0.asInteger) }),
    "eta": Composition(resolved: { .number($0.eta) }, apply: { $1.eta = $0.asNumber }),
    "hr_sampler_name": Composition(
      concern: "hr_sampler",
      resolved: { draft in draft.hiresSampler.map { .setting(.sampler($0.0, $0.1)) } ?? .null },
      apply: { $1.hiresSampler = $0.asOtherSampler }),
    "hr_scheduler": Composition(
      concern: "hr_sampler", resolved: { $0.hires.scheduler.map { .setting(.schedule($0)) } ?? .null },
      apply: { $1.hires.scheduler = $0.asOtherSchedule }),
    "restore_faces": Composition(concern: "faces"),
    "face_restoration_model": Composition(concern: "faces"),
    // Styles and comments apply to these too.
    "hr_prompt": Composition(concern: "prompt"),
    "hr_negative_prompt": Composition(concern: "prompt"),
  ]

  /// The key that turns on the second pass; it comes before the pass's own keys.
  static let secondPass = RecipeKey(
    "enable_hr", .flag, "Adds a second pass over the enlarged image of the first (hires fix).",
    request: .field(false, worker: false), resolved: { .flag($0.hires.isOn) }, apply: { $1.hires.isOn = $0.asFlag })

  /// The additional keys that change a setting, by the setting's own key.
  static let after: [String: [RecipeKey]] = [
    "prompt": [
      RecipeKey(
        "prompt_append", .text, concern: "prompt",
        "Text appended to the prompt; base, axes and included cells each append theirs, in this order.",
        resolved: { .text($0.promptAppend) }, apply: { $1.promptAppend += $0.asText })
    ],
    "negative_prompt": [
      RecipeKey(
        "negative_prompt_append", .text, concern: "prompt",
        "Text appended to the negative prompt, as prompt_append to the prompt.",
        resolved: { .text($0.negativePromptAppend) }, apply: { $1.negativePromptAppend += $0.asText }),
      RecipeKey(
        "styles", .styles, concern: "prompt", "Styles of the webui's file, applied to both prompts in this order.",
        request: .field(nil, worker: []), resolved: { .styles($0.styles) }, apply: { $1.styles = $0.asStyles }),
      RecipeKey(
        "styles_append", .styles, concern: "prompt",
        "More styles; base, axes and included cells each add theirs, in this order.", plot: ["Styles"],
        resolved: { .styles($0.stylesAppend) }, apply: { $1.stylesAppend += $0.asStyles }),
    ],
    "use_old_scheduling": [
      RecipeKey(
        "prompt_seed", .seed, concern: "prompt",
        "The seed that dynamic_prompts draws with, instead of the image's own; -1 draws one and keeps it.",
        request: .option("prompt_seed"), isOurs: true,
        resolved: { $0.promptSeed.map { .integer($0) } ?? .null }, apply: { $1.promptSeed = $0.asInteger }),
      RecipeKey(
        "enable_prompt_comments", .choice(["true", "false"]), concern: "prompt",
        "Whether # and the rest of its line are removed from both prompts.",
        request: .option("enable_prompt_comments"), resolved: { .choice($0.stripsComments ? "true" : "false") },
        apply: { $1.stripsComments = $0 == .choice("true") }),
      RecipeKey(
        "enable_wildcards", .flag, concern: "prompt",
        "Whether __name__ in a prompt is replaced by an entry of a list, or is plain text.",
        resolved: { .flag($0.hasWildcards) }, apply: { $1.hasWildcards = $0.asFlag }),
    ],
    "height": [
      RecipeKey(
        "size", .size, concern: "size", "Width and height together, such as 512x768.", plot: ["Size"],
        resolved: { .size($0.width, $0.height) },
        apply: {
          let size = $0.asSize
          ($1.width, $1.height) = (size.width, size.height)
        })
    ],
    "eta": [
      RecipeKey(
        "eta_ancestral", .number(0...100), concern: "eta",
        "The eta of all samplers except DDIM, unless eta is given.",
        request: .option("eta_ancestral"), resolved: { .number($0.eta) }, apply: { $1.ancestralEta = $0.asNumber })
    ],
    "code_former_weight": [
      RecipeKey(
        "face_restore",
        .choice(["None", "true", "false", "yes", "no"] + FaceRestorationModel.allCases.map(\.rawValue)),
        concern: "faces",
        "restore_faces and face_restoration_model together: CodeFormer, GFPGAN or None; true does not change the model.",
        plot: ["Face restore"],
        resolved: { .choice($0.settings.restoreFaces ? $0.settings.faceRestorationModel.rawValue : "None") },
        apply: { value, draft in
          guard case .setting(.choice(let name)) = value else { return }
          let model = FaceRestorationModel(rawValue: name)
          draft.settings.restoreFaces = model != nil || name == "true" || name == "yes"
          if let model { draft.settings.faceRestorationModel = model }
        })
    ],
    "hr_resize_y": [
      RecipeKey(
        "firstphase_width", .integer(0...8192, multipleOf: 8),
        "The width of the first pass; if set, width and height are those of the second pass. 0 turns this off.",
        request: .field(0, worker: 0), resolved: { .integer(Int64($0.hires.firstWidth)) },
        apply: { $1.hires.firstWidth = Int($0.asInteger) }),
      RecipeKey(
        "firstphase_height", .integer(0...8192, multipleOf: 8), "The height that goes with firstphase_width.",
        request: .field(0, worker: 0), resolved: { .integer(Int64($0.hires.firstHeight)) },
        apply: { $1.hires.firstHeight = Int($0.asInteger) }),
    ],
  ]
}
