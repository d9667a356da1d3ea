/// Byte-pair encoding of single words.
///
/// Merges are applied by rank, and from the left if ranks are equal. A pair that a merge creates can be merged at once. This is
/// the order of the `tokenizers` library. It differs from merging all pairs of the lowest rank first if a vocabulary's merges
/// are not in the order of training. A word of n bytes takes O(n log n).
struct BytePairEncoder: Sendable {
  /// The id of each byte inside a word and at its end.
  private let byteIDs: [Int32]
  private let lastByteIDs: [Int32]
  private let ranks: [UInt64: Int32]
  private let results: [Int32]

  init(_ vocabulary: Vocabulary) {
    var byteIDs = [Int32](repeating: vocabulary.endID, count: 256)
    var lastByteIDs = byteIDs
    for (byte, character) in ByteAlphabet.characters {
      if let id = vocabulary.id(of: character) { byteIDs[Int(byte)] = id }
      if let id = vocabulary.id(of: character + ByteAlphabet.endOfWord) { lastByteIDs[Int(byte)] = id }
    }
    self.init(byteIDs: byteIDs, lastByteIDs: lastByteIDs, merges: vocabulary.merges)
  }

  /// Creates an encoder. If both lists of bytes are equal, the vocabulary does not mark the ends of words.
  init(byteIDs: [Int32], lastByteIDs: [Int32], merges: [Vocabulary.Merge]) {
    self.byteIDs = byteIDs
    self.lastByteIDs = lastByteIDs
    var ranks: [UInt64: Int32] = [:]
    ranks.reserveCapacity(merges.count)
    // If a merge is listed twice, its later rank counts, as in the reference.
    for (rank, merge) in merges.enumerated() { ranks[Self.key(merge.left, merge.right)] = Int32(rank) }
    self.ranks = ranks
    results = merges.map(\.result)
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// The ids of one word, given as bytes.
  func encode(_ word: ArraySlice<UInt8>) -> [Int32] {
    guard let last = word.last else { return [] }
    var symbols = Symbols(ids: word.dropLast().map { byteIDs[Int($0)] } + [lastByteIDs[Int(last)]])
    var candidates = MergeQueue()
    for position in 0..<(symbols.ids.count - 1) { push(position, of: symbols, to: &candidates) }
    while let (rank, position) = candidates.pop() {
      // The pair may have changed since it was queued.
      guard let current = self.rank(at: position, of: symbols), results[current] == results[rank] else { continue }
      symbols.mergeWithNext(position, into: results[rank])
      let previous = symbols.previous[position]
      if previous >= 0 { push(Int(previous), of: symbols, to: &candidates) }
      push(position, of: symbols, to: &candidates)
    }
    return symbols.remaining
  }

  private func rank(at position: Int, of symbols: Symbols) -> Int? {
    let next = Int(symbols.next[position])
    guard next < symbols.ids.count, symbols.ids[position] != Symbols.merged else { return nil }
    return ranks[Self.key(symbols.ids[position], symbols.ids[next])].map(Int.init)
  }

  private func push(_ position: Int, of symbols: Symbols, to candidates: inout MergeQueue) {
    if let rank = rank(at: position, of: symbols) { candidates.push(rank: rank, position: position) }
  }
}

/// The symbols of a word, as a doubly linked list in arrays: a merge keeps the left symbol and unlinks the right one.
private struct Symbols {
  static let merged: Int32 = -1

  var ids: [Int32]
  var previous: [Int32]
  var next: [Int32]

  init(ids: [Int32]) {
    self.ids = ids
    previous = (0..<Int32(ids.count)).map { $0 - 1 }
    next = (0..<Int32(ids.count)).map { $0 + 1 }
  }

  mutating func mergeWithNext(_ position: Int, into id: Int32) {
    let removed = Int(next[position])
    ids[position] = id
    ids[removed] = Self.merged
    next[position] = next[removed]
    if Int(next[position]) < ids.count { previous[Int(next[position])] = Int32(position) }
  }

  var remaining: [Int32] { ids.filter { $0 != Self.merged } }
}

/// A binary heap of possible merges: the lowest rank first, and the leftmost if ranks are equal.
private struct MergeQueue {
  private var heap: [UInt64] = []

  mutating func push(rank: Int, position: Int) {
    heap.append(UInt64(rank) << 32 | UInt64(position))
    var child = heap.count - 1
    while child > 0, heap[child] < heap[(child - 1) / 2] {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func pop() -> (rank: Int, position: Int)? {
    guard let top = heap.first, let last = heap.popLast() else { return nil }
    if !heap.isEmpty {
      heap[0] = last
      var parent = 0
      while true {
        var least = parent
        for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child] < heap[least] {
          least = child
        }
        if least == parent { break }
        heap.swapAt(least, parent)
        parent = least
      }
    }
    return (Int(top >> 32), Int(top & 0xFFFF_FFFF))
  }
}
