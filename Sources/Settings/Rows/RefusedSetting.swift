import JSON

/// A setting of the webui that recipes cannot set. It is rejected with a specific reason instead of as an unknown key.
public struct RefusedSetting: Sendable {
  /// The field or option.
  public let name: String
  /// Why recipes cannot set it, and what to do instead.
  package let reason: String
  /// Values that have no effect, in lower case; they are accepted.
  package let harmless: Set<String>
  /// How requests treat it; nil if requests have no such field.
  package let field: Field?
  /// The axis of the webui's X/Y/Z plot for this setting.
  package let plot: Plot?

  /// A field of requests.
  package struct Field: Sendable {
    package var kind: RequestFieldKind
    package var defaults: RequestEntry.Field
    package var use: Use
    /// Why requests cannot set it, if the reason for recipes does not fit.
    package var reason: String?
    /// Whether the webui reads it only with `enable_hr`.
    package var isOfSecondPass: Bool

    init(
      kind: RequestFieldKind, a1111: JSONValue, worker: JSONValue?, use: Use, reason: String? = nil,
      isOfSecondPass: Bool = false
    ) {
      self.kind = kind
      defaults = RequestEntry.Field(a1111: a1111, worker: worker)
      self.use = use
      self.reason = reason
      self.isOfSecondPass = isOfSecondPass
    }

    /// What requests do with it.
    package enum Use: Sendable {
      /// Rejected unless its value is harmless.
      case refused
      /// Ignored, because it changes no image: images are always kept, and no setting outlives its request.
      case ignored
      /// Read.
      case read
    }
  }

  /// An axis of the webui's X/Y/Z plot that is rejected.
  package struct Plot: Sendable {
    package var label: String
    package var reason: String
  }

  private init(
    _ name: String, _ reason: String, harmless: Set<String> = [], field: Field? = nil, plot: Plot? = nil
  ) {
    self.name = name
    self.reason = reason
    self.harmless = harmless
    self.field = field
    self.plot = plot
  }

  /// The refused setting with this name, if any.
  package static func named(_ name: String) -> RefusedSetting? { byName[name] }

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  /// Every refused name.
  public static let all: [RefusedSetting] = [
    RefusedSetting(
      "batch_size", "make more images with a seed axis under grid", harmless: ["1"],
      field: .init(kind: .integer, a1111: 1, worker: 1, use: .read)),
    RefusedSetting(
      "n_iter", "make more images with a seed axis under grid", harmless: ["1"],
      field: .init(kind: .integer, a1111: 1, worker: 1, use: .read)),
    RefusedSetting(
      "script_name", "write the script's axes under grid", harmless: ["", "none"],
      field: .init(
        kind: .text, a1111: nil, worker: "", use: .refused,
        reason: "scripts cannot run; a recipe's grid does the same as X/Y/Z plot and prompt matrix")),
    RefusedSetting(
      "script_args", "write the script's axes under grid",
      field: .init(kind: .list, a1111: [], worker: [], use: .refused, reason: "scripts cannot run, remove it")),
    RefusedSetting(
      "alwayson_scripts", "scripts cannot run, remove it",
      field: .init(
        kind: .object, a1111: [:], worker: [:], use: .refused,
        reason: "scripts and extensions cannot run, remove it")),
    RefusedSetting(
      "override_settings", "write its options as separate keys",
      field: .init(kind: .object, a1111: nil, worker: [:], use: .read)),
    RefusedSetting(
      "override_settings_restore_afterwards", "settings never outlive their image, remove it", harmless: ["true"],
      field: .init(kind: .flag, a1111: true, worker: true, use: .ignored)),
    RefusedSetting("defaults", "it is for requests; a recipe has its own defaults"),
    RefusedSetting(
      "firstpass_image", "the first pass is always generated, remove it", harmless: [""],
      field: .init(kind: .text, a1111: nil, worker: nil, use: .refused, isOfSecondPass: true)),
    RefusedSetting(
      "disable_extra_networks", "leave the tags out of the prompt, remove it", harmless: ["false"],
      field: .init(kind: .flag, a1111: false, worker: false, use: .refused)),
    RefusedSetting(
      "comments", "only the webui uses it, remove it",
      field: .init(kind: .object, a1111: nil, worker: [:], use: .ignored)),
    RefusedSetting(
      "infotext", "write the settings as keys", harmless: [""],
      field: .init(kind: .text, a1111: nil, worker: nil, use: .refused, reason: "write its settings as fields")),
    RefusedSetting(
      "force_task_id", "only the webui's progress bar uses it, remove it", harmless: [""],
      field: .init(kind: .text, a1111: nil, worker: nil, use: .ignored)),
    RefusedSetting(
      "send_images", "images are always written to the run's folder, remove it", harmless: ["true"],
      field: .init(kind: .flag, a1111: true, worker: true, use: .read)),
    RefusedSetting(
      "save_images", "images are always written to the run's folder, remove it", harmless: ["true"],
      field: .init(kind: .flag, a1111: false, worker: false, use: .read)),
    RefusedSetting(
      "do_not_save_samples", "images are always written to the run's folder, remove it", harmless: ["false"],
      field: .init(kind: .flag, a1111: false, worker: false, use: .ignored)),
    RefusedSetting(
      "do_not_save_grid", "remove it; without sheet there is no contact sheet", harmless: ["false"],
      field: .init(kind: .flag, a1111: false, worker: false, use: .ignored)),
    RefusedSetting("save_txt", "the infotext is in the image and in manifest.json, remove it", harmless: ["false"]),
    RefusedSetting("return_grid", "remove it; without sheet there is no contact sheet", harmless: ["true"]),
    RefusedSetting("save_to_dirs", "output names the folder, remove it"),
    RefusedSetting("img_max_size_mp", "contact sheets may have any size, remove it"),
    RefusedSetting("export_for_4chan", "images are never written a second time, remove it", harmless: ["false"]),
    RefusedSetting("sd_vae_decode_method", "images are always decoded by the VAE, remove it", harmless: ["full"]),
    RefusedSetting(
      "no_dpmpp_sde_batch_determinism",
      "an image's noise depends only on its own seed, never on its batch, remove it",
      harmless: ["false"]),
    RefusedSetting(
      "pad_cond_uncond", "prompts are always encoded at their own length, remove it",
      harmless: ["false"]),
    RefusedSetting(
      "pad_cond_uncond_v0", "prompts are always encoded at their own length, remove it",
      harmless: ["false"]),
    RefusedSetting("comma_padding_backtrack", "long prompts are always split as with 20, remove it", harmless: ["20"]),
    RefusedSetting("sdxl_clip_l_skip", "the second-to-last layer is always used, remove it", harmless: ["false"]),
    RefusedSetting("sd_lora", "write <lora:name:1> into the prompt, remove it", harmless: ["", "none"]),
    RefusedSetting(
      "initial_noise_multiplier", "only img2img uses it, remove it", harmless: ["1"],
      plot: .init(
        label: "Initial noise multiplier",
        reason: "only img2img uses it")),
    RefusedSetting(
      "image_cfg_scale", "only img2img uses it, remove it",
      plot: .init(
        label: "Image CFG Scale",
        reason: "only img2img uses it")),
    RefusedSetting(
      "refiner_switch_by_sample_steps", "the refiner always switches by noise level, remove it",
      harmless: ["false"]),
    RefusedSetting(
      "fp8_storage", "weights keep the precision of their file, remove it", harmless: ["disable"],
      plot: .init(
        label: "FP8 mode", reason: "weights keep the precision of their file; precision sets that of the computation")),
  ]
}

/// The type of a request's field; null is the same as omitting the field.
package enum RequestFieldKind: Sendable {
  case text, integer, number, flag
  /// A list of texts.
  case texts
  case list, object

  /// The expected value, as messages name it.
  package var expectation: String {
    switch self {
    case .text: "text"
    case .integer: "a whole number"
    case .number: "a number"
    case .flag: "true or false"
    case .texts: "a list of texts"
    case .list: "a list"
    case .object: "an object"
    }
  }

  /// The type of the field that holds a setting of this kind.
  package init(_ kind: SettingKind) {
    self =
      switch kind {
      case .integer, .seed, .bytes: .integer
      case .number, .otherNumber, .limit: .number
      case .flag: .flag
      case .styles, .models, .choices: .texts
      case .text, .sampler, .schedule, .otherSampler, .otherSchedule, .upscaler, .model, .vae, .otherModel, .size,
        .choice,
        .folders, .path, .address:
        .text
      case .interval, .otherInterval, .layers, .axisGroups, .cells, .files: .list
      case .axes, .sheet, .nights, .notices: .object
      }
  }
}
