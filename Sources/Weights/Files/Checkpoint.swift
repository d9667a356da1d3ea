/// A model's files, opened: which networks there are, what their tensors are called, and what their configurations say.
///
/// What the configurations mean is for the networks to tell.
package struct Checkpoint: Sendable {
  /// One network of the model.
  package struct Network: Sendable {
    package var store: WeightStore
    /// What a diffusers folder says of the network; nothing in a single file, whose shapes tell.
    package var configuration: ConfigurationFile?
    /// What the names tell, where there is no configuration to tell it.
    package var structure: BlockStructure?
    /// Where the row of a TAESD decoder's layers has convolutions by themselves; nothing for other networks.
    package var convolutionPlaces: [Int]?
  }

  package var path: String
  package var layout: CheckpointLayout
  /// Nothing for a VAE alone.
  package var family: ModelFamily?
  /// Whether the files look like those of Stable Diffusion 2.x as much.
  package var isFamilyGuessed = false
  package var unet: Network?
  /// In the order of the family's.
  package var textEncoders: [Network] = []
  /// The VAE's decoder.
  package var vae: Network?
  /// The VAE's encoder; nothing where the files have none of it.
  package var vaeEncoder: Network?
  /// A TAESD decoder, in files of its own, which stands in for a VAE.
  package var tinyDecoder: Network?
  package var schedulerConfiguration: ConfigurationFile?
  /// What tensors say by being in a single file at all.
  package var markers: Set<CheckpointMarker> = []
  /// The folders with the model's own CLIP vocabulary, one for each text encoder that has one.
  package var tokenizerFolders: [String] = []
  /// The files that make up the model, relative to `path`; empty for a single file.
  package var files: [String] = []
  /// Tensors that belong to no network and are no known leftovers.
  package var unread: [WeightAudit.Finding] = []

  /// Whether there is a folder at `path`.
  package static func isFolder(_ path: String) -> Bool { DiffusersFolder.isFolder(path) }

  /// Opens a single file or a diffusers folder.
  package static func open(path: String) throws(WeightError) -> Checkpoint {
    guard DiffusersFolder.isFolder(path) else { return try openFile(path: path) }
    return try DiffusersFolder(path: path).checkpoint()
  }

  /// Opens a VAE: a file of its own in either layout, a checkpoint that has one, or a diffusers folder.
  package static func openVAE(path: String) throws(WeightError) -> Checkpoint {
    guard DiffusersFolder.isFolder(path) else { return try openVAEFile(path: path) }
    return try DiffusersFolder(path: path).vaeCheckpoint()
  }

  private static func openFile(path: String) throws(WeightError) -> Checkpoint {
    let file = try TensorFile(path: path)
    let tensors = file.tensors
    let names = try SingleFileNames(file)
    var checkpoint = Checkpoint(path: path, layout: .singleFile, family: names.family)
    checkpoint.isFamilyGuessed = names.isFamilyGuessed
    checkpoint.unread = unread(tensors, known: names.known)
    checkpoint.markers = Set(CheckpointMarker.allCases.filter { tensors.keys.contains($0.rawValue) })
    func network(_ keyMap: KeyMap, _ structure: BlockStructure?) -> Network {
      Network(store: WeightStore(path: path, tensors: tensors, keyMap: keyMap), structure: structure)
    }

    guard let structure = BlockStructure(ldmUNet: SingleFileNames.names(tensors, under: KeyMap.ldmUNetPrefix)) else {
      throw .damaged(path: path, reason: "the tensors under \(KeyMap.ldmUNetPrefix) do not make up a UNet")
    }
    checkpoint.unet = network(.ldmUNet(structure), structure)
    checkpoint.textEncoders = names.textEncoders.map { network($0, nil) }

    let vaeNames = SingleFileNames.names(tensors, under: names.vaePrefix)
    if !vaeNames.isEmpty {
      guard let vae = recogniseVAE(prefix: names.vaePrefix, names: vaeNames) else {
        throw .damaged(path: path, reason: "the tensors under \(names.vaePrefix) do not make up a VAE")
      }
      checkpoint.vae = network(vae.keyMap, vae.structure)
      checkpoint.vaeEncoder = vae.encoder(path: path, tensors: tensors)
    }
    return checkpoint
  }

  private static func openVAEFile(path: String) throws(WeightError) -> Checkpoint {
    let tensors = try TensorFile(path: path).tensors
    let prefix = SingleFileNames.vaePrefix(tensors) ?? ""
    guard let vae = recogniseVAE(prefix: prefix, names: SingleFileNames.names(tensors, under: prefix)) else {
      if let names = TinyDecoderNames(tensors.keys) { return tiny(path: path, tensors: tensors, names) }
      throw .unsupported(
        path: path, found: "a file with \(tensors.count) tensors, but without the decoder of a Stable Diffusion VAE",
        advice: "use the VAE of a Stable Diffusion model")
    }
    var checkpoint = Checkpoint(path: path, layout: vae.layout)
    if !prefix.isEmpty {
      let others = KeyMap.vaePrefixes + [KeyMap.ldmUNetPrefix, "cond_stage_model.", "conditioner.", "text_encoders."]
      checkpoint.unread = unread(tensors, known: others + KeyMap.ldmLeftovers)
    }
    checkpoint.vae = Network(
      store: WeightStore(path: path, tensors: tensors, keyMap: vae.keyMap), structure: vae.structure)
    checkpoint.vaeEncoder = vae.encoder(path: path, tensors: tensors)
    return checkpoint
  }

  /// A TAESD decoder in a file of its own.
  private static func tiny(
    path: String, tensors: [String: WeightTensor], _ names: TinyDecoderNames
  ) -> Checkpoint {
    var checkpoint = Checkpoint(path: path, layout: names.layout)
    checkpoint.tinyDecoder = Network(
      store: WeightStore(path: path, tensors: tensors, keyMap: names.keyMap), convolutionPlaces: names.convolutionPlaces
    )
    return checkpoint
  }

  /// How a VAE's tensors are called and laid out, told by `names`, from which `prefix` has been removed; nothing without
  /// a decoder.
  static func recogniseVAE(prefix: String, names: [Substring]) -> VAENames? {
    if let structure = BlockStructure(ldmVAE: names) {
      return VAENames(
        keyMap: .ldmVAE(prefix: prefix, structure), encoderKeyMap: .ldmVAEEncoder(prefix: prefix, structure),
        structure: structure, layout: .singleFile)
    }
    if let structure = BlockStructure(diffusersVAE: names) {
      return VAENames(
        keyMap: .diffusersVAE(prefix: prefix, names: names),
        encoderKeyMap: .diffusersVAEEncoder(prefix: prefix, names: names), structure: structure, layout: .diffusers)
    }
    return nil
  }

  private static func unread(_ tensors: [String: WeightTensor], known: [String]) -> [WeightAudit.Finding] {
    tensors.values.filter { tensor in
      !known.contains { tensor.name.hasPrefix($0) } && CheckpointMarker(rawValue: tensor.name) == nil
    }
    .map { .unread(name: $0.name, shape: $0.shape) }
  }
}

/// How a VAE's tensors are called and laid out.
struct VAENames {
  let keyMap: KeyMap
  let encoderKeyMap: KeyMap
  let structure: BlockStructure
  let layout: CheckpointLayout

  /// The encoder among a VAE's tensors; nothing where there is none of it.
  func encoder(path: String, tensors: [String: WeightTensor]) -> Checkpoint.Network? {
    let beginnings = KeyMap.vaeEncoderBeginnings.map { encoderKeyMap.prefix + $0 }
    let own = tensors.filter { name, _ in beginnings.contains { name.hasPrefix($0) } }
    guard !own.isEmpty else { return nil }
    return Checkpoint.Network(
      store: WeightStore(path: path, tensors: own, keyMap: encoderKeyMap), structure: structure)
  }
}

/// A tensor, mostly empty, whose presence in a single file tells how the model was trained; the raw value is its name.
package enum CheckpointMarker: String, CaseIterable, Sendable {
  /// The UNet predicts the velocity.
  case vPrediction = "v_pred"
  /// The last timestep of the training is all noise.
  case zeroTerminalSNR = "ztsnr"
}
