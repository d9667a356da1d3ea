import TensorFiles

/// The opened files of a model: its networks, the names of their tensors, and their configurations.
///
/// The networks interpret the configurations.
package struct ModelFiles: Sendable {
  /// One network of the model.
  package struct Network: Sendable {
    package var store: WeightStore
    /// The network's configuration in a diffusers folder; nil for a single file, whose shapes are used instead.
    package var configuration: ConfigurationFile?
    /// The structure found from the tensors' names, if there is no configuration.
    package var structure: BlockStructure?
    /// The indices of a TAESD decoder's layers that are single convolutions; nil for other networks.
    package var convolutionIndices: [Int]?
  }

  package var path: String
  package var layout: ModelLayout
  /// The family; nil if there is only a VAE.
  package var family: ModelFamily?
  /// Whether the files could also be those of Stable Diffusion 2.x.
  package var isFamilyGuessed = false
  package var unet: Network?
  /// The text encoders, in the order of the family.
  package var textEncoders: [Network] = []
  /// The VAE's decoder.
  package var vae: Network?
  /// The VAE's encoder; nil if the files do not have it.
  package var vaeEncoder: Network?
  /// A TAESD decoder in separate files, which replaces a VAE.
  package var tinyDecoder: Network?
  /// What the files say about the training.
  package var training = TrainingRecord()
  /// What users should know about the files.
  package var remarks: [String] = []
  /// The folders with the model's own CLIP vocabularies, one for each text encoder that has one.
  package var tokenizerFolders: [String] = []
  /// The files of the model, relative to `path`; empty for a single file.
  package var files: [String] = []
  /// The tensors that belong to no network and are not known leftovers.
  package var unread: [WeightAudit.Finding] = []

  /// Whether a file has a UNet with any names, or another network instead of a UNet.
  package static func hasUNet(_ file: TensorFile) -> Bool {
    file.tensors.keys.contains { $0.hasPrefix(KeyMap.ldmUNetPrefix) } || UNetNames(file.tensors.keys) != nil
  }

  /// Whether a folder has a UNet, or another network instead of a UNet.
  package static func hasUNet(inFolder path: String) -> Bool {
    ["unet", "transformer"].contains { DiffusersFolder.isFolder("\(path)/\($0)") }
  }

  /// Whether `path` is a folder.
  package static func isFolder(_ path: String) -> Bool { DiffusersFolder.isFolder(path) }

  /// Opens a single file or a diffusers folder.
  ///
  /// - Parameters:
  ///   - path: The model.
  ///   - textEncoder: A model whose text encoders are used instead of the model's own. The model then only needs a UNet; if
  ///     it has no VAE, it also gets that of the other model.
  /// - Returns: The files; only their headers and configurations were read.
  /// - Throws: `WeightError`.
  package static func open(path: String, textEncoder: String? = nil) throws(WeightError) -> ModelFiles {
    if let textEncoder { return try open(path: path, completedBy: try open(path: textEncoder)) }
    guard DiffusersFolder.isFolder(path) else { return try openFile(path: path) }
    return try DiffusersFolder(path: path).model()
  }

  private static func open(path: String, completedBy base: ModelFiles) throws(WeightError) -> ModelFiles {
    var model =
      try DiffusersFolder.isFolder(path)
      ? DiffusersFolder(path: path).unet() : openUNetFile(path: path)
    model.family = base.family
    model.isFamilyGuessed = base.isFamilyGuessed
    model.textEncoders = base.textEncoders
    model.tokenizerFolders = base.tokenizerFolders
    model.remarks += base.remarks
    if model.vae == nil, model.tinyDecoder == nil {
      (model.vae, model.vaeEncoder, model.tinyDecoder) = (base.vae, base.vaeEncoder, base.tinyDecoder)
    }
    return model
  }

  /// Opens a VAE: a separate file in either layout, a whole model with a VAE, or a diffusers folder.
  package static func openVAE(path: String) throws(WeightError) -> ModelFiles {
    guard DiffusersFolder.isFolder(path) else { return try openVAEFile(path: path) }
    return try DiffusersFolder(path: path).vae()
  }

  private static func openFile(path: String) throws(WeightError) -> ModelFiles {
    let file = try WeightError.wrapping(try TensorFile(path: path))
    let tensors = file.tensors
    try ForeignTransformer.refuse(tensors, path: path)
    let names = try SingleFileNames(file)
    var model = ModelFiles(path: path, layout: .singleFile, family: names.family)
    model.isFamilyGuessed = names.isFamilyGuessed
    model.unread = unread(tensors, known: names.known)
    model.training = try training(file)
    func network(_ keyMap: KeyMap, _ structure: BlockStructure?) -> Network {
      Network(store: WeightStore(path: path, tensors: tensors, keyMap: keyMap), structure: structure)
    }

    guard let structure = BlockStructure(ldmUNet: SingleFileNames.names(tensors, under: KeyMap.ldmUNetPrefix)) else {
      throw .file(.damaged(path: path, reason: "the tensors under \(KeyMap.ldmUNetPrefix) are not those of a UNet"))
    }
    model.unet = network(.ldmUNet(structure), structure)
    model.textEncoders = names.textEncoders.map { network($0, nil) }

    try model.takeVAE(prefix: names.vaePrefix, tensors)
    return model
  }

  /// Opens the UNet of a file that other files complete; the rest of a whole checkpoint is not used.
  private static func openUNetFile(path: String) throws(WeightError) -> ModelFiles {
    let file = try WeightError.wrapping(try TensorFile(path: path))
    let tensors = file.tensors
    try ForeignTransformer.refuse(tensors, path: path)
    try ModelLayout.requireStableDiffusion(tensors.keys, path: path)
    guard let names = UNetNames(tensors.keys) else {
      throw .unsupported(
        path: path, found: "a file with \(tensors.count) tensors and without a UNet of Stable Diffusion",
        advice: "name a checkpoint, or a UNet that text_encoder: completes")
    }
    var model = ModelFiles(path: path, layout: .singleFile)
    model.unet = Network(
      store: WeightStore(path: path, tensors: tensors, keyMap: names.keyMap), structure: names.structure)
    model.training = try training(file)
    // With an empty prefix, all tensors belong to the UNet, which is audited.
    if !names.prefix.isEmpty {
      model.unread = unread(
        tensors,
        known: [names.prefix, "cond_stage_model.", "conditioner.", "text_encoders."] + KeyMap.vaePrefixes
          + KeyMap.ldmLeftovers)
      if let prefix = SingleFileNames.vaePrefix(tensors) { try model.takeVAE(prefix: prefix, tensors) }
    }
    return model
  }

  /// Takes the VAE whose names start with `prefix`, if there is one.
  private mutating func takeVAE(prefix: String, _ tensors: [String: StoredTensor]) throws(WeightError) {
    let names = SingleFileNames.names(tensors, under: prefix).filter { !Leftovers.contains(String($0)) }
    guard !names.isEmpty else { return }
    guard let found = Self.recogniseVAE(prefix: prefix, names: names) else {
      throw .file(.damaged(path: path, reason: "the tensors under \(prefix) are not those of a VAE"))
    }
    vae = Network(
      store: WeightStore(path: path, tensors: tensors, keyMap: found.keyMap), structure: found.structure)
    vaeEncoder = found.encoder(path: path, tensors: tensors)
  }

  /// What a single file and the configuration next to it say about the training.
  private static func training(_ file: TensorFile) throws(WeightError) -> TrainingRecord {
    try TrainingRecord(
      file, markers: Set(TrainingMarker.allCases.filter { file.tensors.keys.contains($0.rawValue) }),
      configuration: CompanionFiles(of: file.path).configuration)
  }

  private static func openVAEFile(path: String) throws(WeightError) -> ModelFiles {
    let tensors = try WeightError.wrapping(try TensorFile(path: path)).tensors
    let prefix = SingleFileNames.vaePrefix(tensors) ?? ""
    guard let vae = recogniseVAE(prefix: prefix, names: SingleFileNames.names(tensors, under: prefix)) else {
      if let names = TinyDecoderNames(tensors.keys) { return tiny(path: path, tensors: tensors, names) }
      throw .unsupported(
        path: path, found: "a file with \(tensors.count) tensors, but without the decoder of a Stable Diffusion VAE",
        advice: "use the VAE of a Stable Diffusion model")
    }
    var model = ModelFiles(path: path, layout: vae.layout)
    if !prefix.isEmpty {
      let others = KeyMap.vaePrefixes + [KeyMap.ldmUNetPrefix, "cond_stage_model.", "conditioner.", "text_encoders."]
      model.unread = unread(tensors, known: others + KeyMap.ldmLeftovers)
    }
    model.vae = Network(
      store: WeightStore(path: path, tensors: tensors, keyMap: vae.keyMap), structure: vae.structure)
    model.vaeEncoder = vae.encoder(path: path, tensors: tensors)
    return model
  }

  /// A TAESD decoder in a separate file.
  private static func tiny(
    path: String, tensors: [String: StoredTensor], _ names: TinyDecoderNames
  ) -> ModelFiles {
    var model = ModelFiles(path: path, layout: names.layout)
    model.tinyDecoder = Network(
      store: WeightStore(path: path, tensors: tensors, keyMap: names.keyMap),
      convolutionIndices: names.convolutionIndices
    )
    return model
  }

  /// Recognises the naming and layout of a VAE's tensors from `names`, which are given without `prefix`; nil if there is no
  /// decoder.
  static func recogniseVAE(prefix: String, names: [Substring]) -> VAENames? {
    if let structure = BlockStructure(ldmVAE: names) {
      var (decoder, encoder) = (
        KeyMap.ldmVAE(prefix: prefix, structure), KeyMap.ldmVAEEncoder(prefix: prefix, structure)
      )
      // In the files of FLUX.2's authors, both convolutions are inside of the halves.
      if names.contains("decoder.post_quant_conv.weight") {
        decoder.rules.append(KeyRule("post_quant_conv", "decoder.post_quant_conv"))
      }
      if names.contains("encoder.quant_conv.weight") {
        encoder.rules.append(KeyRule("quant_conv", "encoder.quant_conv"))
      }
      return VAENames(keyMap: decoder, encoderKeyMap: encoder, structure: structure, layout: .singleFile)
    }
    if let structure = BlockStructure(diffusersVAE: names) {
      return VAENames(
        keyMap: .diffusersVAE(prefix: prefix, names: names),
        encoderKeyMap: .diffusersVAEEncoder(prefix: prefix, names: names), structure: structure, layout: .diffusers)
    }
    return nil
  }

  private static func unread(_ tensors: [String: StoredTensor], known: [String]) -> [WeightAudit.Finding] {
    tensors.values.filter { tensor in
      !known.contains { tensor.name.hasPrefix($0) } && TrainingMarker(rawValue: tensor.name) == nil
        && !Leftovers.contains(tensor.name)
    }
    .map { .unread(name: $0.name, shape: $0.shape) }
  }
}

/// The naming and layout of a VAE's tensors.
struct VAENames {
  let keyMap: KeyMap
  let encoderKeyMap: KeyMap
  let structure: BlockStructure
  let layout: ModelLayout

  /// The encoder among a VAE's tensors; nil if there is none.
  func encoder(path: String, tensors: [String: StoredTensor]) -> ModelFiles.Network? {
    let prefixes = KeyMap.vaeEncoderPrefixes.map { encoderKeyMap.prefix + $0 }
    guard tensors.keys.contains(where: { name in prefixes.contains { name.hasPrefix($0) } }) else { return nil }
    // Some latents are normalised with statistics that both halves read.
    let read = prefixes + [encoderKeyMap.prefix + "bn."]
    let own = tensors.filter { name, _ in read.contains { name.hasPrefix($0) } }
    return ModelFiles.Network(
      store: WeightStore(path: path, tensors: own, keyMap: encoderKeyMap), structure: structure)
  }
}

/// A tensor, usually empty, that marks in a single file how the model was trained. The raw value is its name.
package enum TrainingMarker: String, CaseIterable, Sendable {
  /// The UNet predicts the velocity.
  case vPrediction = "v_pred"
  /// The last timestep of the training is pure noise.
  case zeroTerminalSNR = "ztsnr"
}
