/// Names that the webui or a later version knows, so that they are refused by name and not as unknown.
enum UnsupportedNames {
  /// Keys, each with what to do instead.
  static let keys: [String: String] = {
    var keys: [String: String] = [
      "batch_size": "make more images with a seed axis under grid",
      "n_iter": "make more images with a seed axis under grid",
      "styles": "write the style's text into prompt_append",
      "script_name": "write the script's axes under grid",
      "script_args": "write the script's axes under grid",
      "denoising_strength": "remove it, it only serves hires fix",
      "override_settings": "write model, vae or clip_skip as keys of their own",
      "input": "request bodies cannot be run yet, write a recipe",
      "payload": "request bodies cannot be run yet, write a recipe",
    ]
    for name in [
      "restore_faces", "tiling", "do_not_save_samples", "do_not_save_grid",
      "override_settings_restore_afterwards", "refiner_checkpoint", "refiner_switch_at",
      "disable_extra_networks", "firstpass_image", "comments", "enable_hr", "firstphase_width", "firstphase_height",
      "hr_scale", "hr_upscaler", "hr_second_pass_steps", "hr_resize_x", "hr_resize_y", "hr_checkpoint_name",
      "hr_sampler_name", "hr_scheduler", "hr_prompt", "hr_negative_prompt", "force_task_id", "send_images",
      "save_images", "alwayson_scripts", "infotext", "token_merging_ratio", "token_merging_ratio_hr", "memory_limit",
    ] { keys[name] = "remove it" }
    return keys
  }()

  /// Schedules of the webui's development version, by label and internal name.
  static let schedules: Set<String> = [
    "align your steps 11", "align_your_steps_11", "align your steps 32", "align_your_steps_32", "align your steps gits",
    "align_your_steps_gits", "ddim_uniform", "turbo",
  ]

  /// Choices of other versions.
  static let choices: Set<String> = ["bf16", "int8"]
}
