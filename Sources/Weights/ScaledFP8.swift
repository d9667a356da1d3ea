/// FP8 weights that stand for their product with a number beside them, as ComfyUI writes them.
///
/// `X.weight` goes with `X.scale_weight` or `X.weight_scale`, one number each; `X.scale_input`, `X.input_scale`,
/// `X.comfy_quant` and `scaled_fp8` tell how to round activations, which nothing does here.
enum ScaledFP8 {
  /// The tensors with every scale applied and left out.
  static func applied(to tensors: [String: WeightTensor]) -> [String: WeightTensor] {
    var scaled = tensors
    for (name, tensor) in tensors where tensor.elementType == .f8E4M3 || tensor.elementType == .f8E5M2 {
      guard name.hasSuffix(".weight") else { continue }
      let layer = name.dropLast("weight".count)
      for scaleName in ["\(layer)scale_weight", "\(layer)weight_scale"] {
        // A row of scales, one per output, stays where it is and is told as unread.
        guard let scale = tensors[scaleName], scale.elementCount == 1, let number = try? scale.floats().first else {
          continue
        }
        scaled[name] = tensor.scaled(by: number)
        scaled[scaleName] = nil
        for unused in ["scale_input", "input_scale", "comfy_quant"] { scaled["\(layer)\(unused)"] = nil }
        break
      }
    }
    if scaled.count < tensors.count {
      for name in tensors.keys where name == "scaled_fp8" || name.hasSuffix(".scaled_fp8") { scaled[name] = nil }
    }
    return scaled
  }
}
