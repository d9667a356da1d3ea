/// The 32-bit Mersenne Twister, seeded as in PyTorch.
///
/// Source: Matsumoto & Nishimura 1998, "Mersenne Twister", with the initialisation of 2002.
struct MersenneTwister: Sendable {
  private static let size = 624
  private static let offset = 397

  private var state: [UInt32]
  private var position = size

  /// Uses only the low 32 bits of the seed.
  init(seed: Int64) {
    state = [UInt32](repeating: 0, count: Self.size)
    state[0] = UInt32(truncatingIfNeeded: seed)
    for i in 1..<Self.size {
      state[i] = 1_812_433_253 &* (state[i - 1] ^ (state[i - 1] >> 30)) &+ UInt32(i)
    }
  }

  mutating func next() -> UInt32 {
    if position == Self.size { refill() }
    defer { position += 1 }
    return Self.temper(state[position])
  }

  /// Fills `buffer` with uniform numbers in 0..<1 that have 24 random bits, one word each.
  mutating func fillUniform(_ buffer: UnsafeMutableBufferPointer<Float>) {
    var filled = 0
    while filled < buffer.count {
      if position == Self.size { refill() }
      let count = min(buffer.count - filled, Self.size - position)
      state.withUnsafeBufferPointer { words in
        for i in 0..<count {
          buffer[filled &+ i] = Float(Int32(bitPattern: Self.temper(words[position &+ i]) & 0xFF_FFFF)) * 0x1p-24
        }
      }
      filled += count
      position += count
    }
  }

  /// Skips `count` words.
  mutating func skip(_ count: Int) {
    var left = count
    while left > Self.size - position {
      left -= Self.size - position
      refill()
    }
    position += left
  }

  @inline(__always)
  private static func temper(_ word: UInt32) -> UInt32 {
    var y = word
    y ^= y >> 11
    y ^= (y << 7) & 0x9D2C_5680
    y ^= (y << 15) & 0xEFC6_0000
    return y ^ (y >> 18)
  }

  private mutating func refill() {
    position = 0
    state.withUnsafeMutableBufferPointer { s in
      let rest = Self.size - Self.offset
      for i in 0..<rest { s[i] = Self.twist(s[i], s[i &+ 1], s[i &+ Self.offset]) }
      for i in rest..<(Self.size - 1) { s[i] = Self.twist(s[i], s[i &+ 1], s[i &- rest]) }
      s[Self.size - 1] = Self.twist(s[Self.size - 1], s[0], s[Self.offset - 1])
    }
  }

  @inline(__always)
  private static func twist(_ upper: UInt32, _ lower: UInt32, _ far: UInt32) -> UInt32 {
    let mixed = (upper & 0x8000_0000) | (lower & 0x7FFF_FFFF)
    return far ^ (mixed >> 1) ^ ((0 &- (lower & 1)) & 0x9908_B0DF)
  }
}
