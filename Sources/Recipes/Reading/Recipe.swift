import JSON
import Settings

/// What a recipe file says, read and checked; a `Plan` makes jobs of it.
public struct Recipe: Sendable {
  /// The file as the caller named it.
  public let path: String
  /// What every cell starts from.
  public let base: [Setting]
  /// Axes that are multiplied, in the written order.
  public let grid: [Axis]
  /// Groups of axes of equal length that advance together, in the written order.
  public let zip: [[Axis]]
  /// One axis for each wildcard of the prompts that nothing else stands for, in the order in which they occur.
  public let wildcards: [Axis]
  /// The run's folder; relative to the current folder unless it is absolute.
  public let output: String
  /// How the contact sheet is laid out, where the recipe says so.
  public let sheet: SheetLayout?
  /// Where to announce a finished run, or each of its images.
  public let webhook: RecipeWebhook?
  /// The effective recipe as YAML: the file's own text, or with overrides what it comes to.
  public let text: String
  /// The effective recipe for the manifest.
  public let json: JSONValue
  /// What is worth a look but keeps nothing from running, in the order of the file.
  public let warnings: [Diagnostic]

  /// What the run's folder keeps of the recipe: its text; nothing for requests.
  public var copyText: String? { requests == nil ? text : nil }

  let exclude: [CellFilter]
  let include: [ExtraCell]

  /// The requests that the file or folder holds; nothing for a recipe. With them, all but `path`, `output` and `warnings`
  /// is empty.
  public let requests: RequestBatch?

  /// Axes of the grid, then each zip group as one axis, then those of wildcards.
  var groups: [[Axis]] { grid.map { [$0] } + zip + wildcards.map { [$0] } }

  /// Whether some cell may have a subseed's noise mixed in; the others need none to be drawn.
  var usesSubseeds: Bool {
    let concern = "subseed_strength"
    return base.contains { $0.key.concern == concern }
      || groups.contains { $0.contains { $0.sets(concern) } }
      || include.contains { $0.settings.contains { $0.key.concern == concern } }
  }

  /// How many jobs a recipe may ask for.
  public static let jobLimit = 10_000_000
}

/// What a recipe's `webhook` says.
public struct RecipeWebhook: Hashable, Sendable {
  /// What is announced.
  public enum Occasion: String, CaseIterable, Hashable, Sendable {
    /// The end of the run, once all is done or tried.
    case run
    /// Each image as it is made, or fails.
    case job
  }

  /// Where to post the document.
  public var address: WebhookAddress
  /// What is announced; one or both.
  public var occasions: [Occasion]
  /// Whether the document holds the images.
  public var sendsImages: Bool
}

/// The axes that the recipe gives to the directions of a contact sheet.
public struct SheetLayout: Hashable, Sendable {
  /// Runs across.
  public var x: String?
  /// Runs down.
  public var y: String?
  /// Lays whole sheets side by side.
  public var superX: String?
  /// Lays whole sheets one below the other.
  public var superY: String?
  /// One page for each combination of values of these axes.
  public var pages: [String] = []
}

/// Cells to leave out.
struct CellFilter: Sendable {
  /// All of them have to match.
  var conditions: [Condition]
  var position: SourcePosition

  /// What one key or axis must be.
  struct Condition: Sendable {
    var name: String
    /// The key whose resolved value is compared.
    var key: RecipeKey?
    /// Any of them will do.
    var values: Set<KeyValue>
    /// Any of them will do, as a title on the axis of this name.
    var titles: Set<String>

    func matches(_ resolved: KeyValue) -> Bool {
      switch resolved {
      // Only these can equal a value that is written otherwise.
      case .setting(.sampler), .setting(.model), .setting(.upscaler): values.contains { $0.matches(resolved) }
      default: values.contains(resolved)
      }
    }
  }
}

/// A cell that stands beside the grid.
struct ExtraCell: Sendable {
  var settings: [Setting]
  var places: [AxisPosition]
  /// Axes of the wildcards that are left in its prompts; the cell stands for all their values.
  var wildcards: [Axis] = []
  /// Where it is in the recipe.
  var position: SourcePosition

  /// How many cells it comes to; `Int.max` where an `Int` is too small.
  var count: Int {
    wildcards.reduce(1) { count, axis in
      let (product, overflow) = count.multipliedReportingOverflow(by: axis.count)
      return overflow ? Int.max : product
    }
  }
}
