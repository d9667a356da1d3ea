/// FP8 weights that stand for their product with numbers beside them, as ComfyUI and others write them.
///
/// `X.weight` goes with `X.scale_weight` or `X.weight_scale`: one number, or one for each output. `X.scale_input`,
/// `X.input_scale` and `X.comfy_quant` tell how to round activations, and `scaled_fp8` that a file is of this kind; nothing
/// here needs them.
enum ScaledFP8 {
  /// The tensors with every scale applied and left out.
  ///
  /// A scale of another shape, or one that is not finite, stays where it is and is told as unread.
  static func applied(to tensors: [String: WeightTensor]) -> [String: WeightTensor] {
    guard tensors.values.contains(where: { $0.elementType == .f8E4M3 || $0.elementType == .f8E5M2 }) else {
      return tensors
    }
    var scaled = tensors
    for (name, tensor) in tensors where name.hasSuffix(".weight") {
      let layer = name.dropLast("weight".count)
      for scaleName in ["\(layer)scale_weight", "\(layer)weight_scale"] {
        // [n], or [n, 1, ...] with as many dimensions as the weight.
        guard let numbers = tensors[scaleName], numbers.shape.dropFirst().allSatisfy({ $0 == 1 }),
          let factors = try? numbers.floats(), let scale = WeightScale(factors, for: tensor.shape)
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
