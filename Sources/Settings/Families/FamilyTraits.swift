/// The properties of a family that matter to its users: sampling, latents, defaults, and how prompts are read.
public final class FamilyTraits: Sendable {
  /// The name for messages.
  public let title: String
  /// How the sizes of latents and images are related.
  public let geometry: LatentGeometry
  /// How the family is sampled if it is trained by flow matching; nil if it predicts noise.
  public let flow: FlowTraits?
  /// The defaults of settings that a recipe leaves out.
  public let defaults: FamilyDefaults
  /// How prompts are read.
  public let prompts: PromptTraits
  /// Whether the network takes `distilled_cfg_scale` as an input.
  public let readsDistilledGuidance: Bool
  /// Whether the network can skip layers, for skip-layer guidance.
  public let skipsLayers: Bool

  private init(
    _ title: String, geometry: LatentGeometry, flow: FlowTraits?, defaults: FamilyDefaults, prompts: PromptTraits,
    readsDistilledGuidance: Bool = false, skipsLayers: Bool = false
  ) {
    self.title = title
    self.geometry = geometry
    self.flow = flow
    self.defaults = defaults
    self.prompts = prompts
    self.readsDistilledGuidance = readsDistilledGuidance
    self.skipsLayers = skipsLayers
  }
}

/// How the sizes of latents and images are related.
public struct LatentGeometry: Hashable, Sendable {
  /// Pixels of the image per latent pixel, along a side.
  public var pixelsPerPlace: Int
  /// Both sides of an image are multiples of this, in pixels. It is a multiple of `pixelsPerPlace`.
  public var sizeMultiple: Int

  /// Creates a geometry.
  public init(pixelsPerPlace: Int, sizeMultiple: Int) {
    self.pixelsPerPlace = pixelsPerPlace
    self.sizeMultiple = sizeMultiple
  }
}

/// How a family that was trained by flow matching is sampled: x = σ · noise + (1 − σ) · image, with σ from 0 to 1.
public struct FlowTraits: Hashable, Sendable {
  /// The noise levels that schedules choose from: σ(u) = a u / (1 + (a − 1) u), u = 1/N, 2/N ... 1.
  public struct Table: Hashable, Sendable {
    /// N.
    public var count: Int
    /// a, unless the setting `shift` gives another value.
    public var shift: Double
    /// Whether schedules that are even in time are even in σ, as in Forge's Flux. If not, time is the index in the table.
    public var hasTimeOfSigma: Bool

    /// Creates a table.
    public init(count: Int, shift: Double, hasTimeOfSigma: Bool) {
      self.count = count
      self.shift = shift
      self.hasTimeOfSigma = hasTimeOfSigma
    }
  }

  /// The table.
  public var table: Table
  /// The schedule that `automatic` means with samplers that have no default of their own; with `.flux2`, with all samplers.
  public var automatic: ScheduleID
  /// Whether the schedule `beta` chooses levels of the table, as in ComfyUI and Forge neo. If not, it is a curve between the
  /// highest and the lowest level, as in the webui.
  public var isBetaOfTable: Bool

  /// Creates traits.
  public init(table: Table, automatic: ScheduleID, isBetaOfTable: Bool = false) {
    self.table = table
    self.automatic = automatic
    self.isBetaOfTable = isBetaOfTable
  }

  /// Whether the family has the schedule `flux2`, whose shift follows from the image's size and the number of steps.
  public var hasOwnCurve: Bool { automatic == .flux2 }
}

/// The defaults of settings that a recipe leaves out.
public struct FamilyDefaults: Hashable, Sendable {
  /// Sampling steps.
  public var steps: Int
  /// The strength of classifier-free guidance.
  public var cfgScale: Double
  /// The sampler.
  public var sampler: SamplerID

  /// Creates defaults.
  public init(steps: Int, cfgScale: Double, sampler: SamplerID) {
    self.steps = steps
    self.cfgScale = cfgScale
    self.sampler = sampler
  }
}

/// How a family reads prompts.
public struct PromptTraits: Hashable, Sendable {
  /// What `BREAK` does.
  public enum Break: Hashable, Sendable {
    /// It starts a new chunk of tokens.
    case chunk
    /// The texts before and after it are encoded separately and joined.
    case joined
    /// It is plain text.
    case text
  }

  /// Whether brackets change weights; otherwise they are plain text.
  public var readsWeights: Bool
  /// What `BREAK` does.
  public var `break`: Break
  /// Whether `clip_skip` selects the layer.
  public var readsClipSkip: Bool

  /// Creates traits.
  public init(readsWeights: Bool, break: Break, readsClipSkip: Bool) {
    self.readsWeights = readsWeights
    self.break = `break`
    self.readsClipSkip = readsClipSkip
  }
}

/// The families, with the defaults of their authors and the tables of the webui, Forge and Forge neo.
extension FamilyTraits {
  /// `automatic` means the sampler's own schedule, as in the webui.
  private static let sdTable = FlowTraits(
    table: .init(count: 1000, shift: 3, hasTimeOfSigma: false), automatic: .automatic)
  private static let zImageTable = FlowTraits(
    table: .init(count: 1000, shift: 3, hasTimeOfSigma: false), automatic: .simple)
  /// A shift of e^1.15 at every size, as in Forge.
  private static let devTable = FlowTraits(
    table: .init(count: 10_000, shift: 3.158192909689767, hasTimeOfSigma: true), automatic: .simple)
  /// A shift of e, as in Forge.
  private static let schnellTable = FlowTraits(
    table: .init(count: 10_000, shift: 2.718281828459045, hasTimeOfSigma: true), automatic: .simple)
  /// A shift of e^2.02 for all schedules except `flux2`, as in Forge neo.
  private static let kleinTable = FlowTraits(
    table: .init(count: 10_000, shift: 7.538324933661922, hasTimeOfSigma: true), automatic: .flux2, isBetaOfTable: true)

  private static let eighths = LatentGeometry(pixelsPerPlace: 8, sizeMultiple: 16)
  private static let chunks = PromptTraits(readsWeights: true, break: .chunk, readsClipSkip: false)
  private static let plain = PromptTraits(readsWeights: false, break: .text, readsClipSkip: false)

  private static func euler(_ steps: Int, _ cfgScale: Double) -> FamilyDefaults {
    FamilyDefaults(steps: steps, cfgScale: cfgScale, sampler: .euler)
  }

  static let stableDiffusion = FamilyTraits(
    "Stable Diffusion", geometry: LatentGeometry(pixelsPerPlace: 8, sizeMultiple: 8), flow: nil,
    defaults: FamilyDefaults(steps: 20, cfgScale: 7, sampler: .dpmPP2M),
    prompts: PromptTraits(readsWeights: true, break: .chunk, readsClipSkip: true))
  static let sd3 = FamilyTraits(
    "Stable Diffusion 3", geometry: eighths, flow: sdTable, defaults: euler(28, 5), prompts: chunks,
    skipsLayers: true)
  static let sd35Medium = FamilyTraits(
    "Stable Diffusion 3.5 medium", geometry: eighths, flow: sdTable, defaults: euler(28, 5), prompts: chunks,
    skipsLayers: true)
  static let sd35Large = FamilyTraits(
    "Stable Diffusion 3.5 large", geometry: eighths, flow: sdTable, defaults: euler(28, 4.5), prompts: chunks,
    skipsLayers: true)
  static let sd35LargeTurbo = FamilyTraits(
    "Stable Diffusion 3.5 large turbo", geometry: eighths, flow: sdTable, defaults: euler(4, 1), prompts: chunks,
    skipsLayers: true)
  static let flux1Dev = FamilyTraits(
    "Flux.1 dev", geometry: eighths, flow: devTable, defaults: euler(20, 1),
    prompts: PromptTraits(readsWeights: true, break: .joined, readsClipSkip: false), readsDistilledGuidance: true)
  static let flux1Schnell = FamilyTraits(
    "Flux.1 schnell", geometry: eighths, flow: schnellTable, defaults: euler(4, 1),
    prompts: PromptTraits(readsWeights: true, break: .joined, readsClipSkip: false))
  static let zImage = FamilyTraits(
    "Z-Image", geometry: eighths, flow: zImageTable, defaults: euler(28, 4), prompts: plain)
  static let zImageTurbo = FamilyTraits(
    "Z-Image-Turbo", geometry: eighths, flow: zImageTable, defaults: euler(8, 1), prompts: plain)
  static let klein = FamilyTraits(
    "FLUX.2 klein", geometry: LatentGeometry(pixelsPerPlace: 16, sizeMultiple: 16), flow: kleinTable,
    defaults: euler(4, 1), prompts: plain)
  static let kleinBase = FamilyTraits(
    "FLUX.2 klein base", geometry: LatentGeometry(pixelsPerPlace: 16, sizeMultiple: 16), flow: kleinTable,
    defaults: euler(50, 4), prompts: plain)
}
