import JSON
import Settings

/// A field of the body of a request to `/sdapi/v1/txt2img`.
struct RequestField: Sendable {
  let name: String
  let kind: RequestFieldKind
  /// Whether the webui reads it only for a second pass, with `enable_hr`.
  let isOfSecondPass: Bool
  /// Whether it is ignored because it does not affect images.
  let isIgnored: Bool
  private let defaults: RequestEntry.Field

  private init(
    _ name: String, _ kind: RequestFieldKind, _ defaults: RequestEntry.Field, isOfSecondPass: Bool = false,
    isIgnored: Bool = false
  ) {
    self.name = name
    self.kind = kind
    self.defaults = defaults
    self.isOfSecondPass = isOfSecondPass
    self.isIgnored = isIgnored
  }

  /// The value for a request that does not set it.
  func value(_ defaults: RequestAPI) -> JSONValue {
    switch defaults {
    case .a1111: self.defaults.a1111
    case .workerA1111: self.defaults.worker ?? self.defaults.a1111
    }
  }

  /// Whether the serverless worker has the field.
  var isKnownToWorker: Bool { defaults.worker != nil }

  /// Whether only Forge has the field: the webui's `parameters` do not list it.
  var isOfForge: Bool { Self.ofForge.contains(name) }

  /// All fields, in the order of the webui's `parameters`, then Forge's.
  static let all: [RequestField] = (order + ofForge).compactMap(field)

  static let names = all.map(\.name)

  /// The field with this name; nil if there is none.
  static func named(_ name: String) -> RequestField? { byName[name] }

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  /// The options that `override_settings` may contain, by the webui's names.
  static let options = Set(RecipeKey.all.compactMap(\.request.option))

  private static func field(_ name: String) -> RequestField? {
    // The old name of sampler_name has its own default.
    if name == "sampler_index" { return RequestField(name, .text, .init(a1111: "Euler", worker: "Euler a")) }
    if let refused = RefusedSetting.named(name), let field = refused.field {
      return RequestField(
        name, field.kind, field.defaults, isOfSecondPass: field.isOfSecondPass, isIgnored: field.use == .ignored)
    }
    guard let key = RecipeKey.named(name), let field = key.request.field else { return nil }
    return RequestField(
      name, RequestFieldKind(key.kind), field, isOfSecondPass: key.pass == .second)
  }

  private static let ofForge = ["distilled_cfg_scale", "hr_cfg", "hr_distilled_cfg"]

  /// Source: stable-diffusion-webui 1.10.1.
  private static let order = [
    "prompt", "negative_prompt", "styles", "seed", "subseed", "subseed_strength", "seed_resize_from_h",
    "seed_resize_from_w", "sampler_name", "scheduler", "batch_size", "n_iter", "steps", "cfg_scale", "width",
    "height", "restore_faces", "tiling", "do_not_save_samples", "do_not_save_grid", "eta", "denoising_strength",
    "s_min_uncond", "s_churn", "s_tmax", "s_tmin", "s_noise", "override_settings",
    "override_settings_restore_afterwards", "refiner_checkpoint", "refiner_switch_at", "disable_extra_networks",
    "firstpass_image", "comments", "enable_hr", "firstphase_width", "firstphase_height", "hr_scale", "hr_upscaler",
    "hr_second_pass_steps", "hr_resize_x", "hr_resize_y", "hr_checkpoint_name", "hr_sampler_name", "hr_scheduler",
    "hr_prompt", "hr_negative_prompt", "force_task_id", "sampler_index", "script_name", "script_args",
    "send_images", "save_images", "alwayson_scripts", "infotext",
  ]
}
