import JSON
import TensorFiles

/// A JSON file with settings, such as a diffusers `config.json`.
///
/// A missing key has the default of its library. A value that cannot be used, including null, is an error that names the key.
package struct ConfigurationFile: Sendable {
  /// Larger files are not configurations.
  private static let sizeLimit = 16 << 20

  package let path: String
  package let values: [String: JSONValue]

  /// Creates a configuration from another source; `path` is for messages.
  package init(path: String, members: [JSONMember]) {
    self.path = path
    values = Dictionary(members.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
  }

  /// Reads the file at `path`.
  package init(path: String) throws(WeightError) {
    let file = try WeightError.wrapping(try ByteFile(path: path))
    guard file.count <= Self.sizeLimit else {
      throw .file(.damaged(path: path, reason: "it has \(file.count) bytes, too many for a configuration"))
    }
    let bytes = try WeightError.wrapping(try file.prefix(file.count))
    do throws(JSONError) {
      let value = try bytes.withUnsafeBufferPointer { bytes throws(JSONError) in
        try JSONValue(parsing: UnsafeRawBufferPointer(bytes), repeatedKeys: .refused)
      }
      guard case .object(let members) = value else { throw JSONError(reason: "an object is expected, found \(value)") }
      self.init(path: path, members: members)
    } catch {
      throw .file(.damaged(path: path, reason: "\(error)"))
    }
  }

  /// The value of `key`; nil if it is missing or null.
  package subscript(_ key: String) -> JSONValue? {
    guard let value = values[key], value != .null else { return nil }
    return value
  }

  /// The settings under `text_config`, where the file of a whole CLIP has those of its text encoder; otherwise these settings.
  package var textSide: ConfigurationFile {
    guard case .object(let members) = self["text_config"] else { return self }
    return ConfigurationFile(path: path, members: members)
  }

  /// An error about the value of `key`.
  package func unusable(_ key: String, expected: String) -> WeightError {
    .configuration(path: path, key: key, found: values[key]?.description ?? "not given", expected: expected)
  }

  /// A whole number within `range`.
  package func integer(_ key: String, default absent: Int?, in range: ClosedRange<Int>) throws(WeightError) -> Int {
    let value = values[key].map(\.wholeNumber) ?? absent
    guard let value, range.contains(value) else {
      throw unusable(key, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// `count` whole numbers: a list, or one number for all.
  package func integers(
    _ key: String, default absent: Int?, in range: ClosedRange<Int>, count: Int
  ) throws(WeightError) -> [Int] {
    guard case .array(let elements) = values[key] else {
      return Array(repeating: try integer(key, default: absent, in: range), count: count)
    }
    let integers = elements.compactMap(\.wholeNumber).filter(range.contains)
    guard integers.count == elements.count, integers.count == count else {
      throw unusable(
        key, expected: "\(count) whole numbers from \(range.lowerBound) to \(range.upperBound), one for each block")
    }
    return integers
  }

  /// `count` lists of `each` whole numbers. A single number means a whole list, or all lists. A list that is too long
  /// is truncated.
  package func lists(
    _ key: String, default absent: Int?, in range: ClosedRange<Int>, count: Int, each: Int
  ) throws(WeightError) -> [[Int]] {
    let elements: [JSONValue?] =
      if case .array(let elements) = values[key] { elements } else { Array(repeating: values[key], count: count) }
    var lists: [[Int]] = []
    for element in elements {
      let numbers: [JSONValue?] =
        if case .array(let numbers)? = element { numbers } else { Array(repeating: element, count: each) }
      let whole = numbers.compactMap { number in number.map(\.wholeNumber) ?? absent }.filter(range.contains)
      guard whole.count == numbers.count, whole.count >= each else {
        throw unusable(
          key, expected: "whole numbers from \(range.lowerBound) to \(range.upperBound), or \(count) lists of them")
      }
      lists.append(Array(whole.prefix(each)))
    }
    guard lists.count == count else { throw unusable(key, expected: "\(count) numbers or lists, one for each block") }
    return lists
  }

  /// `count` truth values: a list, or one value for all.
  package func booleans(_ key: String, default absent: Bool, count: Int) throws(WeightError) -> [Bool] {
    guard case .array(let elements) = values[key] else {
      return Array(repeating: try boolean(key, default: absent), count: count)
    }
    let booleans = elements.compactMap { if case .bool(let value) = $0 { value } else { nil } }
    guard booleans.count == elements.count, booleans.count == count else {
      throw unusable(key, expected: "true or false for each of \(count) blocks")
    }
    return booleans
  }

  /// A finite number above zero.
  package func positiveNumber(_ key: String, default absent: Double) throws(WeightError) -> Double {
    let value = values[key].map(\.numberValue) ?? absent
    guard let value, value > 0, value.isFinite else { throw unusable(key, expected: "a number above 0") }
    return value
  }

  /// True or false.
  package func boolean(_ key: String, default absent: Bool) throws(WeightError) -> Bool {
    guard let value = values[key] else { return absent }
    guard case .bool(let boolean) = value else { throw unusable(key, expected: "true or false") }
    return boolean
  }

  /// A text.
  package func string(_ key: String, default absent: String?) throws(WeightError) -> String {
    guard let value = values[key] ?? absent.map(JSONValue.string) else { throw unusable(key, expected: "a text") }
    guard case .string(let text) = value else { throw unusable(key, expected: "a text") }
    return text
  }

  /// A list of texts.
  package func strings(_ key: String, default absent: [String]) throws(WeightError) -> [String] {
    guard let value = values[key] else { return absent }
    guard case .array(let elements) = value else { throw unusable(key, expected: "a list of texts") }
    var strings: [String] = []
    for case .string(let text) in elements { strings.append(text) }
    guard strings.count == elements.count else { throw unusable(key, expected: "a list of texts") }
    return strings
  }

  /// Throws unless `key` is missing or has one of the values that this version implements.
  ///
  /// Numbers are compared by value, so 1 equals 1.0.
  package func require(_ key: String, in accepted: [JSONValue]) throws(WeightError) {
    guard let value = values[key] else { return }
    let isAccepted = accepted.contains { $0 == value || ($0.numberValue != nil && $0.numberValue == value.numberValue) }
    if !isAccepted {
      let expected = accepted.map(\.description).joined(separator: " or ")
      throw unusable(key, expected: "\(expected), as this version runs no other networks")
    }
  }
}

extension JSONValue {
  /// The whole number; `8.0` counts as one.
  fileprivate var wholeNumber: Int? {
    switch self {
    case .integer(let value): Int(exactly: value)
    case .number(let value): Int(exactly: value)
    default: nil
    }
  }
}
