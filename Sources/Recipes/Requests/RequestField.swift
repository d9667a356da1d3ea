import JSON

/// A field of the body that is posted to `/sdapi/v1/txt2img`.
struct RequestField: Sendable {
  /// What a field holds; null is as good as leaving it out.
  enum Kind: Sendable {
    case text, integer, number, flag
    /// A list of texts.
    case texts
    case list, object

    /// What a message says is expected.
    var expectation: String {
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
  }

  let name: String
  let kind: Kind
  /// What the webui's API has where the request says nothing.
  let usual: JSONValue
  /// What the worker puts there; nothing where it does not know the field.
  let worker: JSONValue?

  private init(_ name: String, _ kind: Kind, _ usual: JSONValue, worker: JSONValue?) {
    self.name = name
    self.kind = kind
    self.usual = usual
    self.worker = worker
  }

  /// What the field has where the request says nothing.
  func value(_ defaults: RequestDefaults) -> JSONValue { defaults == .a1111 ? usual : worker ?? usual }

  /// Every field in the order of the webui's `parameters`.
  ///
  /// Source: stable-diffusion-webui 1.10.1; the worker's values are those of its schema, 51 fields.
  static let all: [RequestField] = [
    RequestField("prompt", .text, "", worker: ""),
    RequestField("negative_prompt", .text, "", worker: ""),
    RequestField("styles", .texts, nil, worker: []),
    RequestField("seed", .integer, -1, worker: -1),
    RequestField("subseed", .integer, -1, worker: -1),
    RequestField("subseed_strength", .number, 0, worker: 0),
    RequestField("seed_resize_from_h", .integer, -1, worker: -1),
    RequestField("seed_resize_from_w", .integer, -1, worker: -1),
    RequestField("sampler_name", .text, nil, worker: "Euler a"),
    RequestField("scheduler", .text, nil, worker: "automatic"),
    RequestField("batch_size", .integer, 1, worker: 1),
    RequestField("n_iter", .integer, 1, worker: 1),
    RequestField("steps", .integer, 50, worker: 20),
    RequestField("cfg_scale", .number, 7.0, worker: 7.0),
    RequestField("width", .integer, 512, worker: 512),
    RequestField("height", .integer, 512, worker: 512),
    RequestField("restore_faces", .flag, nil, worker: false),
    RequestField("tiling", .flag, nil, worker: false),
    RequestField("do_not_save_samples", .flag, false, worker: false),
    RequestField("do_not_save_grid", .flag, false, worker: false),
    RequestField("eta", .number, nil, worker: 0),
    RequestField("denoising_strength", .number, nil, worker: 0),
    RequestField("s_min_uncond", .number, nil, worker: 0),
    RequestField("s_churn", .number, nil, worker: 0),
    RequestField("s_tmax", .number, nil, worker: 0),
    RequestField("s_tmin", .number, nil, worker: 0),
    RequestField("s_noise", .number, nil, worker: 0),
    RequestField("override_settings", .object, nil, worker: [:]),
    RequestField("override_settings_restore_afterwards", .flag, true, worker: true),
    RequestField("refiner_checkpoint", .text, nil, worker: ""),
    RequestField("refiner_switch_at", .number, nil, worker: 0),
    RequestField("disable_extra_networks", .flag, false, worker: false),
    RequestField("firstpass_image", .text, nil, worker: nil),
    RequestField("comments", .object, nil, worker: [:]),
    RequestField("enable_hr", .flag, false, worker: false),
    RequestField("firstphase_width", .integer, 0, worker: 0),
    RequestField("firstphase_height", .integer, 0, worker: 0),
    RequestField("hr_scale", .number, 2.0, worker: 2.0),
    RequestField("hr_upscaler", .text, nil, worker: ""),
    RequestField("hr_second_pass_steps", .integer, 0, worker: 0),
    RequestField("hr_resize_x", .integer, 0, worker: 0),
    RequestField("hr_resize_y", .integer, 0, worker: 0),
    RequestField("hr_checkpoint_name", .text, nil, worker: ""),
    RequestField("hr_sampler_name", .text, nil, worker: ""),
    RequestField("hr_scheduler", .text, nil, worker: nil),
    RequestField("hr_prompt", .text, "", worker: ""),
    RequestField("hr_negative_prompt", .text, "", worker: ""),
    RequestField("force_task_id", .text, nil, worker: nil),
    RequestField("sampler_index", .text, "Euler", worker: "Euler a"),
    RequestField("script_name", .text, nil, worker: ""),
    RequestField("script_args", .list, [], worker: []),
    RequestField("send_images", .flag, true, worker: true),
    RequestField("save_images", .flag, false, worker: false),
    RequestField("alwayson_scripts", .object, [:], worker: [:]),
    RequestField("infotext", .text, nil, worker: nil),
  ]

  static let names = all.map(\.name)

  /// What serves a second pass only, which `enable_hr` asks for; without it the webui does not look at them.
  static let ofSecondPass: Set<String> = [
    "denoising_strength", "firstpass_image", "hr_scale", "hr_upscaler", "hr_second_pass_steps", "hr_resize_x",
    "hr_resize_y", "hr_checkpoint_name", "hr_sampler_name", "hr_scheduler", "hr_prompt", "hr_negative_prompt",
  ]

  /// What changes no picture here: images are always kept, and no setting outlives its request.
  static let withoutEffect: Set<String> = [
    "do_not_save_samples", "do_not_save_grid", "force_task_id", "comments", "override_settings_restore_afterwards",
  ]

  /// Why a field is refused where the reason that recipes are given would not do.
  static let refusals = [
    "script_name": "scripts are not run here; the axes of a recipe's grid do what X/Y/Z plot and prompt matrix do",
    "script_args": "scripts are not run here, remove it",
    "alwayson_scripts": "scripts and extensions are not run here, remove it",
    "infotext": "write its settings as fields",
  ]

  /// Options of the webui that `override_settings` may hold, as far as recipes have them; by the webui's names.
  static let options: Set<String> = [
    "sd_model_checkpoint", "sd_vae", "CLIP_stop_at_last_layers", "randn_source", "eta_noise_seed_delta",
    "eta_ancestral", "eta_ddim", "uni_pc_variant", "uni_pc_skip_type", "uni_pc_order", "uni_pc_lower_order_final",
    "always_discard_next_to_last_sigma", "sgm_noise_multiplier", "sigma_min", "sigma_max", "rho", "beta_dist_alpha",
    "beta_dist_beta", "use_old_karras_scheduler_sigmas", "sd_noise_schedule", "use_downcasted_alpha_bar",
    "enable_quantization", "s_min_uncond", "s_min_uncond_all", "skip_early_cond", "emphasis", "use_old_scheduling",
    "enable_prompt_comments", "token_merging_ratio", "token_merging_ratio_hr", "s_churn", "s_tmin", "s_tmax", "s_noise",
    "hires_fix_refiner_pass", "k_sched_type",
  ]
}
