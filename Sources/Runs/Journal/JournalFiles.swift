import Foundation

/// Where a line of a run's journals is.
struct JournalPlace: Hashable, Comparable {
  /// When the line counts: among all lines of all journals, an earlier one counts less.
  var order: Int
  /// Which of the journals, as ``JournalFiles/names`` has them.
  var file: Int32
  /// The line's bytes, without its line feed.
  var range: Range<Int64>

  static func < (one: JournalPlace, other: JournalPlace) -> Bool { one.order < other.order }
}

/// The journals of a run: `journal.jsonl`, and one for each time that a shard started and had something to note.
///
/// Each journal has a single writer, so that no locks between machines are needed.
struct JournalFiles {
  /// The journal of runs that have the folder to themselves.
  static let main = "journal.jsonl"

  /// Relative to the run folder; ``main`` is the first, whether it is there or not.
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

  /// The name of the journal that a shard writes when it starts for the `number`th time, counted from 1.
  static func name(_ shard: Shard, start number: Int) -> String { "journal-\(shard.label)-\(number).jsonl" }

  /// Which start of which shard wrote a journal; nil for other names.
  static func start(of name: String) -> (shard: Shard, number: Int)? {
    guard name.hasPrefix("journal-"), name.hasSuffix(".jsonl"),
      let (shard, rest) = Shard.labelled(name.dropFirst(8).dropLast(6)), rest.hasPrefix("-"),
      let number = Int(rest.dropFirst()), Self.name(shard, start: number) == name
    else { return nil }
    return (shard, number)
  }
}
