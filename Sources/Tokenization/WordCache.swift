/// A cache of the ids of words: the prompts of one grid share most of their words.
struct WordCache {
  private static let wordLimit = 16384
  private static let byteLimit = 64

  private var words: [ArraySlice<UInt8>: [Int32]] = [:]

  subscript(word: ArraySlice<UInt8>) -> [Int32]? {
    get { words[word] }
    set {
      guard word.count <= Self.byteLimit else { return }
      if words.count >= Self.wordLimit { words.removeAll(keepingCapacity: true) }
      // Store a copy, because a slice would keep the whole text in memory.
      words[ArraySlice(Array(word))] = newValue
    }
  }
}
