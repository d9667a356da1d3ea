/// The names of a model's layers in adapters, in every style in use.
///
/// | style | a layer's name |
/// |---|---|
/// | kohya | `lora_unet_down_blocks_0_attentions_0_proj_in`, `lora_te_text_model_encoder_layers_0_mlp_fc1` (`lora_te1_`, `lora_te2_`) |
/// | kohya for SDXL | `lora_unet_input_blocks_4_1_proj_in` |
/// | LyCORIS | `lycoris_down_blocks_0_attentions_0_proj_in`, `lycoris_text_model_encoder_layers_0_mlp_fc1` |
/// | diffusers, PEFT | `unet.down_blocks.0.attentions.0.proj_in`, `text_encoder.text_model.encoder.layers.0.mlp.fc1` (`text_encoder_2.`) |
/// | diffusers before 0.18 | `down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q` |
/// | PEFT alone | `base_model.model.down_blocks.0.attentions.0.proj_in` |
/// | ComfyUI | `diffusion_model.input_blocks.4.1.proj_in`, `text_encoders.clip_l.transformer.text_model.encoder.layers.0.mlp.fc1` (`clip_g`) |
/// | transformers | `transformer.transformer_blocks.0.attn.to_q` (diffusers), `lora_unet_double_blocks_0_img_attn_qkv` (kohya), `diffusion_model.double_blocks.0.img_attn.qkv` (ComfyUI) |
/// | OneTrainer | `lora_unet.down_blocks.0.attentions.0.proj_in`, `clip_l.text_model.encoder.layers.0.mlp.fc1` |
package struct AdapterNames {
  /// A layer of one of the model's networks.
  package struct Layer: Hashable, Sendable {
    /// The index of the network in the model's list.
    package var network: Int
    /// The layer's name in code.
    package var name: String
  }

  /// What a name in a file refers to: a layer, and the rows of the file's module that change it.
  package struct Target: Sendable {
    /// The layer.
    package var layer: Layer
    /// The rows of the module that change the layer, and the number of rows of the module; nil for all rows.
    package var rows: (range: Range<Int>, count: Int)?
  }

  /// The layers of one network by their names without a prefix.
  private struct Names {
    var dotted: [String: Layer] = [:]
    var underscored: [String: Layer] = [:]
    /// Layers in code that are one matrix in other namings.
    var fused: [String: [Target]] = [:]
    var fusedUnderscored: [String: [Target]] = [:]

    mutating func add(_ name: String, _ target: Target) {
      fused[name, default: []].append(target)
      fusedUnderscored[AdapterNames.underscored(name), default: []].append(target)
    }

    mutating func add(_ name: String, _ layer: Layer) {
      dotted[name] = layer
      underscored[AdapterNames.underscored(name)] = layer
    }
  }

  private var networks: [AdapterPrefix.Network: Names] = [:]

  package init() {}

  /// Adds the layers of a UNet.
  ///
  /// - Parameters:
  ///   - layers: The names of the layers in code.
  ///   - structure: The number of blocks and layers, which the names in single files depend on.
  ///   - network: The network's index in the model's list.
  package mutating func addUNet(_ layers: some Sequence<String>, structure: BlockStructure, network: Int) {
    let keyMap = KeyMap.ldmUNet(structure)
    var names = Names()
    for name in layers {
      let layer = Layer(network: network, name: name)
      names.add(name, layer)
      names.add(String(keyMap.fileName(name).dropFirst(keyMap.prefix.count)), layer)
    }
    networks[.unet] = names
  }

  /// Adds the layers of a transformer.
  ///
  /// - Parameters:
  ///   - tensors: The transformer's tensors, with their names in code.
  ///   - keyMaps: The namings that adapters may have, without a prefix.
  ///   - network: The network's index in the model's list.
  package mutating func addTransformer(_ tensors: [ExpectedTensor], keyMaps: [KeyMap], network: Int) {
    var names = Names()
    let ending = ".weight"
    for tensor in tensors where tensor.name.hasSuffix(ending) {
      let layer = Layer(network: network, name: String(tensor.name.dropLast(ending.count)))
      for keyMap in keyMaps {
        let (fileName, form) = keyMap.location(tensor.name)
        let name = fileName.hasSuffix(ending) ? String(fileName.dropLast(ending.count)) : fileName
        let rows = tensor.shape[0]
        switch form {
        case .whole, .transposed: names.add(name, layer)
        case .part(let index, let count):
          names.add(name, Target(layer: layer, rows: (index * rows..<(index + 1) * rows, count * rows)))
        case .rows(let range, let count): names.add(name, Target(layer: layer, rows: (range, count)))
        }
      }
    }
    networks[.unet] = names
  }

  /// Adds the layers of a text encoder.
  ///
  /// - Parameters:
  ///   - layers: The names of the layers in code, such as `encoder.layers.0.mlp.fc1`.
  ///   - encoder: The text encoder of the family.
  ///   - network: The network's index in the model's list.
  package mutating func addTextEncoder(
    _ layers: some Sequence<String>, _ encoder: ModelFamily.TextEncoder, network: Int
  ) {
    var names = Names()
    for name in layers {
      let layer = Layer(network: network, name: name)
      // Since version 5, the transformers library has no `text_model.` in its names.
      for inner in ["text_model.", ""] { names.add(inner + name, layer) }
    }
    networks[AdapterPrefix.Network(rawValue: encoder.folder) ?? .firstText] = names
  }

  /// The layer that a file means by this name; nil if the model has none.
  package subscript(_ name: String) -> Layer? {
    for (prefix, rest) in AdapterPrefix.readings(of: name) {
      for network in prefix.networks {
        guard let names = networks[network] else { continue }
        if prefix.isUnderscored {
          if let layer = names.underscored[String(rest)] { return layer }
        } else if let layer = names.dotted[String(rest)] ?? names.dotted[Self.modern(rest)] {
          return layer
        }
      }
    }
    return nil
  }

  /// What a file means by this name: one layer, several layers if the file has them as one, or none.
  package func targets(_ name: String) -> [Target] {
    if let layer = self[name] { return [Target(layer: layer)] }
    for (prefix, rest) in AdapterPrefix.readings(of: name) {
      for network in prefix.networks {
        guard let names = networks[network] else { continue }
        let found = (prefix.isUnderscored ? names.fusedUnderscored : names.fused)[String(rest)]
        if let found { return found }
      }
    }
    return []
  }

  /// Converts a name of diffusers before 0.18. At that time, attention processors held the matrices, and those of text encoders
  /// had the UNet's names.
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
