import TensorFiles

/// The names of a model's networks in a single file: those of the original latent diffusion code, or those that
/// stable-diffusion.cpp gives to text encoders and VAEs.
///
/// Renamed text encoders all have the names of the transformers library. So the prefixes of Stable Diffusion 1.x, 2.x and the
/// refiner of XL are the same, and only shapes distinguish them. Source: `name_conversion.cpp` and `model.cpp` of
/// stable-diffusion.cpp.
struct SingleFileNames {
  let family: ModelFamily
  /// Whether the file could also be one of Stable Diffusion 2.x.
  let isFamilyGuessed: Bool
  /// The key maps of the text encoders, in the order of the family.
  private(set) var textEncoders: [KeyMap] = []
  /// The prefix of the VAE's names.
  let vaePrefix: String
  /// The prefixes of all names that belong to the networks, and of known leftovers.
  private(set) var known: [String]

  /// Reads the names and shapes of a file's tensors.
  ///
  /// Throws `WeightError.unsupported` for a file that is not a whole model, and `.file` for one without a text encoder.
  init(_ file: TensorFile) throws(WeightError) {
    let tensors = file.tensors
    try ModelLayout.requireModel(tensors.keys, path: file.path)
    (family, isFamilyGuessed) = Self.family(file)
    vaePrefix = Self.vaePrefix(tensors) ?? KeyMap.ldmVAEPrefix
    known = [KeyMap.ldmUNetPrefix] + KeyMap.vaePrefixes + KeyMap.ldmLeftovers
    for encoder in family.textEncoders {
      let own = encoder.prefixes.first { Self.has(tensors, $0) }
      if own == nil, let prefix = encoder.renamedPrefixes.first(where: { Self.has(tensors, $0) }) {
        textEncoders.append(.renamedTextEncoder(prefix: prefix, tensors: tensors))
        known += [prefix] + KeyMap.renamedLeftovers
        continue
      }
      guard let prefix = own else {
        throw .file(
          .unreadable(
            path: file.path,
            reason:
              "the model has no text encoder under \(encoder.prefix), expected a whole checkpoint, or one whose text "
              + "encoder this model uses under text_encoder:"))
      }
      known.append(prefix)
      let names = Self.names(tensors, under: prefix)
      switch encoder.naming {
      case .transformers: textEncoders.append(.textEncoder(prefix: prefix, names: names))
      case .openCLIP: textEncoders.append(.openCLIP(prefix: prefix, names: names))
      }
    }
  }

  /// The prefix of the file's VAE; nil without a VAE, or if its names have no prefix.
  static func vaePrefix(_ tensors: [String: StoredTensor]) -> String? {
    KeyMap.vaePrefixes.first { has(tensors, $0) }
  }

  /// The names that start with `prefix`, without the prefix.
  static func names(_ tensors: [String: StoredTensor], under prefix: String) -> [Substring] {
    tensors.keys.filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count) }
  }

  /// Whether any name starts with `prefix`. Leftovers do not count: renaming does not move `logit_scale`, and some programs
  /// write `position_ids` where there is no encoder.
  private static func has(_ tensors: [String: StoredTensor], _ prefix: String) -> Bool {
    tensors.keys.contains { $0.hasPrefix(prefix) && !Leftovers.contains($0) }
  }

  // MARK: Family

  private static func family(_ file: TensorFile) -> (ModelFamily, isGuessed: Bool) {
    let tensors = file.tensors
    func has(_ encoder: ModelFamily.TextEncoder) -> Bool {
      (encoder.prefixes + encoder.renamedPrefixes).contains { Self.has(tensors, $0) }
    }
    // Only the UNets of XL take a vector. sgm gives the encoders of different families the same prefix.
    let takesVector = Self.has(tensors, KeyMap.ldmUNetPrefix + "label_emb.")
    // An encoder of XL may have the prefix of another family's encoder, so families with more encoders come first.
    let families = ModelFamily.all.filter { $0.vector.isEmpty != takesVector }
      .sorted { $0.textEncoders.count > $1.textEncoders.count }
    let complete = families.filter { $0.textEncoders.allSatisfy(has) }
    if complete.count < 2 || complete[0].textEncoders.count > 1 {
      let family =
        complete.first ?? families.first { $0.textEncoders.contains { Self.has(tensors, $0.prefix) } }
        ?? (takesVector ? .sdxl : .sd1)
      return (family, false)
    }
    if let family = complete.first(where: { family in
      family != .sd1 && family.textEncoders[0].prefixes.contains { Self.has(tensors, $0) }
    }) {
      return (family, false)
    }
    if takesVector { return (.sdxlRefiner, false) }
    guard let isOpenCLIP = isOpenCLIP(file) else { return (.sd1, true) }
    return (isOpenCLIP ? .sd2 : .sd1, false)
  }

  /// Whether the only text encoder, which has the names of the transformers library, is that of Stable Diffusion 2.x; nil if
  /// the file does not show it.
  private static func isOpenCLIP(_ file: TensorFile) -> Bool? {
    let tensors = file.tensors
    if tensors.keys.contains(where: { $0.hasSuffix(".self_attn.in_proj.weight") }) { return true }
    let width = tensors.first { $0.key.hasSuffix(".embeddings.token_embedding.weight") }?.value.shape.last
    // The widths of ViT-H and ViT-L.
    if width == 1024 { return true }
    if width == 768 { return false }
    // The transformers library used to store the position ids. An encoder with these names, in a container other than GGUF, is
    // that of 1.x, even if a `logit_scale` with OpenCLIP's name is left over.
    if tensors.keys.contains(where: { $0.hasSuffix(".embeddings.position_ids") }) { return false }
    guard file.container == .gguf else { return false }
    // The UNet of 2.x has matrices where that of 1.x has 1×1 convolutions, unless the file drops dimensions of 1.
    func ranks(_ ending: String) -> [Int] {
      tensors.filter { $0.key.hasPrefix(KeyMap.ldmUNetPrefix) && $0.key.hasSuffix(ending) }.map(\.value.shape.count)
    }
    let projections = ranks(".proj_in.weight")
    let hasScale = tensors.keys.contains { $0.hasSuffix("cond_stage_model.model.logit_scale") }
    if hasScale, projections.isEmpty || projections.contains(2) { return true }
    if ranks(".skip_connection.weight").contains(4), !projections.isEmpty, projections.allSatisfy({ $0 == 2 }) {
      return true
    }
    // OpenCLIP has a text projection, even though it is not used here. CLIP ViT-L has one only in separate files.
    if tensors.keys.contains(where: { $0.contains(".transformer.") && $0.contains("text_projection") }) { return true }
    return nil
  }
}
