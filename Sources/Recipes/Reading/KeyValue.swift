import Prompts
import Settings

/// The value of a key in a recipe, read and checked: that of a setting, or a part that prompts are composed of.
enum KeyValue: Hashable, Sendable {
  case setting(SettingValue)
  case styles([PromptStyle])
  /// A size in pixels.
  case size(_ width: Int, _ height: Int)
  /// An edit of the prompts, and the position of the axis that makes it.
  case edit(PromptEdit, SourcePosition)
  /// A combination of a matrix, by its number.
  case combination(PromptMatrix, Int)

  static func text(_ text: String) -> KeyValue { .setting(.text(text)) }
  static func integer(_ integer: Int64) -> KeyValue { .setting(.integer(integer)) }
  static func number(_ number: Double) -> KeyValue { .setting(.number(number)) }
  static func flag(_ flag: Bool) -> KeyValue { .setting(.flag(flag)) }
  static func choice(_ name: String) -> KeyValue { .setting(.choice(name)) }
  static let null = KeyValue.setting(.null)

  /// Whether the resolved value is what this requested value means.
  func matches(_ resolved: KeyValue) -> Bool {
    guard case .setting(let value) = self, case .setting(let found) = resolved else { return self == resolved }
    return value.matches(found)
  }

  var asText: String {
    guard case .setting(.text(let text)) = self else { mismatch("text") }
    return text
  }

  var asInteger: Int64 {
    guard case .setting(.integer(let integer)) = self else { mismatch("a whole number") }
    return integer
  }

  var asNumber: Double {
    guard case .setting(.number(let number)) = self else { mismatch("a number") }
    return number
  }

  var asSampler: (SamplerID, ScheduleID?) {
    guard case .setting(.sampler(let sampler, let schedule)) = self else { mismatch("a sampler") }
    return (sampler, schedule)
  }

  var asSchedule: ScheduleID {
    guard case .setting(.schedule(let schedule)) = self else { mismatch("a schedule") }
    return schedule
  }

  /// nil if the second pass uses the first pass's.
  var asOtherSampler: (SamplerID, ScheduleID?)? { self == .null ? nil : asSampler }

  /// nil if the second pass uses the first pass's.
  var asOtherSchedule: ScheduleID? { self == .null ? nil : asSchedule }

  var asFlag: Bool {
    guard case .setting(.flag(let flag)) = self else { mismatch("true or false") }
    return flag
  }

  var asStyles: [PromptStyle] {
    if self == .null { return [] }
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
    preconditionFailure("a recipe key was given \(self) although its kind reads \(expected)")
  }
}

/// A key with its value in the recipe.
public struct Setting: Sendable {
  /// The key.
  public let key: RecipeKey
  /// The value, which has the key's kind.
  let value: KeyValue

  init(_ key: RecipeKey, _ value: KeyValue) {
    self.key = key
    self.value = value
  }
}
