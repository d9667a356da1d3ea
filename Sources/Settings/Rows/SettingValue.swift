/// The value of a setting of any kind.
public enum SettingValue: Hashable, Sendable {
  case text(String)
  case integer(Int64)
  case number(Double)
  case interval(PassInterval)
  case layers(LayerList)
  /// A sampler, and the schedule that an old combined name ("DPM++ SDE Karras") includes.
  case sampler(SamplerID, ScheduleID?)
  case schedule(ScheduleID)
  case model(ModelReference)
  /// Models in their order.
  case models([ModelReference])
  case upscaler(UpscalerReference)
  /// One of the names that the setting's kind lists.
  case choice(String)
  /// Some of those names, in their order.
  case choices([String])
  case flag(Bool)
  /// Absolute paths.
  case folders([String])
  /// No VAE, no limit, or the first pass's value.
  case null

  /// Whether the resolved value is what this requested value means.
  package func matches(_ resolved: SettingValue) -> Bool {
    switch (self, resolved) {
    case (.sampler(let sampler, let schedule), .sampler(let found, let foundSchedule)):
      sampler == found && (schedule == nil || schedule == foundSchedule)
    // The same file may have been named in different ways.
    case (.model(let model), .model(let found)): model.path == found.path
    case (.models(let models), .models(let found)): models.map(\.path) == found.map(\.path)
    case (.upscaler(let upscaler), .upscaler(let found)) where upscaler.path != nil: upscaler.path == found.path
    default: self == resolved
    }
  }
}

/// A type that a setting can have.
///
/// `init?` returns nil for a value of the wrong kind. Readers check kinds first, so they never see nil.
protocol SettingRepresentable: Sendable {
  init?(_ value: SettingValue)
  var settingValue: SettingValue { get }
}

extension String: SettingRepresentable {
  init?(_ value: SettingValue) {
    guard case .text(let text) = value else { return nil }
    self = text
  }
  var settingValue: SettingValue { .text(self) }
}

extension Int: SettingRepresentable {
  init?(_ value: SettingValue) {
    guard case .integer(let integer) = value else { return nil }
    self.init(exactly: integer)
  }
  var settingValue: SettingValue { .integer(Int64(self)) }
}

extension Int64: SettingRepresentable {
  init?(_ value: SettingValue) {
    guard case .integer(let integer) = value else { return nil }
    self = integer
  }
  var settingValue: SettingValue { .integer(self) }
}

extension Double: SettingRepresentable {
  init?(_ value: SettingValue) {
    guard case .number(let number) = value else { return nil }
    self = number
  }
  var settingValue: SettingValue { .number(self) }
}

extension Bool: SettingRepresentable {
  init?(_ value: SettingValue) {
    guard case .flag(let flag) = value else { return nil }
    self = flag
  }
  var settingValue: SettingValue { .flag(self) }
}

extension PassInterval: SettingRepresentable {
  init?(_ value: SettingValue) {
    guard case .interval(let interval) = value else { return nil }
    self = interval
  }
  var settingValue: SettingValue { .interval(self) }
}

extension SamplerID: SettingRepresentable {
  init?(_ value: SettingValue) {
    guard case .sampler(let sampler, _) = value else { return nil }
    self = sampler
  }
  var settingValue: SettingValue { .sampler(self, nil) }
}

extension ScheduleID: SettingRepresentable {
  init?(_ value: SettingValue) {
    guard case .schedule(let schedule) = value else { return nil }
    self = schedule
  }
  var settingValue: SettingValue { .schedule(self) }
}

extension ModelReference: SettingRepresentable {
  init?(_ value: SettingValue) {
    guard case .model(let model) = value else { return nil }
    self = model
  }
  var settingValue: SettingValue { .model(self) }
}

extension UpscalerReference: SettingRepresentable {
  init?(_ value: SettingValue) {
    guard case .upscaler(let upscaler) = value else { return nil }
    self = upscaler
  }
  var settingValue: SettingValue { .upscaler(self) }
}

/// A type of which a setting can have several values.
protocol SettingListElement: Sendable {
  static func list(_ value: SettingValue) -> [Self]?
  static func settingValue(_ list: [Self]) -> SettingValue
}

extension String: SettingListElement {
  static func list(_ value: SettingValue) -> [String]? {
    if case .folders(let folders) = value { folders } else { nil }
  }
  static func settingValue(_ list: [String]) -> SettingValue { .folders(list) }
}

extension ModelReference: SettingListElement {
  /// Null means no models.
  static func list(_ value: SettingValue) -> [ModelReference]? {
    switch value {
    case .models(let models): models
    case .model(let model): [model]
    case .null: []
    default: nil
    }
  }
  static func settingValue(_ list: [ModelReference]) -> SettingValue { .models(list) }
}

extension Array: SettingRepresentable where Element: SettingListElement {
  init?(_ value: SettingValue) {
    guard let list = Element.list(value) else { return nil }
    self = list
  }
  var settingValue: SettingValue { Element.settingValue(self) }
}

extension Optional: SettingRepresentable where Wrapped: SettingRepresentable {
  init?(_ value: SettingValue) {
    if value == .null {
      self = Wrapped?.none
    } else if let wrapped = Wrapped(value) {
      self = .some(wrapped)
    } else {
      return nil
    }
  }
  var settingValue: SettingValue { self?.settingValue ?? .null }
}

extension FileFormat: SettingListElement {
  /// Null means no formats.
  static func list(_ value: SettingValue) -> [FileFormat]? {
    switch value {
    case .choices(let names):
      let formats = names.compactMap { FileFormat(rawValue: $0) }
      return formats.count == names.count ? formats : nil
    case .null: return []
    default: return nil
    }
  }
  static func settingValue(_ list: [FileFormat]) -> SettingValue { .choices(list.map(\.rawValue)) }
}

/// A setting with a few named values.
protocol SettingChoice: SettingRepresentable, CaseIterable, RawRepresentable<String> {}

extension SettingChoice {
  init?(_ value: SettingValue) {
    guard case .choice(let name) = value else { return nil }
    self.init(rawValue: name)
  }
  var settingValue: SettingValue { .choice(rawValue) }
}

extension EmphasisChoice: SettingChoice {}
extension FaceRestorationModel: SettingChoice {}
extension FileFormat: SettingChoice {}
extension NoiseSourceID: SettingChoice {}
extension PrecisionChoice: SettingChoice {}
extension PredictionChoice: SettingChoice {}
extension PromptTimelines: SettingChoice {}
extension RefinerPass: SettingChoice {}
extension TrainingNoiseChoice: SettingChoice {}
extension UniPCSkipType: SettingChoice {}
extension UniPCVariant: SettingChoice {}
extension WeightPackingChoice: SettingChoice {}
