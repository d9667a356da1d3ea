/// The role of a tensor in an adapter's module. The raw value is kohya's or LyCORIS's name for it.
package enum AdapterPart: String, Hashable {
  case up = "lora_up.weight"
  case down = "lora_down.weight"
  case mid = "lora_mid.weight"
  case hada1A = "hada_w1_a"
  case hada1B = "hada_w1_b"
  case hada2A = "hada_w2_a"
  case hada2B = "hada_w2_b"
  case hada1Core = "hada_t1"
  case hada2Core = "hada_t2"
  case lokr1 = "lokr_w1"
  case lokr1A = "lokr_w1_a"
  case lokr1B = "lokr_w1_b"
  case lokr2 = "lokr_w2"
  case lokr2A = "lokr_w2_a"
  case lokr2B = "lokr_w2_b"
  case lokr2Core = "lokr_t2"
  case difference = "diff"
  case biasDifference = "diff_b"
  case normDifference = "w_norm"
  case normBiasDifference = "b_norm"
  case scaling = "weight"
  case scalesInput = "on_input"
  case alpha
  case scale
  case magnitude = "dora_scale"
  case outputMagnitude = "lora_magnitude_vector"
  case upBias = "lora_up.bias"
  case tableUp = "lora_embedding_B"
  case tableDown = "lora_embedding_A"

  /// Other spellings: those of the diffusers library, old and new, and of PEFT.
  private static let aliases: [String: AdapterPart] = [
    "lora.up.weight": .up, "lora.down.weight": .down, "lora_linear_layer.up.weight": .up,
    "lora_linear_layer.down.weight": .down, "lora_B.weight": .up, "lora_A.weight": .down,
    "lora_B.default.weight": .up, "lora_A.default.weight": .down, "lora_magnitude_vector.weight": .outputMagnitude,
    "lora_magnitude_vector.default.weight": .outputMagnitude, "lora_magnitude_vector.default": .outputMagnitude,
    "lora_B.bias": .upBias, "lora_B.default.bias": .upBias, "lora.up.bias": .upBias,
    "lora_embedding_A.default": .tableDown, "lora_embedding_B.default": .tableUp,
  ]

  /// All spellings, the longest first, because `lora_up.weight` also ends in `weight`.
  private static let spellings: [(ending: String, part: AdapterPart)] = {
    let own = [
      up, down, mid, hada1A, hada1B, hada2A, hada2B, hada1Core, hada2Core, lokr1, lokr1A, lokr1B, lokr2, lokr2A, lokr2B,
      lokr2Core, difference, biasDifference, normDifference, normBiasDifference, scaling, scalesInput, alpha, scale,
      magnitude, outputMagnitude, upBias, tableUp, tableDown,
    ].map { (ending: "." + $0.rawValue, part: $0) }
    // The oldest names join the layer's name without a dot: `to_q_lora.up.weight`.
    let joined = [(ending: "_lora.up.weight", part: up), (ending: "_lora.down.weight", part: down)]
    return (own + aliases.map { (ending: "." + $0.key, part: $0.value) } + joined).sorted {
      ($1.ending.utf8.count, $0.ending) < ($0.ending.utf8.count, $1.ending)
    }
  }()

  /// Splits a tensor's name into the layer's name in the file and the tensor's role; nil for unknown names.
  package static func split(_ name: String) -> (layer: String, part: AdapterPart)? {
    guard unsupportedKind(name) == nil, let found = spellings.first(where: { name.hasSuffix($0.ending) }) else {
      return nil
    }
    return (String(name.dropLast(found.ending.count)), found.part)
  }

  /// Whether only adapters have a tensor with this name.
  package static func isTelling(_ name: String) -> Bool {
    if name.hasPrefix(bundlePrefix) { return true }
    return switch split(name)?.part {
    case nil, .scaling, .scale, .alpha: false
    default: true
    }
  }

  /// The prefix of an embedding's tensors in a LoRA; the embedding's name follows it.
  package static let bundlePrefix = "bundle_emb."

  /// Parts of names that only unsupported kinds of adapters have.
  private static let unsupported: [(mark: String, kind: String)] = [
    (".oft_", "OFT"), (".boft_", "BOFT"), (".a1.weight", "GLoRA"),
    (".a2.weight", "GLoRA"), (".b1.weight", "GLoRA"), (".b2.weight", "GLoRA"), (".bias_indices", "sparse bias"),
    (".bias_values", "sparse bias"), (".bias_size", "sparse bias"), (".lora_E", "AdaLoRA"), (".vera_lambda", "VeRA"),
    (".ia3_l", "IA3 of PEFT"), (".hra_u", "HRA"), (".ln_tuning", "LN tuning"), (".tlora_", "T-LoRA"),
    (".trainable_tokens_", "new tokens, which PEFT trains"), (".hada_w3_", "LoHa with a third product"),
    (".reshape_weight", "LoRA that changes a weight's size (reshape_weight)"),
    (".set_weight", "weight that is replaced (set_weight of ComfyUI)"),
    (".modules_to_save.", "whole layer of PEFT (modules_to_save)"),
  ]

  /// The unsupported kind of adapter that a tensor's name indicates; nil for the supported kinds.
  package static func unsupportedKind(_ name: String) -> String? {
    if name.hasPrefix("oft_unet") || name.hasPrefix("oft_te") { return "OFT" }
    return unsupported.first { name.contains($0.mark) }?.kind
  }
}
