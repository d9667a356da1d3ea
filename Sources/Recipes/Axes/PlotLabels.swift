/// The names that the webui's X/Y/Z plot gives to its axes, for those who bring them along; an axis may bear them in any
/// case.
enum PlotLabels {
  /// The key that an axis of this name varies.
  static func key(_ name: String) -> RecipeKey? {
    RecipeKey.named(name) ?? keys[name.lowercased()].flatMap(RecipeKey.named)
  }

  /// What an axis of this name is called here.
  static func axisName(_ name: String) -> String { key(name)?.name ?? PromptAxis.named(name)?.name ?? name }

  /// Why there is no such axis, where the webui has one.
  static func refusal(_ name: String) -> String? { refusals[name.lowercased()] }

  /// Names of keys by the plot's labels in lower case.
  static let keys = [
    "seed": "seed", "var. seed": "subseed", "var. strength": "subseed_strength", "steps": "steps",
    "cfg scale": "cfg_scale", "sampler": "sampler_name", "checkpoint name": "model",
    "negative guidance minimum sigma": "s_min_uncond", "sigma churn": "s_churn", "sigma min": "s_tmin",
    "sigma max": "s_tmax", "sigma noise": "s_noise", "schedule type": "scheduler", "schedule min sigma": "sigma_min",
    "schedule max sigma": "sigma_max", "schedule rho": "rho", "beta schedule alpha": "beta_dist_alpha",
    "beta schedule beta": "beta_dist_beta", "eta": "eta", "clip skip": "clip_skip", "vae": "vae",
    "unipc order": "uni_pc_order", "styles": "styles_append", "size": "size",
    "always discard next-to-last sigma": "always_discard_next_to_last_sigma",
    "sgm noise multiplier": "sgm_noise_multiplier", "token merging ratio": "token_merging_ratio",
    "token merging ratio high-res": "token_merging_ratio_hr", "hires steps": "hr_second_pass_steps",
    "hires sampler": "hr_sampler_name", "hires upscaler": "hr_upscaler", "denoising": "denoising_strength",
    "refiner checkpoint": "refiner_checkpoint", "refiner switch at": "refiner_switch_at", "rng source": "rng",
  ]

  private static let refusals: [String: String] = {
    let noStart = "it only serves pictures that start from another, which this version does not make"
    return [
      "nothing": "leave the axis out", "extra noise": noStart, "initial noise multiplier": noStart,
      "image cfg scale": noStart,
      "cond. image mask weight": noStart, "face restore": "this version has no networks for faces",
      "fp8 mode": "weights keep the precision of their file; precision sets the arithmetic",
    ]
  }()
}
