import Foundation

/// The numbers of PyTorch's `torch.randn` in single precision on the CPU.
///
/// Source: PyTorch's `normal_fill` and `normal_distribution`. PyTorch's logarithm, sine and cosine are polynomials on x86 with
/// AVX2, and the C library's functions elsewhere, so its own numbers differ in the last bits between machines. The numbers here
/// agree with those on x86 to two units in the last place, and 99 of 100 have the same bits.
struct TorchNoise: NormalGenerator {
  private var words: MersenneTwister
  /// The unused second number of a pair, in a short draw.
  private var spare: Double?

  init(seed: Int64) {
    words = MersenneTwister(seed: seed)
  }

  mutating func normals(_ count: Int) -> [Float] {
    if count < 16 { return (0..<count).map { _ in Float(nextDouble()) } }
    return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      words.fillUniform(UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
      for block in stride(from: 0, through: count - 16, by: 16) {
        Self.transform(UnsafeMutableBufferPointer(rebasing: buffer[block..<(block + 16)]))
      }
      if count % 16 != 0 {
        // A remainder is not transformed alone: the last 16 numbers are drawn again as a block, so some are drawn twice.
        let tail = UnsafeMutableBufferPointer(rebasing: buffer[(count - 16)..<count])
        words.fillUniform(tail)
        Self.transform(tail)
      }
      initialized = count
    }
  }

  mutating func skip(_ count: Int) {
    if count < 16 {
      for _ in 0..<count { _ = nextDouble() }
    } else {
      words.skip(count % 16 == 0 ? count : count + 16)
    }
  }

  /// Box-Muller over 16 uniforms: number j and number j + 8 make a pair.
  @inline(__always)
  private static func transform(_ block: UnsafeMutableBufferPointer<Float>) {
    // Not `2 * Float.pi`, which Swift rounds towards zero.
    let turn = Float(2 * Double.pi)
    var first = SIMD8<Float>()
    var second = SIMD8<Float>()
    for j in 0..<8 {
      first[j] = block[j]
      second[j] = block[j + 8]
    }
    let radius = (-2 * NoiseMath.log(1 - first)).squareRoot()
    let (sine, cosine) = NoiseMath.sineAndCosine(turn * second)
    for j in 0..<8 {
      block[j] = radius[j] * cosine[j]
      block[j + 8] = radius[j] * sine[j]
    }
  }

  /// PyTorch's scalar path for draws of fewer than 16 numbers: double precision, in pairs.
  private mutating func nextDouble() -> Double {
    if let value = spare {
      spare = nil
      return value
    }
    let angle = 2 * Double.pi * nextUniform()
    let radius = (-2 * log1p(-nextUniform())).squareRoot()
    spare = radius * sin(angle)
    return radius * cos(angle)
  }

  /// Uniform in 0..<1 with 53 random bits.
  private mutating func nextUniform() -> Double {
    let high = UInt64(words.next())
    let bits = (high << 32 | UInt64(words.next())) & (1 << 53 - 1)
    return Double(bits) * 0x1p-53
  }
}
