/// The numbers of the webui's NV source, which are those of `torch.randn` on an NVIDIA GPU.
///
/// Every call draws from its own position of the counter: word 0 counts the calls, word 2 the numbers of a call.
/// Source: Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3", Philox4x32-10; the webui's `rng_philox`.
struct PhiloxNoise: NormalGenerator {
  /// Eight 32-bit words, in lanes wide enough for their products.
  typealias Words = SIMD8<UInt64>

  private let key: UInt64
  private var offset: UInt64 = 0

  init(seed: Int64) {
    key = UInt64(bitPattern: seed)
  }

  mutating func normals(_ count: Int) -> [Float] {
    defer { offset = (offset + 1) & 0xFFFF_FFFF }
    return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      var index = Words(0, 1, 2, 3, 4, 5, 6, 7)
      for start in stride(from: 0, to: count, by: 8) {
        let (first, second) = Self.words(offset: offset, index: index, key: key)
        let block = Self.normals(first, second)
        for lane in 0..<min(8, count - start) { buffer[start + lane] = Float(block[lane]) }
        index &+= 8
      }
      initialized = count
    }
  }

  mutating func skip(_ count: Int) {
    offset = (offset + 1) & 0xFFFF_FFFF
  }

  /// The first two of the four words at eight counters.
  static func words(offset: UInt64, index: Words, key: UInt64) -> (Words, Words) {
    let mask: UInt64 = 0xFFFF_FFFF
    var c0 = Words(repeating: offset)
    var c1 = Words(repeating: 0)
    var c2 = index
    var c3 = Words(repeating: 0)
    var k0 = key & mask
    var k1 = key >> 32
    for _ in 0..<10 {
      let product0 = (c0 & mask) &* 0xD251_1F53
      let product1 = (c2 & mask) &* 0xCD9E_8D57
      c0 = (product1 &>> 32) ^ c1 ^ k0
      c2 = (product0 &>> 32) ^ c3 ^ k1
      c1 = product1 & mask
      c3 = product0 & mask
      k0 = (k0 + 0x9E37_79B9) & mask
      k1 = (k1 + 0xBB67_AE85) & mask
    }
    return (c0, c1)
  }

  /// The sine half of Box-Muller; the cosine half is not used. Both constants are single-precision values.
  private static func normals(_ first: Words, _ second: Words) -> SIMD8<Double> {
    let unit = Double(Float(2.3283064e-10))
    let turn = Double(Float(2.3283064e-10 * 6.2831855))
    let u = Self.doubles(first) * unit + unit / 2
    let v = Self.doubles(second) * turn + turn / 2
    return (-2 * NoiseMath.log(u)).squareRoot() * NoiseMath.sine(v)
  }

  /// The words as numbers. A word in the low bits of 2^52 is exact; then 2^52 is subtracted.
  private static func doubles(_ words: Words) -> SIMD8<Double> {
    unsafeBitCast(words | 0x4330_0000_0000_0000, to: SIMD8<Double>.self) - 0x1p52
  }
}
