/// FP8 weights that stand for their product with numbers beside them, as ComfyUI and others write them.
///
/// `X.weight` goes with `X.scale_weight` or `X.weight_scale`: one number, one for each output, or one for each block of a
/// matrix; or with `X.weight_scale_inv`, one for each square of 128, which is a factor in spite of its name. `X.scale_input`,
/// `X.input_scale` and `X.comfy_quant` tell how to round activations, and `scaled_fp8` that a file is of this kind; nothing
/// here needs them.
enum ScaledFP8 {
  /// The tensors with every scale applied and left out.
  ///
  /// A scale whose shape does not tell what each of its numbers is for, or one that is not finite, stays where it is and is
  /// told as unread.
  static func applied(to tensors: [String: WeightTensor]) -> [String: WeightTensor] {
    guard tensors.values.contains(where: { $0.elementType == .f8E4M3 || $0.elementType == .f8E5M2 }) else {
      return tensors
    }
    var scaled = tensors
    for (name, tensor) in tensors where name.hasSuffix(".weight") {
      let layer = name.dropLast("weight".count)
      for ending in ["scale_weight", "weight_scale", "weight_scale_inv"] {
        let scaleName = "\(layer)\(ending)"
        guard let numbers = tensors[scaleName], let factors = try? numbers.floats(),
          let scale = WeightScale(
            factors, factorShape: numbers.shape, for: tensor.shape, isOfSquares: ending == "weight_scale_inv")
        else { continue }
        scaled[name] = tensor.scaled(by: scale)
        scaled[scaleName] = nil
        for unused in ["scale_input", "input_scale", "comfy_quant"] { scaled["\(layer)\(unused)"] = nil }
        break
      }
    }
    for name in tensors.keys where name == "scaled_fp8" || name.hasSuffix(".scaled_fp8") { scaled[name] = nil }
    return scaled
  }
}
