/// The sigma schedules; the raw value is the webui's internal name.
public enum ScheduleID: String, CaseIterable, Codable, Hashable, Sendable {
  case automatic
  case uniform
  case karras
  case exponential
  case polyexponential

  /// The name that the webui shows and writes into infotext.
  public var label: String {
    switch self {
    case .automatic: "Automatic"
    case .uniform: "Uniform"
    case .karras: "Karras"
    case .exponential: "Exponential"
    case .polyexponential: "Polyexponential"
    }
  }

  /// Everything a user may call it; matched in any case.
  public var spellings: [String] { [label, rawValue] }

  /// The schedule with this label or internal name, in any case.
  public static func resolve(_ name: String) -> ScheduleID? {
    let wanted = name.lowercased()
    return allCases.first { $0.spellings.contains { $0.lowercased() == wanted } }
  }
}
