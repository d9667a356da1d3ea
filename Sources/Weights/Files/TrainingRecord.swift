import Foundation
import JSON
import TensorFiles
import Text

/// What a model's files say about its training that the tensors do not show: what the UNet predicts, and the noise schedule.
package struct TrainingRecord: Sendable {
  /// A statement about the prediction.
  struct Statement: Sendable {
    var prediction: TrainedPrediction
    /// The file or tensor that says so, for messages.
    var source: String
    /// Whether the first version of this program respected it.
    var isOld = false
  }

  /// The statements, the most important first.
  private var statements: [Statement] = []
  /// The noise schedule.
  package private(set) var noise = TrainingNoise.standard
  /// What users should know.
  package private(set) var remarks: [String] = []

  /// Creates an empty record.
  package init() {}

  /// What the UNet predicts; nil if the files do not say.
  package var prediction: TrainedPrediction? { statements.first?.prediction }
  /// The file or tensor that says what the UNet predicts.
  package var predictionSource: String? { statements.first?.source }

  /// Whether the first version of this program, which read fewer files, may have used another prediction.
  ///
  /// - Parameter isProbed: Whether it tested the UNet if no file said so; it may then have used either.
  /// - Returns: Whether images may differ.
  package func isPredictionNew(isProbed: Bool) -> Bool {
    guard let first = statements.first, !first.isOld else { return false }
    let before = statements.first(where: \.isOld)?.prediction
    return before.map { $0 != first.prediction } ?? (isProbed || first.prediction != .epsilon)
  }

  // MARK: A folder

  /// Reads a folder's `scheduler_config.json`.
  ///
  /// Throws `WeightError.configuration` for a schedule that cannot be used.
  init(_ file: ConfigurationFile) throws(WeightError) {
    if file["prediction_type"] != nil {
      guard let type = TrainedPrediction(rawValue: try file.string("prediction_type", default: nil)) else {
        throw file.unusable(
          "prediction_type", expected: TrainedPrediction.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or ")
        )
      }
      statements.append(Statement(prediction: type, source: "scheduler_config.json", isOld: true))
    }
    let name = try file.string("_class_name", default: "")
    // Their noise levels are not those of a schedule of β.
    guard !["EDM", "FlowMatch", "CMStochastic", "Cosine"].contains(where: name.hasPrefix) else {
      throw file.unusable("_class_name", expected: "a scheduler with betas, as Stable Diffusion has")
    }
    noise = try Self.noise(file)
    noise.hasZeroTerminalSNR = try file.boolean("rescale_betas_zero_snr", default: false)
  }

  private static func noise(_ file: ConfigurationFile) throws(WeightError) -> TrainingNoise {
    let count = try file.integer("num_train_timesteps", default: TrainingNoise.timesteps, in: 1...1_000_000)
    guard count == TrainingNoise.timesteps else {
      throw file.unusable("num_train_timesteps", expected: "\(TrainingNoise.timesteps), which the samplers count in")
    }
    if case .array(let values)? = file["trained_betas"] {
      let betas = values.compactMap(\.numberValue)
      let noise = TrainingNoise(betas: betas, title: "trained_betas")
      guard betas.count == values.count, noise.isUsable else {
        throw .configuration(
          path: file.path, key: "trained_betas", found: "\(values.count) values",
          expected: "\(TrainingNoise.timesteps) numbers between 0 and 1")
      }
      return noise
    }
    // A scheduler without any of them is not a model's scheduler: diffusers always writes them all.
    guard ["beta_start", "beta_end", "beta_schedule"].contains(where: { file[$0] != nil }) else { return .standard }
    // LCM's scheduler has other defaults.
    let isLCM = file["_class_name"] == .string("LCMScheduler")
    let start = try file.positiveNumber("beta_start", default: isLCM ? 0.00085 : 0.0001)
    let end = try file.positiveNumber("beta_end", default: isLCM ? 0.012 : 0.02)
    let text = try file.string("beta_schedule", default: isLCM ? "scaled_linear" : "linear")
    guard let growth = TrainingNoise.Growth(rawValue: text), growth != .root else {
      throw file.unusable(
        "beta_schedule", expected: "\"linear\", \"scaled_linear\", \"squaredcos_cap_v2\" or \"sigmoid\"")
    }
    let noise = TrainingNoise(growth, start: start, end: end)
    guard noise.isUsable else { throw file.unusable("beta_end", expected: "a number above beta_start and below 1") }
    return noise
  }

  // MARK: A single file

  /// Reads a single file, and the configuration next to it, which takes precedence as in the webui.
  ///
  /// - Parameters:
  ///   - file: The checkpoint.
  ///   - markers: The marker tensors in the checkpoint.
  ///   - configuration: The path of `NAME.yaml`; nil if there is none.
  /// - Throws: `WeightError.configuration` for a prediction or a schedule that cannot be used.
  init(
    _ file: TensorFile, markers: Set<TrainingMarker>, configuration: String?
  ) throws(WeightError) {
    if let configuration { try read(configuration) }
    if markers.contains(.vPrediction) {
      statements.append(Statement(prediction: .vPrediction, source: "the tensor v_pred", isOld: true))
    }
    noise.hasZeroTerminalSNR = markers.contains(.zeroTerminalSNR)
    // The key is modelspec.prediction_type; some programs shorten it.
    for (key, value) in file.metadata.sorted(by: { $0.key < $1.key }) where key.hasPrefix("modelspec.predict") {
      guard let prediction = TrainedPrediction(spelled: value) else {
        throw .configuration(
          path: file.path, key: key.abridged, found: value.abridged, expected: "epsilon or v in the file's metadata")
      }
      statements.append(Statement(prediction: prediction, source: key.abridged))
    }
    if let first = statements.first, let other = statements.first(where: { $0.prediction != first.prediction }) {
      remarks.append(
        "\(first.source) says \(first.prediction.rawValue), but \(other.source) says \(other.prediction.rawValue); the "
          + "former is used, and prediction_type: sets another")
    }
  }

  /// Reads a configuration of the original latent diffusion code or of sgm.
  private mutating func read(_ path: String) throws(WeightError) {
    let name = URL(fileURLWithPath: path).lastPathComponent
    let file = try WeightError.wrapping(try ByteFile(path: path))
    guard file.count <= 1 << 20,
      let scalars = YAMLScalars(try WeightError.wrapping(try file.prefix(file.count)))
    else {
      remarks.append("\(name) next to it is not valid YAML, and is ignored")
      return
    }
    func first(_ key: String) -> String? { scalars.entries.first { $0.keys.last == key }?.text }

    if let text = first("parameterization") {
      guard let prediction = TrainedPrediction(spelled: text) else {
        throw .configuration(path: path, key: "parameterization", found: text.abridged, expected: "\"eps\" or \"v\"")
      }
      statements.append(Statement(prediction: prediction, source: name))
    }
    // In sgm, a class says how the network's output is scaled.
    let scaling = scalars.entries.first { $0.keys.suffix(2) == ["scaling_config", "target"] }?.text
    if let scaling = scaling?.split(separator: ".").last {
      switch scaling {
      case "VScaling", "VScalingWithEDMcNoise":
        statements.append(Statement(prediction: .vPrediction, source: name))
      case "EpsScaling": statements.append(Statement(prediction: .epsilon, source: name))
      default:
        throw .configuration(
          path: path, key: "scaling_config", found: String(scaling).abridged, expected: "EpsScaling or VScaling")
      }
    }
    try readNoise(scalars, path: path, name)
    let heads = ["num_heads", "num_head_channels"].compactMap { key in
      scalars.entries.first { $0.keys.suffix(3) == ["unet_config", "params", key] }.map { (key, $0.text) }
    }
    yamlHeads = Dictionary(heads, uniquingKeysWith: { $1 })
    yamlScale = scalars.entries.first { $0.keys.suffix(2) == ["params", "scale_factor"] }.flatMap { Float($0.text) }
    yamlName = name
  }

  private mutating func readNoise(_ scalars: YAMLScalars, path: String, _ name: String) throws(WeightError) {
    guard
      let start = scalars.entries.first(where: {
        ["linear_start", "linear_end", "beta_schedule"].contains($0.keys.last)
      })
    else { return }
    let parent = start.keys.dropLast()
    func value(_ key: String) -> String? { scalars.entries.first { $0.keys == parent + [key] }?.text }
    func number(_ key: String, _ absent: Double) throws(WeightError) -> Double {
      guard let text = value(key) else { return absent }
      guard let number = Double(text), number > 0, number < 1 else {
        throw .configuration(path: path, key: key, found: text.abridged, expected: "a number between 0 and 1")
      }
      return number
    }
    for key in ["timesteps", "num_timesteps"] {
      guard let text = value(key), text != "\(TrainingNoise.timesteps)" else { continue }
      throw .configuration(
        path: path, key: key, found: text.abridged, expected: "\(TrainingNoise.timesteps), which the samplers count in")
    }
    // What ldm calls linear has a linear square root.
    let growths: [String: TrainingNoise.Growth] = ["linear": .scaledLinear, "sqrt_linear": .linear, "sqrt": .root]
    let text = value("beta_schedule") ?? "linear"
    guard let growth = growths[text] else {
      throw .configuration(
        path: path, key: "beta_schedule", found: text.abridged, expected: "linear, sqrt_linear or sqrt")
    }
    let read = TrainingNoise(growth, start: try number("linear_start", 0.00085), end: try number("linear_end", 0.012))
    guard read.isUsable else {
      throw .configuration(
        path: path, key: "linear_end", found: value("linear_end") ?? "not given",
        expected: "a number above linear_start")
    }
    noise = read
  }

  // MARK: Differences between a configuration and the engine

  private var yamlName: String?
  private var yamlHeads: [String: String] = [:]
  private var yamlScale: Float?

  /// Notes settings in the configuration next to a checkpoint that this version decides by the family instead.
  ///
  /// - Parameters:
  ///   - heads: The number of heads of each of the UNet's blocks.
  ///   - channels: The number of channels of each of the UNet's blocks.
  ///   - latentScale: The factor of latents.
  package mutating func compare(heads: [Int], channels: [Int], latentScale: Float) {
    guard let yamlName else { return }
    func ignored(_ key: String, _ found: String, _ used: String) {
      remarks.append("\(yamlName) says \(key): \(found.abridged), which is ignored: \(used) is used")
    }
    if let text = yamlHeads["num_head_channels"], let width = Int(text), width > 0 {
      if zip(heads, channels).contains(where: { $0 != max($1 / width, 1) }) {
        ignored("num_head_channels", text, "\(heads) heads")
      }
    } else if let text = yamlHeads["num_heads"], let count = Int(text), count > 0,
      heads.contains(where: { $0 != count })
    {
      ignored("num_heads", text, "\(heads) heads")
    }
    if let yamlScale, abs(yamlScale / latentScale - 1) > 1e-4 {
      ignored("scale_factor", "\(yamlScale)", "\(latentScale)")
    }
  }
}
