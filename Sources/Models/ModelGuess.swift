import Weights

/// What a file of tensors that is no whole model holds, by what its tensors are called.
struct ModelGuess {
  var kind = ModelReport.Kind.other
  var family: String?
  var layout: String?
  var partName = "file"
  var sizes: [(name: String, values: [Int])] = []

  init(_ file: TensorFile) {
    let names = file.tensors.keys
    if let ending = Self.adapterEndings.first(where: { ending in names.contains { $0.hasSuffix(ending.text) } }) {
      guessAdapter(file, ending.kind)
    } else if let vectors = Self.vectors(file) {
      kind = .embedding
      partName = "embedding"
      family = Self.families[vectors.width]
      sizes = [("vectors", [vectors.count]), ("width", [vectors.width])]
    } else if let upscaler = Self.upscaler(names) {
      kind = .upscaler
      partName = "upscaler"
      family = upscaler
    } else if names.contains(where: { $0.hasPrefix("model.diffusion_model.") }) {
      kind = .checkpoint
    }
  }

  // MARK: LoRA

  private static let adapterEndings: [(text: String, kind: String)] = [
    (".hada_w1_a", "LoHa"), (".lokr_w1", "LoKr"), (".lokr_w1_a", "LoKr"), (".dora_scale", "DoRA"),
    (".lora_magnitude_vector", "DoRA"), (".lora_mid.weight", "LoCon"), (".lora_down.weight", "LoRA"),
    (".lora_A.weight", "LoRA"), (".lora.down.weight", "LoRA"), (".lora_A.default.weight", "LoRA"),
    ("_lora.down.weight", "LoRA"), (".diff", "full difference"),
  ]

  private mutating func guessAdapter(_ file: TensorFile, _ algorithm: String) {
    kind = .lora
    partName = "adapter"
    layout = "\(algorithm), names of \(file.tensors.keys.contains { $0.hasPrefix("lora_") } ? "kohya" : "diffusers")"
    // Keys of cross-attention take a text's encoding, whose width is the family's.
    let keys = file.tensors.filter { $0.key.contains("attn2") && $0.key.contains("to_k") }
    let widths = keys.values.compactMap { tensor in
      Self.downEndings.contains { tensor.name.hasSuffix($0) } && tensor.shape.count >= 2 ? tensor.shape[1] : nil
    }
    if let width = widths.max() { family = Self.families[width] }
    if family == nil,
      file.tensors.keys.contains(where: { $0.hasPrefix("lora_te2_") || $0.hasPrefix("text_encoder_2.") })
    {
      family = Self.families[2048]
    }
    let ranks = file.tensors.values.compactMap { tensor in
      Self.downEndings.contains { tensor.name.hasSuffix($0) } ? tensor.shape.first : nil
    }
    sizes = [("rank", Array(Set(ranks)).sorted())]
    let layers = Set(file.tensors.keys.filter { $0.hasSuffix(".alpha") || Self.isDown($0) }.map(Self.layer))
    sizes.append(("layers", [layers.count]))
  }

  private static let downEndings = [
    ".lora_down.weight", ".lora_A.weight", ".lora.down.weight", ".lora_A.default.weight", "_lora.down.weight",
  ]

  private static func isDown(_ name: String) -> Bool { downEndings.contains(where: name.hasSuffix) }

  private static func layer(_ name: String) -> String {
    for ending in downEndings + [".alpha"] where name.hasSuffix(ending) { return String(name.dropLast(ending.count)) }
    return name
  }

  // MARK: Textual inversion

  /// How many vectors of which width; nothing for files that hold something else.
  private static func vectors(_ file: TensorFile) -> (count: Int, width: Int)? {
    let tensors = file.tensors
    if let (_, tensor) = tensors.first(where: { $0.key.hasPrefix("string_to_param.") }) { return size(tensor) }
    if let tensor = tensors["emb_params"] { return size(tensor) }
    if let large = tensors["clip_l"].flatMap(size), let other = tensors["clip_g"].flatMap(size) {
      return (large.count, large.width + other.width)
    }
    // Of the diffusers library: one tensor, called by the word that it stands for.
    guard tensors.count == 1, let tensor = tensors.values.first, !tensor.name.contains("."), let size = size(tensor),
      families[size.width] != nil
    else { return nil }
    return size
  }

  private static func size(_ tensor: WeightTensor) -> (count: Int, width: Int)? {
    switch tensor.shape.count {
    case 1: (1, tensor.shape[0])
    case 2: (tensor.shape[0], tensor.shape[1])
    default: nil
    }
  }

  /// By the width of a text's encoding.
  private static let families = [
    768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "Stable Diffusion XL",
    1280: "the refiner of Stable Diffusion XL",
  ]

  // MARK: Upscalers

  private static func upscaler(_ names: some Collection<String>) -> String? {
    func has(_ ending: String) -> Bool { names.contains { $0 == ending || $0.hasSuffix(".\(ending)") } }
    if has("body.0.rdb1.conv1.weight") || has("RRDB_trunk.0.RDB1.conv1.weight") { return "ESRGAN" }
    if has("1.sub.0.RDB1.conv1.0.weight") { return "ESRGAN" }
    if has("layers.0.residual_group.blocks.0.attn.relative_position_bias_table") { return "SwinIR" }
    if has("body.0.weight") && has("body.1.weight") && !has("conv_first.weight") { return "Real-ESRGAN (compact)" }
    if has("m_head.0.weight") { return "ScuNET" }
    return nil
  }
}
