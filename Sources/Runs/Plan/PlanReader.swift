import Foundation
import JSON
import Settings

/// Reads the lines of a plan in order; what a line has in common with the previous line is not parsed again.
struct PlanReader {
  private var ingredients: JobIngredients?
  /// The ingredients that were read, by their text.
  private var known: [[UInt8]: JobIngredients] = [:]
  private var parameters = PlannedSettings()

  /// A plan has few models and adapters, but each job may have its own text.
  private static let limit = 1000

  /// Reads the next line.
  ///
  /// - Parameter line: The line without its line feed.
  /// - Returns: The job; the recipe and the engine, if the line has them.
  /// - Throws: `JSONError` or `DecodingError` for a line that is not a job.
  mutating func read(_ line: UnsafeBufferPointer<UInt8>) throws -> (IdentifiedJob, RunDetails?) {
    var (id, index, axes, settings): (JobID?, Int?, [AxisPosition]?, ImageSettings?)
    var (ingredientsText, engineText, recipe): ([UInt8]?, [UInt8]?, JSONValue?)
    var cursor = JSONCursor(UnsafeRawBufferPointer(line), repeatedKeys: .kept)
    try cursor.object { cursor, key throws(JSONError) in
      func text() throws(JSONError) -> [UInt8]? {
        let start = cursor.offset
        try cursor.skip()
        let text = line[start..<cursor.offset]
        return text.elementsEqual("null".utf8) ? nil : Array(text)
      }
      switch key {
      case "id": id = JobID(try cursor.string())
      case "index": index = try cursor.integer()
      case "axes": axes = try cursor.axes()
      case "parameters": settings = try parameters.read(&cursor, in: line)
      case "ingredients": ingredientsText = try text()
      case "engine": engineText = try text()
      case "recipe": recipe = try cursor.value()
      default: try cursor.skip()
      }
    }
    try cursor.end()
    if let text = ingredientsText { ingredients = try ingredients(text) }
    guard let id, let index, let axes, let settings, let ingredients else {
      throw JSONError(reason: "id, index, axes, parameters or ingredients are missing")
    }
    let details = try engineText.flatMap { text in
      try recipe.map {
        RunDetails(recipe: $0, engine: try JSONDecoder().decode(EngineDescription.self, from: Data(text)))
      }
    }
    let job = Job(index: index, axes: axes, settings: settings)
    return (IdentifiedJob(id: id, job: job, ingredients: ingredients), details)
  }

  /// The settings of a line; nil for a line without.
  static func settings(_ line: UnsafeBufferPointer<UInt8>) -> ImageSettings? {
    var cursor = JSONCursor(UnsafeRawBufferPointer(line), repeatedKeys: .kept)
    var settings: ImageSettings?
    try? cursor.object { cursor, key throws(JSONError) in
      if key == "parameters" {
        settings = try ImageSettings(planned: try cursor.value())
      } else {
        try cursor.skip()
      }
    }
    return settings
  }

  private mutating func ingredients(_ text: [UInt8]) throws -> JobIngredients {
    if let ingredients = known[text] { return ingredients }
    let ingredients = try JSONDecoder().decode(JobIngredients.self, from: Data(text))
    if known.count == Self.limit { known.removeAll() }
    known[text] = ingredients
    return ingredients
  }
}

/// Reads settings as plans store them. A text that differs from the previous one only in the seed is compared, not parsed.
private struct PlannedSettings {
  private var last: ImageSettings?
  /// The previous text, before and after the digits of its seed.
  private var (before, after): ([UInt8], [UInt8]) = ([], [])

  /// Reads an object at the cursor.
  mutating func read(
    _ cursor: inout JSONCursor, in line: UnsafeBufferPointer<UInt8>
  ) throws(JSONError) -> ImageSettings {
    if let settings = readAlike(&cursor, in: line) { return settings }
    let start = cursor.offset
    var seed: Range<Int>?
    var members: [JSONMember] = []
    try cursor.object { cursor, key throws(JSONError) in
      let start = cursor.offset
      members.append(JSONMember(key, try cursor.value()))
      if key == "seed" { seed = seed == nil ? start..<cursor.offset : start..<start }
    }
    let settings = try ImageSettings(planned: .object(members))
    last = nil
    if let seed, Self.number(line[seed]) == settings.seed {
      last = settings
      before = Array(line[start..<seed.lowerBound])
      after = Array(line[seed.upperBound..<cursor.offset])
    }
    return settings
  }

  /// The settings at the cursor if only their seed differs from the previous ones.
  private mutating func readAlike(
    _ cursor: inout JSONCursor, in line: UnsafeBufferPointer<UInt8>
  ) -> ImageSettings? {
    guard last != nil, Self.has(before, at: cursor.offset, line) else { return nil }
    let digits = line[(cursor.offset + before.count)...].prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    guard let seed = Self.number(digits), Self.has(after, at: digits.endIndex, line) else { return nil }
    cursor.move(to: digits.endIndex + after.count)
    last?.seed = seed
    return last
  }

  private static func has(_ text: [UInt8], at offset: Int, _ line: UnsafeBufferPointer<UInt8>) -> Bool {
    guard line.count - offset >= text.count, let start = line.baseAddress else { return false }
    return memcmp(start + offset, text, text.count) == 0
  }

  /// The value of digits without leading zeros; nil for anything else.
  private static func number(_ digits: Slice<UnsafeBufferPointer<UInt8>>) -> Int64? {
    guard let first = digits.first, digits.count == 1 || first != UInt8(ascii: "0") else { return nil }
    var value: Int64 = 0
    for byte in digits {
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      let (tens, isTooLarge) = value.multipliedReportingOverflow(by: 10)
      let (sum, isBeyond) = tens.addingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
      if isTooLarge || isBeyond { return nil }
      value = sum
    }
    return value
  }
}

extension JSONCursor {
  /// Reads what `JSONWriter.axes` writes.
  fileprivate mutating func axes() throws(JSONError) -> [AxisPosition] {
    var axes: [AxisPosition] = []
    try array { cursor throws(JSONError) in
      var (name, value, title): (String?, String?, String?)
      try cursor.object { cursor, key throws(JSONError) in
        switch key {
        case "name": name = try cursor.string()
        case "value": value = try cursor.string()
        case "title": title = try cursor.string()
        default: try cursor.skip()
        }
      }
      guard let name, let value, let title else {
        throw JSONError(offset: cursor.offset, reason: "an axis with name, value and title is expected")
      }
      axes.append(AxisPosition(name: name, value: value, title: title))
    }
    return axes
  }
}
