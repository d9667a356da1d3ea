import Foundation

/// The position of a line in a run's journals.
struct JournalPosition: Hashable, Comparable {
  /// The position among all lines of all journals; later lines replace earlier ones.
  var order: Int
  /// The index of the journal in ``JournalFiles/names``.
  var file: Int32
  /// The line's bytes, without its line feed.
  var range: Range<Int64>

  static func < (one: JournalPosition, other: JournalPosition) -> Bool { one.order < other.order }
}

/// The journals of a run: `journal.jsonl`, and one for each start of a shard that had something to write.
///
/// Each journal has only one writer, so machines need no locks between them.
struct JournalFiles {
  /// The journal of runs that are alone in their folder.
  static let main = "journal.jsonl"

  /// Relative to the run folder; ``main`` is the first one, even if it does not exist.
  var names: [String]

  /// Finds the journals of a folder; one that does not exist has none.
  init(_ folder: RunFolder) {
    let found = (try? AtomicFile.names(in: folder.path)) ?? []
    let others = found.compactMap { name in Self.start(of: name).map { (name, $0) } }
    names =
      [Self.main]
      + others.sorted {
        ($0.1.shard.count, $0.1.shard.index, $0.1.number) < ($1.1.shard.count, $1.1.shard.index, $1.1.number)
      }.map(\.0)
  }

  /// The name of the journal that a shard writes at its start with this number, counted from 1.
  static func name(_ shard: Shard, start number: Int) -> String { "journal-\(shard.label)-\(number).jsonl" }

  /// The shard and the number of its start for a journal's name; nil for other names.
  static func start(of name: String) -> (shard: Shard, number: Int)? {
    guard name.hasPrefix("journal-"), name.hasSuffix(".jsonl"),
      let (shard, rest) = Shard.labelled(name.dropFirst(8).dropLast(6)), rest.hasPrefix("-"),
      let number = Int(rest.dropFirst()), Self.name(shard, start: number) == name
    else { return nil }
    return (shard, number)
  }
}
