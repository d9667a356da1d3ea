import Foundation
import Testing
import TestSupport
import TensorFiles
import Weights

@testable import Networks

/// Single files as other programs export them: with leftovers, other names and other forms.
struct ExportedFileTests {
  private static let prefixes = [
    "", "model.", "cond_stage_model.model.transformer.text_model.embeddings.",
    "conditioner.embedders.0.", "conditioner.embedders.1.",
    "conditioner.embedders.1.model.transformer.text_model.embeddings.",
    "first_stage_model.", "first_stage_model.decoder.", "model.diffusion_model.", "denoiser.", "some.thing.",
  ]

  @Test(arguments: prefixes)
  func `leftovers of training and export never stop a model, under any prefix`(prefix: String) throws {
    let folder = try TemporaryFolder()
    let leftovers =
      [
        "logit_scale", "scale_factor", "betas", "alphas_cumprod", "sqrt_recip_alphas_cumprod", "num_batches_tracked",
        "posterior_variance", "sigmas", "log_sigmas", "model_ema.decay", "model_ema.num_updates",
        "model_ema.diffusion_modelinput_blocks00weight",
      ].map { SyntheticTensor(prefix + $0, [3]) }
      + [SyntheticTensor(prefix + "position_ids", [1, 77], type: "I64", bytes: ModelArchiveTests.positions)]
    let tensors = try ModelFixture("one-layer").singleFile() + leftovers
    let archive = try ModelArchive.open(path: try folder.write("model.safetensors", tensors))
    #expect(archive.family == .sd1 && archive.audit().isClean, "\(archive.audit())")
    #expect(archive.variant(usesPrediction: true) == nil)
  }

  /// The tensors of a random model, with other names.
  private func copy(
    _ name: String, to folder: TemporaryFolder, renamed: (StoredTensor) throws -> SyntheticTensor?
  ) throws -> String {
    let tensors = try TensorFile(path: RandomModels.path(name)).tensors.values.sorted { $0.name < $1.name }
    return try folder.write("copy.safetensors", tensors.compactMap(renamed))
  }

  private func same(_ tensor: StoredTensor, as name: String? = nil) throws -> SyntheticTensor {
    SyntheticTensor(
      name ?? tensor.name, tensor.shape, type: tensor.elementType.rawValue, bytes: try tensor.withRawBytes { Array($0) }
    )
  }

  @Test func `text_projection.weight of XL is the transpose of text_projection`() throws {
    let folder = try TemporaryFolder()
    let name = "conditioner.embedders.1.model.text_projection"
    let path = try copy("sdxl.safetensors", to: folder) { tensor in
      guard tensor.name == name else { return try same(tensor) }
      let transposed = tensor.transposed()
      return SyntheticTensor(
        name + ".weight", transposed.shape, type: "F16", bytes: try transposed.withRawBytes { Array($0) })
    }
    let archives = try [path, RandomModels.path("sdxl.safetensors")].map { try ModelArchive.open(path: $0) }
    #expect(archives[0].family == .sdxl && archives[0].audit().isClean)
    let projections = try archives.map { archive in
      let width = try #require(archive.textEncoders[1].configuration.projectionWidth)
      let shape = [width, archive.textEncoders[1].configuration.width]
      #expect(shape[0] != shape[1])
      return try archive.textEncoders[1].weights.tensor("text_projection.weight", shape: shape).floats()
    }
    #expect(projections[0] == projections[1])
  }

  @Test func `Stable Diffusion 2.x in the names of sgm is the same model`() throws {
    let folder = try TemporaryFolder()
    let path = try copy("sd2.safetensors", to: folder) { tensor in
      let name = tensor.name.replacingOccurrences(of: "cond_stage_model.", with: "conditioner.embedders.0.")
      return try same(tensor, as: name)
    }
    let archive = try ModelArchive.open(path: path)
    let own = try ModelArchive.open(path: RandomModels.path("sd2.safetensors"))
    #expect(archive.family == .sd2 && archive.audit().isClean)
    #expect(archive.textEncoders[0].configuration == own.textEncoders[0].configuration)
    let refiner = try ModelArchive.open(path: RandomModels.path("refiner.safetensors"))
    #expect(refiner.family == .sdxlRefiner)
  }

  @Test func `broken position ids are used as the webui does, and those outside the table are refused`() throws {
    let folder = try TemporaryFolder()
    let name = "cond_stage_model.transformer.text_model.embeddings.position_ids"
    func open(_ positions: [Float]) throws -> ModelArchive {
      let tensors =
        try ModelFixture("one-layer").singleFile()
        + [SyntheticTensor(name, [1, positions.count], floats: positions)]
      return try ModelArchive.open(path: try folder.write("model.safetensors", tensors))
    }
    let ids = (0..<77).map { Float($0) }
    #expect(try open(ids).textEncoders[0].configuration.positions == nil)
    var broken = ids
    broken[41] = 40.99
    let archive = try open(broken)
    var expected = Array(0..<77)
    expected[41] = 40
    #expect(archive.textEncoders[0].configuration.positions == expected)
    #expect(archive.variant(usesPrediction: true)?.contains("positions 0: 0 1 2") == true)
    for wrong in [[Float](ids.dropLast()), Array(ids.dropLast()) + [77], [-1] + ids.dropFirst()] {
      let error = #expect(throws: WeightError.self) { try open(wrong) }
      #expect("\(try #require(error))".contains("expected 77 numbers from 0 to 76"))
    }
  }

  // MARK: Facts about the training in files

  private func open(
    _ folder: TemporaryFolder, yaml: String? = nil, metadata: [(key: String, value: String)] = [],
    isMarked: Bool = false
  ) throws -> ModelArchive {
    let tensors = try ModelFixture("one-layer").singleFile() + (isMarked ? [SyntheticTensor("v_pred", [0])] : [])
    let path = try folder.write("fluff.safetensors", [UInt8]())
    try tensors.write(to: path, metadata: metadata)
    if let yaml { try folder.write("fluff.yaml", yaml) }
    return try ModelArchive.open(path: path)
  }

  @Test(
    arguments: [
      ("model:\n  params:\n    parameterization: \"v\"\n", .vPrediction),
      ("{model: {params: {unet_config: {x: 1}, parameterization: v}}}", .vPrediction),
      ("model:\n  params:\n    parameterization: eps\n", .epsilon),
      (
        "model:\n  params:\n    denoiser_config:\n      params:\n        scaling_config:\n          target: "
          + "sgm.modules.diffusionmodules.denoiser_scaling.VScaling\n", .vPrediction
      ),
      ("model: fluff.safetensors\nprompt: a recipe of the same name\n", nil),
    ] as [(String, TrainedPrediction?)])
  func `a configuration beside a checkpoint gives the prediction`(yaml: String, expected: TrainedPrediction?) throws {
    let archive = try open(try TemporaryFolder(), yaml: yaml)
    #expect(archive.predictionType == expected && archive.predictionSource == expected.map { _ in "fluff.yaml" })
    #expect(archive.variant(usesPrediction: true) == (expected == .vPrediction ? "v_prediction" : nil))
    #expect(archive.variant(usesPrediction: false) == nil && archive.noise.title == nil && archive.remarks == [])
  }

  @Test(arguments: [
    ("modelspec.prediction_type", "v", TrainedPrediction.vPrediction),
    ("modelspec.prediction_type", "epsilon", .epsilon), ("modelspec.predict_key", "v", .vPrediction),
  ])
  func `the metadata of a file give the prediction`(key: String, value: String, expected: TrainedPrediction) throws {
    let archive = try open(try TemporaryFolder(), metadata: [(key, value)])
    #expect(archive.predictionType == expected && archive.predictionSource == key)
    let error = #expect(throws: WeightError.self) { try open(TemporaryFolder(), metadata: [(key, "flow")]) }
    #expect("\(try #require(error))".contains("\(key) is flow, expected epsilon or v"))
  }

  @Test func `contradictions are reported, and the configuration counts`() throws {
    let archive = try open(
      try TemporaryFolder(), yaml: "parameterization: eps\n", metadata: [("modelspec.prediction_type", "v")])
    #expect(archive.predictionType == .epsilon && archive.remarks.count == 1)
    #expect(archive.remarks[0].contains("fluff.yaml says epsilon, but modelspec.prediction_type says v_prediction"))
    // Earlier versions read only the marker.
    let marked = try open(try TemporaryFolder(), metadata: [("modelspec.prediction_type", "v")], isMarked: true)
    #expect(
      marked.predictionType == .vPrediction && marked.variant(usesPrediction: true) == nil && marked.remarks == [])
    let other = try open(try TemporaryFolder(), yaml: "parameterization: eps\n", isMarked: true)
    #expect(other.predictionType == .epsilon && other.variant(usesPrediction: true) == "epsilon")
  }

  @Test func `what a configuration says and is not respected is reported or refused`() throws {
    let heads = "model:\n  params:\n    unet_config:\n      params:\n        num_heads: 4\n    scale_factor: 0.13\n"
    let remarks = try open(try TemporaryFolder(), yaml: heads).remarks
    #expect(remarks.count == 2 && remarks[0].contains("num_heads: 4") && remarks[1].contains("scale_factor: 0.13"))
    #expect(try open(try TemporaryFolder(), yaml: "a: [b\n").remarks[0].contains("not valid YAML"))
    for (yaml, reason) in [
      ("parameterization: x0\n", "parameterization is x0, expected"),
      ("scaling_config: {target: a.b.EDMScaling}\n", "scaling_config is EDMScaling"),
      ("params: {linear_start: 0.001, timesteps: 500}\n", "timesteps is 500, expected 1000"),
      ("params: {linear_start: -1}\n", "linear_start is -1"),
      ("params: {linear_start: 0.001, beta_schedule: cosine}\n", "beta_schedule is cosine"),
    ] {
      let error = #expect(throws: WeightError.self) { try open(TemporaryFolder(), yaml: yaml) }
      #expect("\(try #require(error))".contains(reason))
    }
    let noise = try open(
      try TemporaryFolder(), yaml: "params: {linear_start: 0.00085, linear_end: 0.02, beta_schedule: linear}\n"
    ).noise
    #expect(noise.title == "scaled_linear from 0.00085 to 0.02")
  }

  @Test func `a folder's broken positions are reported, and its added tokens are no reason for a note`() throws {
    let folder = try TemporaryFolder()
    let path = try ModelFixture("one-layer").writeFolder(to: folder, as: "model")
    try folder.write("model/tokenizer/added_tokens.json", #"{"<|endoftext|>": 49407, "<|startoftext|>": 49406}"#)
    #expect(try ModelArchive.open(path: path).remarks == [])
    try folder.write("model/tokenizer/added_tokens.json", #"{"<cat-toy>": 49408, "<|endoftext|>": 49407}"#)
    try folder.write(
      "model/tokenizer/tokenizer_config.json", #"{"added_tokens_decoder": {"49409": {"content": "<dog>"}}}"#)
    let tensors =
      try ModelFixture("one-layer").diffusers("text_encoder")
      + [SyntheticTensor("embeddings.position_ids", [1, 77], floats: Array(repeating: 3, count: 77))]
    try folder.write("model/text_encoder/model.safetensors", tensors)
    let archive = try ModelArchive.open(path: path)
    #expect(archive.remarks.count == 1)
    #expect(archive.remarks[0].contains("position_ids") && archive.audit().isClean)
    #expect(archive.textEncoders[0].configuration.positions == nil)
  }

  @Test(arguments: [
    (#"{"num_train_timesteps": 500}"#, "num_train_timesteps is 500, expected 1000"),
    (#"{"beta_schedule": "laplace"}"#, #"beta_schedule is "laplace""#),
    (#"{"trained_betas": [0.1, 0.2]}"#, "trained_betas is 2 values"),
    (#"{"beta_schedule": "linear", "beta_start": 0.5, "beta_end": 0.9}"#, "beta_end is 0.9"),
    (#"{"_class_name": "EDMEulerScheduler"}"#, "_class_name is"),
    (#"{"_class_name": "FlowMatchEulerDiscreteScheduler"}"#, "_class_name is"),
  ])
  func `a folder's schedule that cannot be used is refused`(text: String, reason: String) throws {
    let folder = try TemporaryFolder()
    let path = try ModelFixture("one-layer").writeFolder(to: folder, as: "model")
    try folder.write("model/scheduler/scheduler_config.json", text)
    let error = #expect(throws: WeightError.self) { try ModelArchive.open(path: path) }
    #expect("\(try #require(error))".contains(reason))
  }
}
