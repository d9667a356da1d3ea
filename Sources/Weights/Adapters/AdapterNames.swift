/// What adapters call the layers of a model, in every style that is in use.
///
/// | style | a layer's name |
/// |---|---|
/// | kohya | `lora_unet_down_blocks_0_attentions_0_proj_in`, `lora_te_text_model_encoder_layers_0_mlp_fc1` (`lora_te1_`, `lora_te2_`) |
/// | kohya for SDXL | `lora_unet_input_blocks_4_1_proj_in` |
/// | diffusers, PEFT | `unet.down_blocks.0.attentions.0.proj_in`, `text_encoder.text_model.encoder.layers.0.mlp.fc1` (`text_encoder_2.`) |
/// | diffusers of old | `down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q` |
/// | PEFT alone | `base_model.model.down_blocks.0.attentions.0.proj_in` |
package struct AdapterNames {
  /// A layer of one of the model's networks.
  package struct Place: Hashable, Sendable {
    /// The network, by its place in the model's list.
    package var network: Int
    /// The layer's name in code.
    package var layer: String
  }

  private var places: [String: Place] = [:]

  package init() {}

  /// Adds the layers of a UNet.
  ///
  /// - Parameters:
  ///   - layers: Their names in code.
  ///   - structure: How many blocks there are, which the names of single files number.
  ///   - network: The network's place in the model's list.
  package mutating func addUNet(_ layers: some Sequence<String>, structure: BlockStructure, network: Int) {
    let keyMap = KeyMap.ldmUNet(structure)
    for layer in layers {
      let place = Place(network: network, layer: layer)
      let single = String(keyMap.fileName(layer).dropFirst(keyMap.prefix.count))
      for name in [layer, single] {
        for prefix in ["lora_unet_", "lycoris_unet_", "lycoris_"] { places[prefix + Self.underscored(name)] = place }
      }
      for prefix in ["unet.", ""] { places[prefix + layer] = place }
      for prefix in ["diffusion_model.", "model.diffusion_model."] { places[prefix + single] = place }
    }
  }

  /// Adds the layers of a text encoder.
  ///
  /// - Parameters:
  ///   - layers: Their names in code, from `encoder.` on.
  ///   - encoder: Which of a family's text encoders it is.
  ///   - network: The network's place in the model's list.
  package mutating func addTextEncoder(
    _ layers: some Sequence<String>, _ encoder: ModelFamily.TextEncoder, network: Int
  ) {
    let isFirst = encoder.folder == "text_encoder"
    let kohya = isFirst ? ["lora_te_", "lora_te1_"] : ["lora_te2_"]
    let diffusers = [encoder.folder + "."] + (isFirst ? [""] : [])
    for layer in layers {
      let place = Place(network: network, layer: layer)
      // The transformers library has had no `text_model.` in its names since version 5.
      for inner in ["text_model.", ""] {
        for prefix in kohya { places[prefix + Self.underscored(inner + layer)] = place }
        for prefix in diffusers { places[prefix + inner + layer] = place }
      }
    }
  }

  /// The layer that a file means by a name.
  package subscript(_ name: String) -> Place? {
    if let place = places[name] { return place }
    var name = name[...]
    if let start = ["base_model.model.", "lora_unet.", "unet.base_model.model."].first(where: { name.hasPrefix($0) }) {
      name = name.dropFirst(start.count)
    }
    return places[String(name)] ?? places[Self.modern(name)]
  }

  /// A name of diffusers before 0.18, in today's form: attention processors held the matrices, and those of text encoders
  /// had the names of the UNet's.
  private static func modern(_ name: Substring) -> String {
    var parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    parts.removeAll { $0 == "processor" }
    let isText = parts.contains("self_attn")
    if let last = parts.last {
      switch last {
      case "to_q" where isText: parts[parts.count - 1] = "q_proj"
      case "to_k" where isText: parts[parts.count - 1] = "k_proj"
      case "to_v" where isText: parts[parts.count - 1] = "v_proj"
      case "to_out" where isText: parts[parts.count - 1] = "out_proj"
      case "to_out": parts.append("0")
      default: break
      }
    }
    return parts.joined(separator: ".")
  }

  private static func underscored(_ name: String) -> String { String(name.map { $0 == "." ? "_" : $0 }) }
}
