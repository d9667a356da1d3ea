import JSON
import Text

/// Something to run: a recipe, a file or folder of requests, a folder of recipes, or a run folder.
public struct QueueEntry: Hashable, Sendable {
  /// The order of entries.
  public enum Priority: String, CaseIterable, Comparable, Sendable {
    /// Interrupts what is running.
    case urgent
    /// In the order in which it was added.
    case normal
    /// After all other entries.
    case low

    /// Whether the first one runs before the second.
    public static func < (one: Priority, other: Priority) -> Bool {
      (allCases.firstIndex(of: one) ?? 0) < (allCases.firstIndex(of: other) ?? 0)
    }
  }

  /// Its number; no other entry of the queue ever had it.
  public var id: Int
  /// The absolute path.
  public var path: String
  /// The folder that relative output paths refer to.
  public var folder: String
  /// The options of the run.
  public var arguments: [String]
  /// When it runs, compared with other entries.
  public var priority: Priority
  /// Its position among entries of the same priority; smaller numbers come first.
  public var order: Double
  /// Whether it waits to be resumed.
  public var isPaused = false
  /// Why the program paused it; nil if it is not paused, or a user paused it.
  public var note: String?
  /// When it is paused, in seconds since 1970; nil for never.
  public var until: Int?
  /// When it was added: ISO 8601 in UTC.
  public var added: String
  /// The spool folder from which it came.
  public var spool: String?

  /// An entry.
  init(
    id: Int, path: String, folder: String, arguments: [String], priority: Priority, order: Double, until: Int?,
    added: String, spool: String? = nil
  ) {
    (self.id, self.path, self.folder, self.arguments) = (id, path, folder, arguments)
    (self.priority, self.order, self.until, self.added, self.spool) = (priority, order, until, added, spool)
  }

  /// Reads what `json` returns; nil for anything else.
  init?(_ json: JSONValue) {
    guard json["schema"] == 1, let id = json["id"]?.integerValue, let path = json["path"]?.text,
      let folder = json["folder"]?.text, path.hasPrefix("/"), folder.hasPrefix("/"),
      let priority = json["priority"]?.text.flatMap({ Priority(rawValue: $0) }), let order = json["order"]?.numberValue,
      let added = json["added"]?.text
    else { return nil }
    self.init(
      id: Int(id), path: path, folder: folder, arguments: json["arguments"]?.elements?.compactMap(\.text) ?? [],
      priority: priority, order: order, until: json["until"]?.integerValue.map { Int($0) }, added: added,
      spool: json["spool"]?.text)
    isPaused = json["paused"] == true
    note = json["note"]?.text
  }

  /// An object, as the entry's file stores it.
  public var json: JSONValue {
    [
      "schema": 1, "id": .integer(Int64(id)), "path": .string(path), "folder": .string(folder),
      "arguments": .array(arguments.map { .string($0) }), "priority": .string(priority.rawValue),
      "order": .number(order), "paused": .bool(isPaused), "note": note.map { .string($0) } ?? .null,
      "until": until.map { .integer(Int64($0)) } ?? .null, "added": .string(added),
      "spool": spool.map { .string($0) } ?? .null,
    ]
  }

  /// Whether it runs before another entry.
  static func isBefore(_ one: QueueEntry, _ other: QueueEntry) -> Bool {
    (one.priority, one.order, one.id) < (other.priority, other.order, other.id)
  }
}

/// How an entry of the queue ended.
public struct QueueResult: Hashable, Sendable {
  /// The entry before it ended.
  public var entry: QueueEntry
  /// The exit code that a separate run of it would have had; nil if the entry was removed.
  public var code: Int32?
  /// When it ended: ISO 8601 in UTC.
  public var finished: String

  /// Reads what `json` returns; nil for anything else.
  init?(_ json: JSONValue) {
    guard let entry = json["entry"].flatMap({ QueueEntry($0) }), let finished = json["finished"]?.text else {
      return nil
    }
    self.init(entry: entry, code: json["code"]?.integerValue.map { Int32(truncatingIfNeeded: $0) }, finished: finished)
  }

  init(entry: QueueEntry, code: Int32?, finished: String) {
    (self.entry, self.code, self.finished) = (entry, code, finished)
  }

  /// An object, as the result's file stores it.
  public var json: JSONValue {
    [
      "schema": 1, "entry": entry.json, "code": code.map { .integer(Int64($0)) } ?? .null,
      "finished": .string(finished),
    ]
  }
}
