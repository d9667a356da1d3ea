/// The beginning of a layer's name in an adapter. It shows which program named the layer, and which network contains it.
struct AdapterPrefix: Sendable {
  /// The network that contains the layers.
  enum Network: String, CaseIterable, Sendable {
    case unet
    case firstText = "text_encoder"
    case secondText = "text_encoder_2"
  }

  let text: String
  /// The name of the naming style for messages.
  let style: String
  /// The networks that may have layers with this name, the best guess first.
  let networks: [Network]
  /// Whether the rest of the name has underscores instead of dots.
  let isUnderscored: Bool

  private init(_ text: String, _ style: String, _ networks: Network..., underscored isUnderscored: Bool = false) {
    self.text = text
    self.style = style
    self.networks = networks
    self.isUnderscored = isUnderscored
  }

  /// PEFT's wrapper, at the start of a name or after the network's prefix.
  static let wrapper = "base_model.model."

  /// All prefixes, the longest first; the last one is empty.
  static let all: [AdapterPrefix] = [
    AdapterPrefix("lora_unet_", "kohya", .unet, underscored: true),
    AdapterPrefix("lora_te_", "kohya", .firstText, underscored: true),
    AdapterPrefix("lora_te1_", "kohya", .firstText, underscored: true),
    AdapterPrefix("lora_te2_", "kohya", .secondText, underscored: true),
    AdapterPrefix("lycoris_unet_", "LyCORIS", .unet, underscored: true),
    AdapterPrefix("lycoris_te_", "LyCORIS", .firstText, underscored: true),
    AdapterPrefix("lycoris_te1_", "LyCORIS", .firstText, underscored: true),
    AdapterPrefix("lycoris_te2_", "LyCORIS", .secondText, underscored: true),
    // LyCORIS's wrapper names layers relative to the network that it was given.
    AdapterPrefix("lycoris_", "LyCORIS", .unet, .firstText, underscored: true),
    AdapterPrefix("unet.", "diffusers", .unet),
    AdapterPrefix("transformer.", "diffusers", .unet),
    AdapterPrefix("lora_transformer_", "kohya", .unet, underscored: true),
    AdapterPrefix("text_encoder.", "diffusers", .firstText),
    AdapterPrefix("text_encoder_2.", "diffusers", .secondText),
    AdapterPrefix("lora_unet.", "OneTrainer", .unet),
    AdapterPrefix("lora_te.", "OneTrainer", .firstText),
    AdapterPrefix("lora_te1.", "OneTrainer", .firstText),
    AdapterPrefix("lora_te2.", "OneTrainer", .secondText),
    AdapterPrefix("clip_l.", "OneTrainer", .firstText),
    AdapterPrefix("clip_g.", "OneTrainer", .secondText),
    AdapterPrefix("model.diffusion_model.", "single file", .unet),
    AdapterPrefix("diffusion_model.", "single file", .unet),
    AdapterPrefix("text_encoders.clip_l.transformer.", "ComfyUI", .firstText),
    AdapterPrefix("text_encoders.clip_h.transformer.", "ComfyUI", .firstText),
    AdapterPrefix("text_encoders.clip_g.transformer.", "ComfyUI", .secondText),
    AdapterPrefix("clip_l.transformer.", "ComfyUI", .firstText),
    AdapterPrefix("clip_h.transformer.", "ComfyUI", .firstText),
    AdapterPrefix("clip_g.transformer.", "ComfyUI", .secondText),
    AdapterPrefix("", "diffusers", .unet, .firstText),
  ].sorted { $0.text.utf8.count > $1.text.utf8.count }

  /// The ways to read a layer's name, the best first, each with the rest of the name after the prefix and PEFT's wrapper.
  static func readings(of name: String) -> [(prefix: AdapterPrefix, rest: Substring)] {
    let name = unwrapped(name[...])
    return all.compactMap { prefix in
      guard name.hasPrefix(prefix.text) else { return nil }
      let rest = name.dropFirst(prefix.text.count)
      return (prefix, prefix.isUnderscored ? rest : unwrapped(rest))
    }
  }

  private static func unwrapped(_ name: Substring) -> Substring {
    name.hasPrefix(wrapper) ? name.dropFirst(wrapper.count) : name
  }
}
