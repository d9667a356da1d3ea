/// The names of a model's layers in adapters, in every style that is in use.
///
/// | style | a layer's name |
/// |---|---|
/// | kohya | `lora_unet_down_blocks_0_attentions_0_proj_in`, `lora_te_text_model_encoder_layers_0_mlp_fc1` (`lora_te1_`, `lora_te2_`) |
/// | kohya for SDXL | `lora_unet_input_blocks_4_1_proj_in` |
/// | diffusers, PEFT | `unet.down_blocks.0.attentions.0.proj_in`, `text_encoder.text_model.encoder.layers.0.mlp.fc1` (`text_encoder_2.`) |
/// | diffusers before 0.18 | `down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q` |
/// | PEFT alone | `base_model.model.down_blocks.0.attentions.0.proj_in` |
package struct AdapterNames {
  /// A layer of one of the model's networks.
  package struct Layer: Hashable, Sendable {
    /// The network's index in the model's list.
    package var network: Int
    /// The layer's name in code.
    package var name: String
  }

  private var layersByName: [String: Layer] = [:]

  package init() {}

  /// Adds the layers of a UNet.
  ///
  /// - Parameters:
  ///   - layers: Their names in code.
  ///   - structure: The number of blocks and layers, on which the names in single files depend.
  ///   - network: The network's index in the model's list.
  package mutating func addUNet(_ layers: some Sequence<String>, structure: BlockStructure, network: Int) {
    let keyMap = KeyMap.ldmUNet(structure)
    for name in layers {
      let layer = Layer(network: network, name: name)
      let single = String(keyMap.fileName(name).dropFirst(keyMap.prefix.count))
      for spelling in [name, single] {
        for prefix in ["lora_unet_", "lycoris_unet_", "lycoris_"] {
          layersByName[prefix + Self.underscored(spelling)] = layer
        }
      }
      for prefix in ["unet.", ""] { layersByName[prefix + name] = layer }
      for prefix in ["diffusion_model.", "model.diffusion_model."] { layersByName[prefix + single] = layer }
    }
  }

  /// Adds the layers of a text encoder.
  ///
  /// - Parameters:
  ///   - layers: Their names in code, from `encoder.` on.
  ///   - encoder: The text encoder of the family.
  ///   - network: The network's index in the model's list.
  package mutating func addTextEncoder(
    _ layers: some Sequence<String>, _ encoder: ModelFamily.TextEncoder, network: Int
  ) {
    let isFirst = encoder.folder == "text_encoder"
    let kohya = isFirst ? ["lora_te_", "lora_te1_"] : ["lora_te2_"]
    let diffusers = [encoder.folder + "."] + (isFirst ? [""] : [])
    for name in layers {
      let layer = Layer(network: network, name: name)
      // The transformers library has had no `text_model.` in its names since version 5.
      for inner in ["text_model.", ""] {
        for prefix in kohya { layersByName[prefix + Self.underscored(inner + name)] = layer }
        for prefix in diffusers { layersByName[prefix + inner + name] = layer }
      }
    }
  }

  /// The layer that a file refers to by this name; nil if the model has none.
  package subscript(_ name: String) -> Layer? {
    if let layer = layersByName[name] { return layer }
    var name = name[...]
    if let start = ["base_model.model.", "lora_unet.", "unet.base_model.model."].first(where: { name.hasPrefix($0) }) {
      name = name.dropFirst(start.count)
    }
    return layersByName[String(name)] ?? layersByName[Self.modern(name)]
  }

  /// Converts a name of diffusers before 0.18. There, attention processors held the matrices, and those of text encoders had
  /// the UNet's names.
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
