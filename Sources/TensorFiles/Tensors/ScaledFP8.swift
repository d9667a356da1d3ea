/// FP8 weights with separate scales, as ComfyUI and other programs write them.
///
/// `X.weight` is multiplied by `X.scale_weight` or `X.weight_scale`: one number, one for each output, or one for each block of
/// a matrix. `X.weight_scale_inv` has one for each square of 128, and is a factor in spite of its name. `X.scale_input`,
/// `X.input_scale` and `X.comfy_quant` describe how to round activations, and `scaled_fp8` marks a file of this kind; none of
/// them are needed here.
enum ScaledFP8 {
  /// The tensors with their scales applied. The scales themselves are left out.
  ///
  /// A scale stays a tensor if it is not finite or its shape is ambiguous; audits then report that it is not read.
  static func applied(to tensors: [String: StoredTensor]) -> [String: StoredTensor] {
    guard tensors.values.contains(where: { $0.elementType == .f8E4M3 || $0.elementType == .f8E5M2 }) else {
      return tensors
    }
    var scaled = tensors
    for (name, tensor) in tensors where name.hasSuffix(".weight") {
      let layer = name.dropLast("weight".count)
      for ending in ["scale_weight", "weight_scale", "weight_scale_inv"] {
        let scaleName = "\(layer)\(ending)"
        guard let numbers = tensors[scaleName], let factors = try? numbers.floats(),
          let scale = TensorScale(
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
