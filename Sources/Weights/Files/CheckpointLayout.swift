import JSON

/// How a model's tensors are named and spread over files.
public enum CheckpointLayout: String, Sendable, CaseIterable {
  /// One file with the names of the original latent diffusion code, as the webui loads it.
  case singleFile = "single file"
  /// A folder with one subfolder per network, as the diffusers library writes it; or one of its subfolders, or a file
  /// out of it.
  case diffusers = "diffusers folder"
}

extension CheckpointLayout {
  /// Models of other families, known by the beginning of any of their tensors' names.
  private static let otherFamilies: [(beginning: String, family: String)] = [
    ("depth_model.", "a depth-to-image model"),
    ("embedder.model.", "an unCLIP model"),
    ("noise_augmentor.", "an unCLIP model"),
    ("low_scale_model.", "an upscaler"),
    ("cond_stage_model.roberta.", "an AltDiffusion model"),
    ("edm_mean", "a Playground 2.5 model"),
    ("model.diffusion_model.joint_blocks.", "a Stable Diffusion 3 model"),
    ("joint_blocks.", "a Stable Diffusion 3 model"),
    ("model.diffusion_model.double_blocks.", "a Flux model"),
    ("double_blocks.", "a Flux model"),
  ]

  /// What else people keep among their checkpoints, known in the same way.
  private static let otherKinds: [(beginning: String, kind: String)] = [
    ("lora_", "a LoRA, not a checkpoint"),
    ("unet.down_blocks.", "a LoRA, not a checkpoint"),
    ("control_model.", "a ControlNet, not a checkpoint"),
    ("controlnet_", "a ControlNet, not a checkpoint"),
    ("emb_params", "a textual inversion embedding, not a checkpoint"),
    ("down_blocks.", "a UNet alone, not a checkpoint"),
    ("input_blocks.", "a UNet alone, not a checkpoint"),
    ("text_model.", "a text encoder alone, not a checkpoint"),
    ("first_stage_model.", "a VAE alone, not a checkpoint"),
    ("vae.", "a VAE alone, not a checkpoint"),
    ("decoder.", "a VAE alone, not a checkpoint"),
  ]

  /// Checks that a single file whose tensors have these names is a checkpoint, of which the UNet is the sign.
  ///
  /// Throws `WeightError.unsupported`, with the name of what it is instead where that is known.
  static func requireCheckpoint(_ names: some Collection<String>, path: String) throws(WeightError) {
    func matches(_ beginning: String) -> Bool { names.contains { $0.hasPrefix(beginning) } }
    let advice = "use a checkpoint of Stable Diffusion 1.x, 2.x or XL"
    if let other = otherFamilies.first(where: { matches($0.beginning) }) {
      throw .unsupported(path: path, found: other.family, advice: advice)
    }
    if matches(KeyMap.ldmUNetPrefix) { return }
    if let other = otherKinds.first(where: { matches($0.beginning) }) {
      throw .unsupported(path: path, found: other.kind, advice: advice)
    }
    let example = names.min().map { ", such as \($0.abridged)" } ?? ""
    throw .unsupported(
      path: path, found: "a file with \(names.count) tensors\(example), and no UNet under \(KeyMap.ldmUNetPrefix)",
      advice: advice)
  }
}
