/// NumPy's `SeedSequence`, which turns a seed and a path in a tree of generators into well-mixed words.
///
/// Source: NumPy's `bit_generator.pyx`, after Melissa O'Neill's `seed_seq_fe`.
struct SeedSequence {
  private var pool: [UInt32]

  /// Creates a sequence as `numpy.random.SeedSequence(entropy, spawn_key:, pool_size: 24)` does.
  init(entropy: UInt64, spawnKey: [UInt64] = [], poolSize: Int = 24) {
    var words = Self.words(entropy)
    if !spawnKey.isEmpty {
      // Padding distinguishes the words of the key from those of a longer entropy.
      words += [UInt32](repeating: 0, count: max(poolSize - words.count, 0))
      for element in spawnKey { words += Self.words(element) }
    }

    var multiplier: UInt32 = 0x43B0_D7E5
    func hash(_ word: UInt32) -> UInt32 {
      var value = word ^ multiplier
      multiplier &*= 0x931E_8875
      value &*= multiplier
      return value ^ (value >> 16)
    }
    func mix(_ x: UInt32, _ y: UInt32) -> UInt32 {
      let value = 0xCA01_F9DD &* x &- 0x4973_F715 &* y
      return value ^ (value >> 16)
    }

    pool = (0..<poolSize).map { hash($0 < words.count ? words[$0] : 0) }
    for source in 0..<poolSize {
      for target in 0..<poolSize where target != source { pool[target] = mix(pool[target], hash(pool[source])) }
    }
    for word in words.dropFirst(poolSize) {
      for target in 0..<poolSize { pool[target] = mix(pool[target], hash(word)) }
    }
  }

  /// The first `count` words, as `generate_state(count)`.
  func generate(_ count: Int) -> [UInt32] {
    var multiplier: UInt32 = 0x8B51_F9DD
    return (0..<count).map { i in
      var value = pool[i % pool.count] ^ multiplier
      multiplier &*= 0x58F3_8DED
      value &*= multiplier
      return value ^ (value >> 16)
    }
  }

  /// Little-endian words without leading zeros; one word for 0.
  private static func words(_ value: UInt64) -> [UInt32] {
    let low = UInt32(truncatingIfNeeded: value)
    let high = UInt32(truncatingIfNeeded: value >> 32)
    return high == 0 ? [low] : [low, high]
  }
}
