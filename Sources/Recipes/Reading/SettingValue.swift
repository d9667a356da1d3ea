import Prompts
import Settings

/// A value that a recipe gives to a key, read and checked.
public enum SettingValue: Hashable, Sendable {
  case text(String)
  case integer(Int64)
  case number(Double)
  /// The schedule is the one that an old combined name carries.
  case sampler(SamplerID, ScheduleID?)
  case schedule(ScheduleID)
  case model(ModelReference)
  /// What enlarges an image between its passes.
  case upscaler(UpscalerReference)
  case choice(String)
  case flag(Bool)
  case styles([PromptStyle])
  /// In pixels.
  case size(_ width: Int, _ height: Int)
  /// A change of the prompts, and the axis that makes it.
  case edit(PromptEdit, SourcePosition)
  /// A combination of a matrix, by its number.
  case combination(PromptMatrix, Int)
  /// No VAE, or no limit.
  case nothing

  /// Whether a cell that ended up with `resolved` has what `self` asks for.
  func matches(_ resolved: SettingValue) -> Bool {
    switch (self, resolved) {
    case (.sampler(let sampler, let schedule), .sampler(let found, let foundSchedule)):
      sampler == found && (schedule == nil || schedule == foundSchedule)
    // One model may be named in more than one way.
    case (.model(let model), .model(let found)): model.path == found.path
    case (.upscaler(let upscaler), .upscaler(let found)) where upscaler.path != nil: upscaler.path == found.path
    default: self == resolved
    }
  }

  var asText: String {
    guard case .text(let text) = self else { mismatch("text") }
    return text
  }

  var asInteger: Int64 {
    guard case .integer(let integer) = self else { mismatch("a whole number") }
    return integer
  }

  /// Nothing is no limit.
  var asBytes: Int64 { self == .nothing ? 0 : asInteger }

  var asNumber: Double {
    guard case .number(let number) = self else { mismatch("a number") }
    return number
  }

  /// Nothing where the recipe says that there is no limit.
  var asLimit: Double? {
    self == .nothing ? nil : asNumber
  }

  var asSampler: (SamplerID, ScheduleID?) {
    guard case .sampler(let sampler, let schedule) = self else { mismatch("a sampler") }
    return (sampler, schedule)
  }

  var asSchedule: ScheduleID {
    guard case .schedule(let schedule) = self else { mismatch("a schedule") }
    return schedule
  }

  /// Nothing where the second pass has the first one's.
  var asOtherSampler: (SamplerID, ScheduleID?)? { self == .nothing ? nil : asSampler }

  /// Nothing where the second pass has the first one's.
  var asOtherSchedule: ScheduleID? { self == .nothing ? nil : asSchedule }

  /// Nothing where the recipe asks for no upscaler by name.
  var asUpscaler: UpscalerReference? {
    if self == .nothing { return nil }
    guard case .upscaler(let upscaler) = self else { mismatch("an upscaler") }
    return upscaler
  }

  /// Nothing where the recipe asks for no VAE.
  var asModel: ModelReference? {
    if self == .nothing { return nil }
    guard case .model(let model) = self else { mismatch("a model") }
    return model
  }

  /// The choice as a value of an enumeration whose raw values were the names to choose from.
  func asChoice<Choice: RawRepresentable<String>>(_ type: Choice.Type) -> Choice {
    guard case .choice(let name) = self, let choice = Choice(rawValue: name) else { mismatch("one of \(type)") }
    return choice
  }

  var asFlag: Bool {
    guard case .flag(let flag) = self else { mismatch("true or false") }
    return flag
  }

  var asStyles: [PromptStyle] {
    if self == .nothing { return [] }
    guard case .styles(let styles) = self else { mismatch("styles") }
    return styles
  }

  var asSize: (width: Int, height: Int) {
    guard case .size(let width, let height) = self else { mismatch("a size") }
    return (width, height)
  }

  var asEdit: PlacedEdit {
    guard case .edit(let edit, let position) = self else { mismatch("an edit") }
    return PlacedEdit(edit: edit, position: position)
  }

  var asCombination: MatrixCombination {
    guard case .combination(let matrix, let number) = self else { mismatch("a combination") }
    return MatrixCombination(matrix: matrix, number: number)
  }

  private func mismatch(_ expected: String) -> Never {
    preconditionFailure("a recipe key was given \(self) where its kind reads \(expected)")
  }
}

/// A key with the value that the recipe gives to it.
public struct Setting: Sendable {
  /// What is set.
  public let key: RecipeKey
  /// What it is set to, of the key's kind.
  public let value: SettingValue

  init(_ key: RecipeKey, _ value: SettingValue) {
    self.key = key
    self.value = value
  }
}
