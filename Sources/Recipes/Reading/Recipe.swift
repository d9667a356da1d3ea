import JSON
import Settings

/// A recipe file, read and checked; a `Plan` makes jobs from it.
public struct Recipe: Sendable {
  /// The file as the caller named it.
  public let path: String
  /// The settings that every cell starts from.
  public let base: [Setting]
  /// The axes that are multiplied, in the order of the file.
  public let grid: [Axis]
  /// The groups of axes of equal length that advance together, in the order of the file.
  public let zip: [[Axis]]
  /// One axis for each wildcard of the prompts that no key sets, in the order in which they occur; or the axes of all dynamic
  /// prompts.
  public let wildcards: [Axis]
  /// The run's folder; relative to the current folder unless it is absolute.
  public let output: String
  /// The layout of the contact sheet, if the recipe sets it.
  public let sheet: SheetLayout?
  /// Where to announce a finished run or each of its images.
  public let webhook: RecipeWebhook?
  /// Where to report a run as a whole.
  public let notify: RecipeNotify?
  /// The effective recipe as YAML: the file's own text, or a rewritten one if there are overrides.
  public let text: String
  /// The effective recipe for the manifest.
  public let json: JSONValue
  /// Warnings, in the order of the file. The recipe can run in spite of them.
  public let warnings: [Diagnostic]

  /// The text of the recipe for the run's folder; nil for requests.
  public var copyText: String? { requests == nil ? text : nil }

  let exclude: [CellFilter]
  let include: [ExtraCell]
  /// Resolves dynamic prompts; nil if they are off.
  let dynamic: DynamicPrompts?

  /// The requests in the file or folder; nil for a recipe. With requests, everything except `path`, `output` and `warnings` is
  /// empty.
  public let requests: RequestBatch?

  /// Whether the recipe has a nightly series.
  public var isNightly: Bool { grid.contains { $0.seedsPerNight != nil } }

  /// The axes of the grid, then each zip group as one axis, then the axes of wildcards.
  var groups: [[Axis]] { grid.map { [$0] } + zip + wildcards.map { [$0] } }

  /// Whether any cell may mix in a subseed's noise; if not, no subseed needs to be drawn.
  var usesSubseeds: Bool {
    let concern = "subseed_strength"
    return base.contains { $0.key.concern == concern }
      || groups.contains { $0.contains { $0.sets(concern) } }
      || include.contains { $0.settings.contains { $0.key.concern == concern } }
  }

  /// The largest number of jobs in a recipe.
  public static let jobLimit = 10_000_000
}

/// A recipe's `notify`.
public struct RecipeNotify: Hashable, Sendable {
  /// An address in the form of healthchecks.io.
  public var ping: WebhookAddress?
  /// Who gets a mail if something goes wrong.
  public var mail: String?
}

/// A recipe's `webhook`.
public struct RecipeWebhook: Hashable, Sendable {
  /// What to announce.
  public enum Occasion: String, CaseIterable, Hashable, Sendable {
    /// The end of the run.
    case run
    /// Each image when it is done or has failed.
    case job
  }

  /// Where to post the document.
  public var address: WebhookAddress
  /// What to announce; one or both.
  public var occasions: [Occasion]
  /// Whether the document contains the images.
  public var sendsImages: Bool
}

/// The axes that the recipe assigns to the directions of a contact sheet.
public struct SheetLayout: Hashable, Sendable {
  /// The horizontal axis.
  public var x: String?
  /// The vertical axis.
  public var y: String?
  /// Lays whole sheets side by side.
  public var superX: String?
  /// Lays whole sheets one below the other.
  public var superY: String?
  /// One page for each combination of values of these axes.
  public var pages: [String] = []
}

/// Cells to exclude.
struct CellFilter: Sendable {
  /// The conditions; all of them must match.
  var conditions: [Condition]
  var position: SourcePosition

  /// A condition on one key or axis.
  struct Condition: Sendable {
    var name: String
    /// The key whose resolved value is compared.
    var key: RecipeKey?
    /// The values; one of them must match.
    var values: Set<KeyValue>
    /// The titles on the axis with this name; one of them must match.
    var titles: Set<String>

    func matches(_ resolved: KeyValue) -> Bool {
      switch resolved {
      // Only these kinds of values can equal a value that is written differently.
      case .setting(.sampler), .setting(.model), .setting(.upscaler): values.contains { $0.matches(resolved) }
      default: values.contains(resolved)
      }
    }
  }
}

/// A cell that is added to the grid.
struct ExtraCell: Sendable {
  var settings: [Setting]
  var positions: [AxisPosition]
  /// The axes of the wildcards that are not set in its prompts; the cell expands to all their values.
  var wildcards: [Axis] = []
  /// Its position in the recipe.
  var position: SourcePosition

  /// The number of cells that it expands to; `Int.max` on overflow.
  var count: Int {
    wildcards.reduce(1) { count, axis in
      let (product, overflow) = count.multipliedReportingOverflow(by: axis.count)
      return overflow ? Int.max : product
    }
  }
}
