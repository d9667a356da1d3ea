import TensorFiles

/// The names of text encoders in files of stable-diffusion.cpp. All encoders get those of the transformers library.
extension KeyMap {
  /// The names of an OpenCLIP encoder that stable-diffusion.cpp does not rename.
  static let renamedLeftovers = [
    "cond_stage_model.model.", "cond_stage_model.1.model.", "cond_stage_model.visual.",
    "cond_stage_model.1.transformer.vision_model.", "cond_stage_model.1.transformer.visual_projection.",
  ]

  /// A text encoder whose names start with `prefix`.
  ///
  /// The queries, keys and values of an OpenCLIP encoder are three matrices in files of older versions, and one matrix
  /// otherwise.
  static func renamedTextEncoder(prefix: String, tensors: [String: StoredTensor]) -> KeyMap {
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

  /// Whether the text projection is transposed, as OpenCLIP stores it.
  ///
  /// The transformers library uses the same name for its own projection. If the shape does not show which one it is, it is
  /// OpenCLIP's, as in the single files that users convert, except for encoders that were separate files.
  private static func isProjectionOpenCLIP(
    _ projection: StoredTensor, prefix: String, _ tensors: [String: StoredTensor]
  ) -> Bool {
    let width = tensors[prefix + "text_model.final_layer_norm.weight"]?.elementCount
    if projection.shape.count == 2, projection.shape[0] != projection.shape[1] { return projection.shape[0] == width }
    return !prefix.hasPrefix("text_encoders.")
  }
}
