import Foundation
import TensorFiles
import Text

/// A folder written by the diffusers library: `unet/`, `vae/` and `text_encoder/`, each with a `config.json` and weights
/// in one file or several.
struct DiffusersFolder {
  let path: String

  init(path: String) {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    self.path = path
  }

  /// Whether `path` is a folder.
  static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
  }

  /// The whole model.
  func model() throws(WeightError) -> ModelFiles {
    let family = try family()
    // Nothing in it is needed, but diffusers reads it; reading it here shows that a copy of a folder is damaged.
    if hasFile("model_index.json") { _ = try ConfigurationFile(path: "\(path)/model_index.json") }
    var model = ModelFiles(path: path, layout: .diffusers, family: family)
    model.unet = try network("unet", &model.files) { _ in .diffusersUNet() }
    for encoder in family.textEncoders {
      model.textEncoders.append(
        try network(encoder.folder, &model.files) { .textEncoder(prefix: "", names: $0) })
    }
    try takeVAE(of: &model)
    try takeTraining(of: &model)
    for folder in family.textEncoders.map(\.tokenizerFolder) where hasFolder(folder) {
      model.tokenizerFolders.append("\(path)/\(folder)")
      let vocabulary = ["merges.txt", "vocab.json", "bpe_simple_vocab_16e6.txt", "bpe_simple_vocab_16e6.txt.gz"]
      model.files += vocabulary.map { "\(folder)/\($0)" }.filter(hasFile)
    }
    return model
  }

  /// The UNet from a whole model's folder or a folder with only a UNet, plus the folder's VAE and schedule if it has them.
  func unet() throws(WeightError) -> ModelFiles {
    var model = ModelFiles(path: path, layout: .diffusers)
    model.unet = try network(hasFolder("unet") ? "unet" : "", &model.files) { _ in .diffusersUNet() }
    try takeVAE(of: &model)
    try takeTraining(of: &model)
    return model
  }

  /// The VAE from a whole model's folder or a folder with only a VAE.
  func vae() throws(WeightError) -> ModelFiles {
    var model = ModelFiles(path: path, layout: .diffusers)
    if hasFolder("vae") {
      try takeVAE(of: &model)
    } else {
      try takeVAE(in: "", of: &model)
    }
    return model
  }

  private func takeVAE(of model: inout ModelFiles) throws(WeightError) {
    if hasFolder("vae") { try takeVAE(in: "vae", of: &model) }
  }

  /// Opens the VAE in a subfolder, or the small decoder that some distilled models have instead.
  private func takeVAE(in folder: String, of model: inout ModelFiles) throws(WeightError) {
    let configuration = (folder.isEmpty ? "" : folder + "/") + "config.json"
    if hasFile(configuration),
      try ConfigurationFile(path: "\(path)/\(configuration)").string("_class_name", default: "") == "AutoencoderTiny"
    {
      model.tinyDecoder = try tinyDecoder(in: folder, &model.files)
    } else {
      (model.vae, model.vaeEncoder) = try vae(in: folder, &model.files)
    }
  }

  private func takeTraining(of model: inout ModelFiles) throws(WeightError) {
    let file = "scheduler/scheduler_config.json"
    guard hasFile(file) else { return }
    model.training = try TrainingRecord(try ConfigurationFile(path: "\(path)/\(file)"))
    model.files.append(file)
  }

  private func tinyDecoder(in folder: String, _ files: inout [String]) throws(WeightError) -> ModelFiles.Network {
    var names: TinyDecoderNames?
    var network = try network(folder, &files) {
      names = TinyDecoderNames($0.map(String.init))
      return names?.keyMap ?? KeyMap(prefix: "", rules: [], unused: [])
    }
    guard let names else {
      throw .unsupported(
        path: folder.isEmpty ? path : "\(path)/\(folder)", found: "an AutoencoderTiny without a decoder",
        advice: "use the TAESD of a Stable Diffusion model")
    }
    network.convolutionIndices = names.convolutionIndices
    return network
  }

  /// The family, from the folders and from the configurations of the UNet and the text encoder.
  ///
  /// Throws `WeightError.unsupported` for models of other families.
  private func family() throws(WeightError) -> ModelFamily {
    let advice = "use a model of Stable Diffusion 1.x, 2.x or XL"
    if hasFolder("transformer") {
      let name = try? configuration("transformer").string("_class_name", default: "")
      throw ForeignTransformer.refusal(className: name ?? "", path: path)
    }
    guard hasFolder("unet"), hasFolder("text_encoder") || hasFolder("text_encoder_2") else {
      throw .file(
        .unreadable(
          path: path,
          reason: "this is a folder without unet/ and text_encoder/, expected a diffusers folder or a .safetensors file"
        ))
    }
    let unet = try configuration("unet")
    if hasFolder("image_normalizer") || unet["class_embed_type"] == .string("projection") {
      throw .unsupported(path: path, found: "an unCLIP model", advice: advice)
    }
    if unet["addition_embed_type"] == .string("text_time") {
      let folders = ModelFamily.sdxl.textEncoders.map(\.folder)
      return folders.allSatisfy(hasFolder) ? .sdxl : hasFolder("text_encoder_2") ? .sdxlRefiner : .sdxl
    }
    if hasFolder("text_encoder_2") {
      throw .unsupported(
        path: path, found: "a model with two text encoders that is not Stable Diffusion XL", advice: advice)
    }
    // Stable Diffusion 2.x differs from 1.x only in sizes and in its text encoder's activation.
    let isOpenCLIP = try configuration("text_encoder").textSide["hidden_act"] == .string("gelu")
    return isOpenCLIP && unet["use_linear_projection"] == .bool(true) ? .sd2 : .sd1
  }

  private func configuration(_ folder: String) throws(WeightError) -> ConfigurationFile {
    let prefix = folder.isEmpty ? "" : folder + "/"
    guard hasFile(prefix + "config.json") else {
      throw .file(
        .unreadable(path: "\(path)/\(prefix)config.json", reason: "this file of a diffusers folder is missing"))
    }
    return try ConfigurationFile(path: "\(path)/\(prefix)config.json")
  }

  /// The decoder, and the encoder if there is one.
  private func vae(
    in folder: String, _ files: inout [String]
  ) throws(WeightError) -> (decoder: ModelFiles.Network, encoder: ModelFiles.Network?) {
    let vaePath = folder.isEmpty ? path : "\(path)/\(folder)"
    var vaeNames: VAENames?
    let network = try network(folder, &files) { names in
      vaeNames = ModelFiles.recogniseVAE(prefix: "", names: names)
      return vaeNames?.keyMap ?? .diffusersVAE(prefix: "", names: names)
    }
    guard let vaeNames else {
      throw .unsupported(
        path: vaePath, found: "a folder without the decoder of a Stable Diffusion VAE",
        advice: "use the VAE of a Stable Diffusion model")
    }
    var encoder = vaeNames.encoder(path: network.store.path, tensors: network.store.byFileName)
    encoder?.configuration = network.configuration
    return (network, encoder)
  }

  /// Opens the network in a subfolder and adds its files to `files`.
  private func network(
    _ folder: String, _ files: inout [String], keyMap: ([Substring]) -> KeyMap
  ) throws(WeightError) -> ModelFiles.Network {
    try sizedNetwork(folder, &files) { keyMap($0.keys.map { $0[...] }) }
  }

  /// The same, with a key map that depends on the tensors' shapes.
  func sizedNetwork(
    _ folder: String, _ files: inout [String], keyMap: ([String: StoredTensor]) -> KeyMap
  ) throws(WeightError) -> ModelFiles.Network {
    let part = try part(folder)
    files += part.files
    let store = WeightStore(
      path: folder.isEmpty ? path : "\(path)/\(folder)", tensors: part.tensors, keyMap: keyMap(part.tensors))
    return ModelFiles.Network(store: store, configuration: part.configuration)
  }

  /// A subfolder with a `config.json` and the weights of a network.
  struct Part {
    var configuration: ConfigurationFile
    var tensors: [String: StoredTensor] = [:]
    /// Relative to the whole folder.
    var files: [String]
    var container = TensorFile.Container.safetensors
  }

  /// Opens a subfolder, or the folder itself if `folder` is empty.
  func part(_ folder: String) throws(WeightError) -> Part {
    let prefix = folder.isEmpty ? "" : folder + "/"
    var part = Part(configuration: try configuration(folder), files: [prefix + "config.json"])
    for file in try weightFiles(prefix, &part.files) {
      part.files.append(prefix + file)
      let opened = try WeightError.wrapping(try TensorFile(path: "\(path)/\(prefix)\(file)"))
      part.container = opened.container
      for (name, tensor) in opened.tensors {
        guard part.tensors.updateValue(tensor, forKey: name) == nil else {
          throw .file(
            .damaged(path: opened.path, reason: "the tensor '\(name.abridged)' is also in another file of the model"))
        }
      }
    }
    return part
  }

  /// The names of the files with the weights of the network in a subfolder.
  ///
  /// Full precision is preferred over other variants, and safetensors over pickles.
  private func weightFiles(_ prefix: String, _ files: inout [String]) throws(WeightError) -> [String] {
    let stems = [
      (["diffusion_pytorch_model", "model"], "safetensors"), (["diffusion_pytorch_model", "pytorch_model"], "bin"),
    ]
    for (stems, ending) in stems {
      for variant in ["", ".fp32", ".bf16", ".fp16"] {
        for stem in stems {
          let file = "\(stem)\(variant).\(ending)"
          if hasFile(prefix + file) { return [file] }
          for index in ["\(file).index.json", "\(stem).\(ending).index\(variant).json"] where hasFile(prefix + index) {
            files.append(prefix + index)
            return try shards(index: "\(path)/\(prefix)\(index)", ending: ending)
          }
        }
      }
    }
    throw .file(
      .unreadable(
        path: "\(path)/\(prefix)",
        reason:
          "no weights are here\(otherWeights(prefix)), expected diffusion_pytorch_model or model.safetensors, or a "
          + ".bin of PyTorch"))
  }

  /// The weights of other programs that are there instead, for a message.
  private func otherWeights(_ prefix: String) -> String {
    let kinds = [
      "onnx": "ONNX", "msgpack": "Flax", "h5": "Keras", "xml": "OpenVINO", "engine": "TensorRT", "plan": "TensorRT",
      "mlpackage": "Core ML", "mlmodelc": "Core ML",
    ]
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\(prefix)")) ?? []
    let other = names.sorted().lazy.compactMap { name in
      kinds[URL(fileURLWithPath: name).pathExtension.lowercased()].map { "\(name.abridged), which is for \($0)" }
    }.first
    return other.map { " but \($0)" } ?? ""
  }

  /// The files named in an index of sharded weights, each once.
  private func shards(index path: String, ending: String) throws(WeightError) -> [String] {
    guard case .object(let map) = try ConfigurationFile(path: path).values["weight_map"] else {
      throw .file(.damaged(path: path, reason: "it has no weight_map"))
    }
    var shards = Set<String>()
    for value in map.map(\.value) {
      guard case .string(let file) = value, file.hasSuffix(".\(ending)"), !file.contains("/") else {
        throw .file(.damaged(path: path, reason: "its weight_map has \(value), expected the name of a .\(ending) file"))
      }
      shards.insert(file)
    }
    return shards.sorted()
  }

  func hasFolder(_ name: String) -> Bool { Self.isFolder("\(path)/\(name)") }

  func hasFile(_ name: String) -> Bool {
    FileManager.default.fileExists(atPath: "\(path)/\(name)") && !hasFolder(name)
  }
}
