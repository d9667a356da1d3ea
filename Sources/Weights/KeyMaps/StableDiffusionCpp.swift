/// Names of text encoders as stable-diffusion.cpp writes them: those of the transformers library, whatever they were.
extension KeyMap {
  /// What it leaves of an OpenCLIP encoder outside of the names that it changes.
  static let renamedLeftovers = [
    "cond_stage_model.model.", "cond_stage_model.1.model.", "cond_stage_model.1.logit_scale",
    "cond_stage_model.visual.",
    "cond_stage_model.1.transformer.vision_model.", "cond_stage_model.1.transformer.visual_projection.",
  ]

  /// A text encoder whose names begin with `prefix`.
  ///
  /// Queries, keys and values of an OpenCLIP encoder are three matrices, as older versions split them, or one.
  static func renamedTextEncoder(prefix: String, tensors: [String: WeightTensor]) -> KeyMap {
    let names = SingleFileNames.names(tensors, under: prefix)
    var keyMap = textEncoder(prefix: prefix, names: names)
    if names.contains(where: { $0.hasSuffix(".self_attn.in_proj.weight") }) {
      let layers = (0..<layerLimit).map { KeyRule("\($0)", "\($0)", inside: thirds(of: "self_attn.in_proj.")) }
      let fileName = names.contains { $0.hasPrefix("text_model.") } ? "text_model.encoder.layers" : "encoder.layers"
      keyMap.rules.insert(KeyRule("encoder.layers", fileName, inside: layers), at: 0)
    }
    let projection = "text_model.text_projection"
    if let tensor = tensors[prefix + projection] {
      let form: TensorForm = isProjectionOpenCLIP(tensor, prefix: prefix, tensors) ? .transposed : .whole
      keyMap.rules.append(KeyRule("text_projection.weight", projection, form: form))
    }
    return keyMap
  }

  /// Whether the projection of a text as a whole is multiplied from the right, as OpenCLIP keeps it.
  ///
  /// The name is the same for that of the transformers library. Where the shape does not tell, it is OpenCLIP's, as in
  /// the checkpoints that people convert, but for encoders that were files of their own.
  private static func isProjectionOpenCLIP(
    _ projection: WeightTensor, prefix: String, _ tensors: [String: WeightTensor]
  ) -> Bool {
    let width = tensors[prefix + "text_model.final_layer_norm.weight"]?.elementCount
    if projection.shape.count == 2, projection.shape[0] != projection.shape[1] { return projection.shape[0] == width }
    return !prefix.hasPrefix("text_encoders.")
  }
}
