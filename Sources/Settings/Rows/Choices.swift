/// A model as the recipe names it, and where it was found.
public struct ModelReference: Codable, Hashable, Sendable {
  /// The name in the recipe.
  public var name: String
  /// The absolute path of the file or folder; nil for the model inside the package.
  public var path: String?
  /// How the model is sampled, found in its file.
  public var family: FamilyID

  /// Creates a model at this path.
  public init(name: String, path: String?, family: FamilyID = .stableDiffusion) {
    self.name = name
    self.path = path
    self.family = family
  }

  /// The model inside the package.
  public static let demo = ModelReference(name: "demo", path: nil)
  /// As a VAE: the checkpoint's own, even if there is one next to it. `None` is the webui's name for it.
  public static let ownVAE = ModelReference(name: "None", path: nil)
}

extension ModelReference {
  /// Whether the file name is that of a VAE: `ae`, `flux2-vae`, `flux2_ae`.
  public var isNamedLikeVAE: Bool {
    let stem = (name.split { $0 == "/" || $0 == "\\" }.last ?? "").lowercased()
    return stem.split { !($0.isLetter || $0.isNumber) }.contains { $0 == "ae" || $0.hasSuffix("vae") }
  }
}

/// The random number generator of the noise.
public enum NoiseSourceID: String, CaseIterable, Codable, Hashable, Sendable {
  /// Philox, as in the webui's NV source and on its GPU.
  case nv
  /// Mersenne Twister, as in PyTorch on the CPU.
  case cpu
}

/// How much memory packed weights may take; weights packed for fast convolutions take up to four times as much.
public enum WeightPackingChoice: String, CaseIterable, Codable, Hashable, Sendable {
  /// Fast, unless `memory_limit` leaves no room.
  case auto
  /// For speed.
  case fast
  /// For the least memory.
  case small
}

/// The precision that a recipe requests.
public enum PrecisionChoice: String, CaseIterable, Codable, Hashable, Sendable {
  /// The fastest that keeps quality on this machine.
  case auto
  /// 32-bit floating point throughout: the reference.
  case fp32
  /// Weights and activations in bfloat16; sums, norms and softmax in 32 bits.
  case bf16
  /// As `bf16`, but with most of the UNet's weights and their input activations in 8 bits. Never chosen by `auto`.
  case int8
}

/// What the network predicts.
public enum PredictionChoice: String, CaseIterable, Codable, Hashable, Sendable {
  /// As the model's files specify; epsilon if they do not.
  case auto
  case epsilon
  case vPrediction = "v_prediction"
}

/// The noise levels that a model is assumed to be trained on; the raw value is the webui's name.
public enum TrainingNoiseChoice: String, CaseIterable, Codable, Hashable, Sendable {
  /// Those of Stable Diffusion.
  case standard = "Default"
  /// Those of Stable Diffusion, rescaled so that the last level is pure noise.
  case zeroTerminalSNR = "Zero Terminal SNR"
}

/// The form of UniPC's coefficients; the raw value is the webui's name.
public enum UniPCVariant: String, CaseIterable, Codable, Hashable, Sendable {
  /// B(h) = h
  case bh1
  /// B(h) = eʰ − 1
  case bh2
  /// Coefficients that vary with the step sizes.
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
  /// Brackets are plain text.
  case none = "None"
  /// Brackets are parsed, but their weights are ignored.
  case ignore = "Ignore"
  /// Encodings are multiplied by their weights, then rescaled to keep their mean.
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

/// The network that restores faces; the raw value is the webui's name.
public enum FaceRestorationModel: String, CaseIterable, Codable, Hashable, Sendable {
  /// Chooses codes from a codebook, guided by the original face.
  case codeFormer = "CodeFormer"
  /// Draws the face again, with added noise.
  case gfpgan = "GFPGAN"
}

/// Which pass the refiner finishes if an image has two; the raw value is the webui's name.
public enum RefinerPass: String, CaseIterable, Codable, Hashable, Sendable {
  /// Only the first.
  case first = "first pass"
  /// Only the second: the webui's default.
  case second = "second pass"
  /// Both.
  case both = "both passes"
}
