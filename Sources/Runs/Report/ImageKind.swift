import Settings

/// What determines the time and memory that an image takes, as in `trace.tsv`.
public struct ImageKind: Hashable, Sendable {
  /// The first ten digits of the model's digest.
  public var model: String
  /// `512x768`, in pixels; `512x768>1024x1536` with a second pass.
  public var size: String
  /// The precision.
  public var precision: String
  /// The instruction set.
  public var isa: String
  /// The number of threads that compute.
  public var threads: Int
  /// The sampler by its webui name.
  public var sampler: String
  /// Whether each step evaluates the negative prompt too; false if cfg_scale is 1.
  public var isGuided: Bool
  /// Which part of the calls makes one more evaluation, without some layers: of the first pass, plus a second pass's.
  public var skippedLayers: Double

  /// The kind of a job's image.
  public init(_ settings: ImageSettings, _ ingredients: JobIngredients, threads: Int) {
    model = ingredients.model.shortHash
    size = settings.passSizes
    precision = ingredients.precision
    isa = ingredients.isa
    self.threads = threads
    sampler = settings.sampler.rawValue
    isGuided = settings.cfgScale != 1
    skippedLayers = settings.skippedLayers
  }

  init?(_ row: [String: Substring]) {
    guard let model = row["model"], let size = row["size"], let precision = row["precision"], let isa = row["isa"],
      let threads = row["threads"].flatMap({ Int($0) }), let sampler = row["sampler"],
      let scale = row["cfg_scale"].flatMap({ Double($0) })
    else { return nil }
    (self.model, self.size, self.precision) = (String(model), String(size), String(precision))
    (self.isa, self.threads, self.sampler) = (String(isa), threads, String(sampler))
    isGuided = scale != 1
    // Earlier versions skipped no layers.
    let share = row["skipped_layers"].flatMap { Double($0) } ?? 0
    skippedLayers = (0...2).contains(share) ? share : 0
  }

  private var hasSecondPass: Bool { size.contains(">") }

  /// The number of network evaluations in one step; nil if it varies.
  private var callsPerStep: Double? {
    guard let sampler = SamplerID(rawValue: sampler) else { return nil }
    if sampler == .dpmAdaptive || sampler == .restart { return nil }
    let calls = Double(sampler.plannedCalls(steps: 1))
    return calls * ((isGuided ? 2 : 1) + skippedLayers)
  }

  /// How many times longer a step of this kind takes than a step of another kind; nil if unknown.
  func ratio(to other: ImageKind) -> Double? {
    if self == other { return 1 }
    var same = other
    (same.sampler, same.isGuided, same.skippedLayers) = (sampler, isGuided, skippedLayers)
    guard same == self, !hasSecondPass, let calls = callsPerStep, let otherCalls = other.callsPerStep else {
      return nil
    }
    return calls / otherCalls
  }

  var fields: [String] {
    [model, size, precision, isa, "\(threads)", sampler, isGuided ? "7.0" : "1.0", "\(skippedLayers)"]
  }

  static let names = ["model", "size", "precision", "isa", "threads", "sampler", "cfg_scale", "skipped_layers"]
}

extension ImageSettings {
  /// Which part of the calls makes one more evaluation, without some layers: of the first pass, plus a second pass's.
  var skippedLayers: Double {
    let second = allSteps > self.steps ? secondPass?.skippedLayerShare ?? 0 : 0
    return self.skippedLayerShare + second
  }

  /// The size of each pass in pixels: `512x768`, or `512x768>1024x1536`; with restored faces, and by what:
  /// `512x512 CodeFormer`.
  var passSizes: String {
    let first = "\(self.width)x\(self.height)"
    return (hires == nil ? first : "\(first)>\(finalWidth)x\(finalHeight)")
      + (self.restoreFaces ? " \(self.faceRestorationModel.rawValue)" : "")
  }
}
