/// Names that the webui or a later version knows, so that they are refused by name and not as unknown.
enum UnsupportedNames {
  /// A key that cannot be honoured.
  struct Refusal {
    /// Why, and what to do instead.
    var reason: String
    /// What may be asked for all the same, because it is what happens anyway; in lower case.
    var harmless: Set<String> = []

    /// Whether the value asks for nothing but what happens anyway: null, an empty list or mapping, or a harmless value.
    func allows(_ node: YAMLNode) -> Bool {
      switch node.content {
      case .scalar(let scalar):
        if scalar.isNull { return true }
        let text = scalar.text.lowercased()
        if harmless.contains(text) { return true }
        guard let number = ExactDecimal(text) else { return false }
        return harmless.contains(number.description)
      case .sequence(let items): return items.isEmpty
      case .mapping(let entries): return entries.isEmpty
      }
    }
  }

  /// Keys of requests, options of the webui, and keys of later versions.
  static let keys: [String: Refusal] = [
    "batch_size": Refusal(reason: "make more images with a seed axis under grid", harmless: ["1"]),
    "n_iter": Refusal(reason: "make more images with a seed axis under grid", harmless: ["1"]),
    "script_name": Refusal(reason: "write the script's axes under grid", harmless: ["", "none"]),
    "script_args": Refusal(reason: "write the script's axes under grid"),
    "alwayson_scripts": Refusal(reason: "there are no scripts here, remove it"),
    "override_settings": Refusal(reason: "write its options as keys of their own"),
    "override_settings_restore_afterwards": Refusal(
      reason: "no setting outlives its image here, remove it", harmless: ["true"]),
    "defaults": Refusal(reason: "it is for requests; a recipe has its own defaults"),
    "restore_faces": Refusal(reason: "there are no networks for faces here, remove it", harmless: ["false"]),
    "face_restoration": Refusal(reason: "there are no networks for faces here, remove it", harmless: ["false"]),
    "firstpass_image": Refusal(reason: "the first pass is always made here, remove it", harmless: [""]),
    "disable_extra_networks": Refusal(
      reason: "leave the tags out of the prompt, remove it", harmless: ["false"]),
    "comments": Refusal(reason: "it is the webui's own, remove it"),
    "infotext": Refusal(reason: "write the settings as keys", harmless: [""]),
    "force_task_id": Refusal(reason: "it only serves the webui's progress bar, remove it", harmless: [""]),
    "send_images": Refusal(reason: "images are always written to the run's folder, remove it", harmless: ["true"]),
    "save_images": Refusal(reason: "images are always written to the run's folder, remove it", harmless: ["true"]),
    "do_not_save_samples": Refusal(
      reason: "images are always written to the run's folder, remove it", harmless: ["false"]),
    "do_not_save_grid": Refusal(reason: "remove it, and sheet too for no contact sheet", harmless: ["false"]),
    "samples_format": Refusal(reason: "images are always PNG, remove it", harmless: ["png"]),
    "save_txt": Refusal(reason: "the infotext is in the image and in manifest.json, remove it", harmless: ["false"]),
    "return_grid": Refusal(reason: "remove it, and sheet too for no contact sheet", harmless: ["true"]),
    "save_to_dirs": Refusal(reason: "output names the folder, remove it"),
    "img_max_size_mp": Refusal(reason: "contact sheets may be of any size, remove it"),
    "export_for_4chan": Refusal(reason: "images are never written a second time, remove it", harmless: ["false"]),
    "sd_vae_decode_method": Refusal(reason: "images are always decoded by the VAE, remove it", harmless: ["full"]),
    "no_dpmpp_sde_batch_determinism": Refusal(
      reason: "a picture's noise comes from its own seed here and never from its neighbours in a batch, remove it",
      harmless: ["false"]),
    "pad_cond_uncond": Refusal(
      reason: "prompts of different lengths are each encoded at their own here, remove it", harmless: ["false"]),
    "pad_cond_uncond_v0": Refusal(
      reason: "prompts of different lengths are each encoded at their own here, remove it", harmless: ["false"]),
    "comma_padding_backtrack": Refusal(reason: "long prompts are always cut as by 20, remove it", harmless: ["20"]),
    "sdxl_clip_l_skip": Refusal(reason: "the last layer but one is always taken, remove it", harmless: ["false"]),
    "sd_lora": Refusal(reason: "write <lora:name:1> into the prompt, remove it", harmless: ["", "none"]),
    "initial_noise_multiplier": Refusal(reason: "it only serves img2img, remove it", harmless: ["1"]),
    "img2img_extra_noise": Refusal(reason: "it only serves img2img and hires fix, remove it", harmless: ["0"]),
    "image_cfg_scale": Refusal(reason: "it only serves img2img, remove it"),
    "refiner_switch_by_sample_steps": Refusal(
      reason: "the refiner takes over by the noise that is left, remove it", harmless: ["false"]),
    "fp8_storage": Refusal(reason: "weights keep the precision of their file, remove it", harmless: ["disable"]),
  ]

  /// Schedules of the webui's development version, by label and internal name.
  static let schedules: Set<String> = [
    "align your steps 11", "align_your_steps_11", "align your steps 32", "align_your_steps_32", "align your steps gits",
    "align_your_steps_gits", "ddim_uniform", "turbo",
  ]
}
