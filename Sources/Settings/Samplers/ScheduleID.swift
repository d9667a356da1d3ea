/// The sigma schedules; the raw value is the webui's internal name.
public enum ScheduleID: String, CaseIterable, Codable, Hashable, Sendable {
  case automatic
  case uniform
  case karras
  case exponential
  case polyexponential
  case sgmUniform = "sgm_uniform"
  case klOptimal = "kl_optimal"
  case alignYourSteps = "align_your_steps"
  case simple
  case normal
  case ddim
  case beta
  /// FLUX.2's own schedule: even steps along a curve whose shift depends on the image's size and the number of steps.
  case flux2

  /// The webui's name, which infotexts use.
  public var label: String {
    switch self {
    case .automatic: "Automatic"
    case .uniform: "Uniform"
    case .karras: "Karras"
    case .exponential: "Exponential"
    case .polyexponential: "Polyexponential"
    case .sgmUniform: "SGM Uniform"
    case .klOptimal: "KL Optimal"
    case .alignYourSteps: "Align Your Steps"
    case .simple: "Simple"
    case .normal: "Normal"
    case .ddim: "DDIM"
    case .beta: "Beta"
    case .flux2: "Flux2"
    }
  }

  /// All names that users may write, in any letter case.
  public var spellings: [String] { self == .sgmUniform ? [label, rawValue, "SGMUniform"] : [label, rawValue] }

  /// Whether the schedule runs between `sigma_min` and `sigma_max`.
  public var usesSigmaRange: Bool {
    switch self {
    case .karras, .exponential, .polyexponential, .sgmUniform, .klOptimal, .normal, .beta: true
    case .automatic, .uniform, .alignYourSteps, .simple, .ddim, .flux2: false
    }
  }

  /// The exponent that the schedule uses by default; nil if it uses none.
  public var ownRho: Double? {
    switch self {
    case .karras: 7
    case .polyexponential: 1
    case .automatic, .uniform, .exponential, .sgmUniform, .klOptimal, .alignYourSteps, .simple, .normal, .ddim, .beta,
      .flux2:
      nil
    }
  }

  /// The schedule with this label or internal name, in any letter case.
  public static func resolve(_ name: String) -> ScheduleID? {
    let wanted = name.lowercased()
    return allCases.first { $0.spellings.contains { $0.lowercased() == wanted } }
  }

  /// Schedules of the webui's development version, by label and internal name.
  package static let unsupportedNames: Set<String> = [
    "align your steps 11", "align_your_steps_11", "align your steps 32", "align_your_steps_32", "align your steps gits",
    "align_your_steps_gits", "ddim_uniform", "turbo",
  ]
}
