import Text

/// One finding about a recipe, with its position.
public struct Diagnostic: Hashable, Sendable, CustomStringConvertible {
  /// Whether the recipe can still be used.
  public enum Severity: String, Hashable, Sendable {
    case error
    case warning
  }

  /// Error or warning.
  public let severity: Severity
  /// The position.
  public let position: SourcePosition
  /// What was found, what was expected and what to do.
  public let message: String

  /// Creates a finding at a position.
  public init(_ severity: Severity, _ message: String, at position: SourcePosition) {
    self.severity = severity
    self.position = position
    self.message = message
  }

  /// `file:line:column: error: message`.
  public var description: String { "\(position): \(severity.rawValue): \(message.printableLine)" }
}

/// A position in the input: a line and column of a file, or an option of the command line.
public struct SourcePosition: Hashable, Sendable, CustomStringConvertible {
  /// The file as the caller named it, or the option as it was typed.
  public let source: String
  /// The line, from 1; 0 for the whole source.
  public let line: Int
  /// The column, from 1, in Unicode scalars.
  public let column: Int
  /// The order of sources: 0 for the file, then the options in the order in which they were typed, then `besides`.
  let rank: Int

  /// The rank of files that a recipe names.
  static let besides = Int.max

  /// Creates a position from a line and column of a file.
  public init(file: String, line: Int, column: Int) {
    self.init(source: file, line: line, column: column, rank: 0)
  }

  init(source: String, line: Int, column: Int, rank: Int) {
    self.source = source
    self.line = line
    self.column = column
    self.rank = rank
  }

  /// `file:line:column`, or only the source if the position is the whole source.
  public var description: String {
    let source = source.printableLine
    return line == 0 ? source : "\(source):\(line):\(column)"
  }

  /// A hint such as `; the first is in line 3`; empty if the source has no lines.
  func lineHint(_ words: String) -> String { line == 0 ? "" : "; \(words) in line \(line)" }

  static func precedes(_ a: SourcePosition, _ b: SourcePosition) -> Bool {
    // Files that a recipe names, or the files of a folder.
    if a.rank == b.rank, a.rank == besides || a.rank == 0, a.source != b.source { return a.source < b.source }
    return (a.rank, a.line, a.column) < (b.rank, b.line, b.column)
  }
}

/// All errors of a recipe, in the order of the file.
public struct RecipeErrors: Error, Sendable, CustomStringConvertible {
  /// At least one error, and no warnings.
  public let diagnostics: [Diagnostic]

  init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }

  init(_ message: String, at position: SourcePosition) {
    self.init([Diagnostic(.error, message, at: position)])
  }

  /// Creates one error about a whole file.
  public init(_ message: String, file: String) {
    self.init(message, at: SourcePosition(file: file, line: 0, column: 0))
  }

  /// One line for each error.
  public var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}

/// Collects errors and warnings while a recipe is read, so that all of them are reported together.
final class Findings {
  /// The limit of errors: a file full of mistakes must not fill memory or the terminal.
  static let limit = 1000

  private var errors: [Diagnostic] = []
  private var warnings: [Diagnostic] = []

  /// Whether the limit is reached; then there is no point in reading on.
  var isFull: Bool { errors.count >= Self.limit }

  func error(_ message: String, at position: SourcePosition) {
    guard !isFull else { return }
    errors.append(Diagnostic(.error, message, at: position))
  }

  func warning(_ message: String, at position: SourcePosition) {
    guard warnings.count < Self.limit else { return }
    warnings.append(Diagnostic(.warning, message, at: position))
  }

  func add(_ found: [Diagnostic]) {
    for diagnostic in found {
      switch diagnostic.severity {
      case .error: error(diagnostic.message, at: diagnostic.position)
      case .warning: warning(diagnostic.message, at: diagnostic.position)
      }
    }
  }

  /// Throws all errors if there are any; otherwise returns the warnings in the order of the file.
  func finish() throws(RecipeErrors) -> [Diagnostic] {
    guard errors.isEmpty else {
      var reported = Self.sorted(errors)
      if isFull, let last = reported.last {
        reported.append(Diagnostic(.error, "found \(Self.limit) errors; there may be more", at: last.position))
      }
      throw RecipeErrors(reported)
    }
    return Self.sorted(warnings)
  }

  private static func sorted(_ found: [Diagnostic]) -> [Diagnostic] {
    found.enumerated().sorted { a, b in
      if SourcePosition.precedes(a.element.position, b.element.position) { return true }
      if SourcePosition.precedes(b.element.position, a.element.position) { return false }
      return a.offset < b.offset
    }.map(\.element)
  }
}
