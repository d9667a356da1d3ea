/// A model as the recipe names it, and where it was found.
public struct ModelReference: Codable, Hashable, Sendable {
  /// What the recipe says.
  public var name: String
  /// The absolute path of the file or folder; nil for the model inside the package.
  public var path: String?

  /// A model at this path.
  public init(name: String, path: String?) {
    self.name = name
    self.path = path
  }

  /// The model inside the package.
  public static let demo = ModelReference(name: "demo", path: nil)
}

/// Whose random numbers the noise uses.
public enum NoiseSourceID: String, CaseIterable, Codable, Hashable, Sendable {
  /// Philox, as the webui's NV source and its GPU.
  case nv
  /// Mersenne twister, as PyTorch on the CPU.
  case cpu
}

/// How much memory packed weights may take: those of fast convolutions take up to four times as much.
public enum WeightPackingChoice: String, CaseIterable, Codable, Hashable, Sendable {
  /// Fast, unless `memory_limit` leaves no room.
  case auto
  /// Fast.
  case fast
  /// As little as possible.
  case small
}

/// The precision that a recipe asks for.
public enum PrecisionChoice: String, CaseIterable, Codable, Hashable, Sendable {
  /// The fastest that keeps quality on this machine.
  case auto
  /// 32 bits throughout: the reference.
  case fp32
  /// Weights and activations in bfloat16, sums, norms and softmax in 32 bits.
  case bf16
  /// As `bf16`, with most of the UNet's weights, and the activations that meet them, in 8 bits. Never chosen by `auto`.
  case int8
}

/// What the network predicts.
public enum PredictionChoice: String, CaseIterable, Codable, Hashable, Sendable {
  /// What the model's files say; epsilon if they do not say.
  case auto
  case epsilon
  case vPrediction = "v_prediction"
}

/// The noise levels that a model is assumed to be trained on; the raw value is the webui's name.
public enum TrainingNoiseChoice: String, CaseIterable, Codable, Hashable, Sendable {
  /// Those of Stable Diffusion.
  case standard = "Default"
  /// Those of Stable Diffusion, stretched so that the last one is all noise.
  case zeroTerminalSNR = "Zero Terminal SNR"
}

/// The form of UniPC's coefficients; the raw value is the webui's name.
public enum UniPCVariant: String, CaseIterable, Codable, Hashable, Sendable {
  /// B(h) = h
  case bh1
  /// B(h) = eʰ − 1
  case bh2
  /// Coefficients that vary with the steps' lengths.
  case varyCoeff = "vary_coeff"
}

/// How UniPC spaces its steps; the raw value is the webui's name.
public enum UniPCSkipType: String, CaseIterable, Codable, Hashable, Sendable {
  /// Evenly in time.
  case timeUniform = "time_uniform"
  /// Evenly in the square root of time.
  case timeQuadratic = "time_quadratic"
  /// Evenly in the logarithm of the signal-to-noise ratio.
  case logSNR
}
/// How the weights of a prompt are applied; the raw value is the webui's name.
public enum EmphasisChoice: String, CaseIterable, Codable, Hashable, Sendable {
  /// Brackets are text.
  case none = "None"
  /// Brackets are read, and their weights ignored.
  case ignore = "Ignore"
  /// Encodings are multiplied by their weights, and then scaled so that their mean stays the same.
  case original = "Original"
  /// Encodings are multiplied by their weights.
  case noNorm = "No norm"
}

/// How the numbers of `[from:to:when]` are read; the raw value is that of the webui's option `use_old_scheduling`.
public enum PromptTimelines: String, CaseIterable, Hashable, Sendable {
  /// Numbers with a decimal point are fractions of all steps.
  case current = "false"
  /// Numbers below 1 are fractions of all steps.
  case old = "true"
}

/// Which pass of an image with two the refiner finishes, as the webui names them.
public enum RefinerPass: String, CaseIterable, Codable, Hashable, Sendable {
  /// Only the first.
  case first = "first pass"
  /// Only the second, as in the webui where nothing is asked for.
  case second = "second pass"
  /// Each.
  case both = "both passes"
}
