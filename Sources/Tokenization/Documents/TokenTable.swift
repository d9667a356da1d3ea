/// Ids by the bytes of tokens: a hash table whose keys are in one array, so that half a million look-ups allocate no memory.
struct TokenTable: Sendable {
  private var bytes: [UInt8] = []
  /// For each token, the end of its bytes.
  private var ends: [Int32] = []
  private var ids: [Int32] = []
  /// The index of a token plus one; 0 for a free slot.
  private var slots: [Int32]
  private let mask: Int

  /// Creates a table with room for this many tokens.
  init(capacity: Int) {
    var size = 16
    while size < 2 * capacity { size *= 2 }
    slots = [Int32](repeating: 0, count: size)
    mask = size - 1
  }

  /// The number of tokens.
  var count: Int { ids.count }

  /// The same tokens, with room for twice as many.
  private func enlarged() -> TokenTable {
    var table = TokenTable(capacity: mask + 1)
    var start = 0
    for (index, end) in ends.enumerated() {
      _ = table.insert(bytes[start..<Int(end)], id: ids[index])
      start = Int(end)
    }
    return table
  }

  private var hasRoom: Bool { ids.count < mask / 2 }

  /// Adds a token. If it already exists, returns its id and changes nothing.
  mutating func insert(_ token: some Collection<UInt8>, id: Int32) -> Int32? {
    if !hasRoom { self = enlarged() }
    let slot = slot(token, EmptyCollection<UInt8>())
    if slots[slot] > 0 { return ids[Int(slots[slot]) - 1] }
    bytes.append(contentsOf: token)
    ends.append(Int32(bytes.count))
    ids.append(id)
    slots[slot] = Int32(ids.count)
    return nil
  }

  /// The id of a token; nil if there is none.
  func id(_ token: some Collection<UInt8>) -> Int32? { id(token, EmptyCollection<UInt8>()) }

  /// The id of the token that consists of `first` and `second`; nil if there is none.
  func id(_ first: some Collection<UInt8>, _ second: some Collection<UInt8>) -> Int32? {
    let index = slots[slot(first, second)]
    return index > 0 ? ids[Int(index) - 1] : nil
  }

  private func slot(_ first: some Collection<UInt8>, _ second: some Collection<UInt8>) -> Int {
    // FNV-1a.
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in first { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    for byte in second { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    var slot = Int(truncatingIfNeeded: hash ^ hash >> 32) & mask
    let count = first.count + second.count
    while slots[slot] > 0 {
      let index = Int(slots[slot]) - 1
      let start = index == 0 ? 0 : Int(ends[index - 1])
      let end = Int(ends[index])
      if end - start == count, bytes[start..<(start + first.count)].elementsEqual(first),
        bytes[(start + first.count)..<end].elementsEqual(second)
      {
        return slot
      }
      slot = (slot + 1) & mask
    }
    return slot
  }
}
