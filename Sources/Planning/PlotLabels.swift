/// The names that the webui's X/Y/Z plot gives to its axes, for those who bring them along; an axis may bear them in any
/// case.
enum PlotLabels {
  /// The key that an axis of this name varies.
  static func key(_ name: String) -> RecipeKey? {
    RecipeKey.named(name) ?? keys[name.lowercased()].flatMap(RecipeKey.named)
  }

  static let keys = [
    "seed": "seed", "steps": "steps", "cfg scale": "cfg_scale", "sampler": "sampler_name",
    "checkpoint name": "model", "sigma churn": "s_churn", "sigma min": "s_tmin", "sigma max": "s_tmax",
    "sigma noise": "s_noise", "schedule type": "scheduler", "eta": "eta", "clip skip": "clip_skip", "vae": "vae",
    "rng source": "rng",
  ]
}
