import Text

/// How a model's tensors are named and distributed over files.
public enum ModelLayout: String, Sendable, CaseIterable {
  /// One file with the names of the original latent diffusion code, as the webui loads it.
  case singleFile = "single file"
  /// A folder with one subfolder for each network, as the diffusers library writes it; or one of its subfolders or files.
  case diffusers = "diffusers folder"
}

extension ModelLayout {
  /// Models of other families, recognised by the prefix of any tensor's name.
  private static let otherFamilies: [(prefix: String, family: String)] = [
    ("depth_model.", "a depth-to-image model"),
    ("embedder.model.", "an unCLIP model"),
    ("noise_augmentor.", "an unCLIP model"),
    ("low_scale_model.", "an upscaler"),
    ("cond_stage_model.roberta.", "an AltDiffusion model"),
    ("edm_mean", "a Playground 2.5 model"),
    ("model.diffusion_model.joint_blocks.", "a Stable Diffusion 3 model"),
    ("joint_blocks.", "a Stable Diffusion 3 model"),
    ("model.diffusion_model.double_blocks.", "a Flux.1 model"),
    ("double_blocks.", "a Flux.1 model"),
  ]

  /// Other files that users keep with their models, recognised in the same way.
  private static let otherKinds: [(prefix: String, kind: String)] = [
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

  private static let advice = "use a checkpoint of Stable Diffusion 1.x, 2.x or XL"

  /// Throws `WeightError.unsupported` for a single file of another family, or with a ControlNet.
  static func requireStableDiffusion(_ names: some Collection<String>, path: String) throws(WeightError) {
    func matches(_ prefix: String) -> Bool { names.contains { $0.hasPrefix(prefix) } }
    if let other = otherFamilies.first(where: { matches($0.prefix) }) {
      throw .unsupported(path: path, found: other.family, advice: advice)
    }
    if let other = otherKinds.first(where: { $0.prefix.hasPrefix("control") && matches($0.prefix) }) {
      throw .unsupported(path: path, found: other.kind, advice: advice)
    }
  }

  /// Checks that a single file with these tensor names is a whole model: it must have a UNet.
  ///
  /// Throws `WeightError.unsupported`, which names the kind of file if it is known.
  static func requireModel(_ names: some Collection<String>, path: String) throws(WeightError) {
    func matches(_ prefix: String) -> Bool { names.contains { $0.hasPrefix(prefix) } }
    if let other = otherFamilies.first(where: { matches($0.prefix) }) {
      throw .unsupported(path: path, found: other.family, advice: advice)
    }
    if matches(KeyMap.ldmUNetPrefix) { return }
    if UNetNames(names) != nil {
      throw .unsupported(
        path: path, found: "a UNet alone, not a checkpoint",
        advice: "name the checkpoint that it belongs to with text_encoder:, which completes it")
    }
    if let other = otherKinds.first(where: { matches($0.prefix) }) {
      throw .unsupported(path: path, found: other.kind, advice: advice)
    }
    let example = names.min().map { ", such as \($0.abridged)" } ?? ""
    throw .unsupported(
      path: path, found: "a file with \(names.count) tensors\(example), and no UNet under \(KeyMap.ldmUNetPrefix)",
      advice: advice)
  }
}
