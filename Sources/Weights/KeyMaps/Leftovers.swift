/// Tensors that training and export leave in files, and that no network reads, with any prefix.
enum Leftovers {
  /// The last parts of their names: position ids, values for the training of CLIP, statistics of norms that do not exist, and
  /// tables of the noise schedule.
  private static let endings: Set<Substring> = [
    "position_ids", "logit_scale", "attn_mask", "num_batches_tracked", "scale_factor",
    "betas", "alphas_cumprod", "alphas_cumprod_prev", "alphas_cumprod_next", "alphas", "sqrt_alphas_cumprod",
    "sqrt_one_minus_alphas_cumprod", "log_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod",
    "sqrt_recipm1_alphas_cumprod", "posterior_variance", "posterior_log_variance_clipped", "posterior_mean_coef1",
    "posterior_mean_coef2", "logvar", "lvlb_weights", "sigmas", "log_sigmas", "global_step", "epoch",
  ]

  /// Parts of names; everything below them is left over: averaged weights, and losses.
  private static let branches: Set<Substring> = ["model_ema", "ema_model", "loss"]

  /// Whether no network reads a tensor with this name.
  static func contains(_ name: String) -> Bool {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.last.map(endings.contains) == true || parts.dropLast().contains(where: branches.contains)
  }
}
