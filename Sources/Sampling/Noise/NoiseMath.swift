/// Logarithm, sine and cosine of eight numbers at a time, only for the ranges that Box-Muller needs.
///
/// They use only correctly rounded operations, so noise has the same bits on every machine. The single-precision functions are
/// those that PyTorch runs on x86.
///
/// Source: Moshier's Cephes `logf`, `sinf` and `cosf`; for double precision, Sun's fdlibm `__ieee754_log`,
/// `__kernel_sin` and `__kernel_cos`.
enum NoiseMath {
  typealias Floats = SIMD8<Float>
  typealias Doubles = SIMD8<Double>

  /// Natural logarithm of normal numbers above 0.
  static func log(_ x: Floats) -> Floats {
    // x = fraction · 2^exponent with the fraction in 0.5..<1. It becomes m, the fraction in √½..<√2 minus 1.
    let bits = unsafeBitCast(x, to: SIMD8<UInt32>.self)
    let fraction = unsafeBitCast(bits & 0x007F_FFFF | 0x3F00_0000, to: Floats.self)
    // 2^23 + the biased exponent, made from its bits, is exact.
    let exponent = unsafeBitCast(bits &>> 23 | 0x4B00_0000, to: Floats.self) - (0x1p23 + 126)
    let isLow = fraction .< 0.707106781186547524
    let m = (fraction - 1) + Floats(repeating: 0).replacing(with: fraction, where: isLow)
    let e = exponent - Floats(repeating: 0).replacing(with: 1, where: isLow)

    let z = m * m
    var y = Floats(repeating: 7.0376836292e-2)
    y = y * m - 1.1514610310e-1
    y = y * m + 1.1676998740e-1
    y = y * m - 1.2420140846e-1
    y = y * m + 1.4249322787e-1
    y = y * m - 1.6668057665e-1
    y = y * m + 2.0000714765e-1
    y = y * m - 2.4999993993e-1
    y = y * m + 3.3333331174e-1
    y = y * m * z
    // ln 2 in two parts; the large one has few bits, so its product with e is exact.
    y = y + e * -2.12194440e-4
    y = y - z * 0.5
    return (m + y) + e * 0.693359375
  }

  /// Sine and cosine of numbers in 0...2π.
  static func sineAndCosine(_ x: Floats) -> (sine: Floats, cosine: Floats) {
    // The even octant nearest to x: 0, 2, 4, 6 or 8 eighths of a turn.
    let octants = x * 1.27323954473516
    let afterFirst = octants .>= 1
    let afterSecond = octants .>= 3
    let afterThird = octants .>= 5
    let afterFourth = octants .>= 7
    var octant = Floats(repeating: 0).replacing(with: 2, where: afterFirst)
    octant.replace(with: 4, where: afterSecond)
    octant.replace(with: 6, where: afterThird)
    octant.replace(with: 8, where: afterFourth)
    // π/4 in three parts; the first two have few bits.
    let r = ((x - octant * 0.78515625) - octant * 2.4187564849853515625e-4) - octant * 3.77489497744594108e-8

    let z = r * r
    var c = Floats(repeating: 2.443315711809948e-5)
    c = c * z - 1.388731625493765e-3
    c = c * z + 4.166664568298827e-2
    c = c * z * z - z * 0.5 + 1
    var s = Floats(repeating: -1.9515295891e-4)
    s = s * z + 8.3321608736e-3
    s = s * z - 1.6666654611e-1
    s = s * z * r + r

    // A quarter turn swaps the two. Sine is negative in the quarters around 3π/2 and π, cosine around π/2 and π.
    let swaps = (afterFirst .^ afterSecond) .| (afterThird .^ afterFourth)
    var sine = s.replacing(with: c, where: swaps)
    var cosine = c.replacing(with: s, where: swaps)
    sine.replace(with: -sine, where: afterSecond .^ afterFourth)
    cosine.replace(with: -cosine, where: afterFirst .^ afterThird)
    return (sine, cosine)
  }

  /// Natural logarithm of normal numbers above 0.
  static func log(_ x: Doubles) -> Doubles {
    // x = (1 + f) · 2^k with 1 + f in √½..<√2.
    let bits = unsafeBitCast(x, to: SIMD8<UInt64>.self)
    let fraction = unsafeBitCast(bits & 0x000F_FFFF_FFFF_FFFF | 0x3FE0_0000_0000_0000, to: Doubles.self)
    let exponent = unsafeBitCast(bits &>> 52 | 0x4330_0000_0000_0000, to: Doubles.self) - (0x1p52 + 1022)
    let isLow = fraction .< 0.70710678118654752440
    let f = (fraction - 1) + Doubles(repeating: 0).replacing(with: fraction, where: isLow)
    let k = exponent - Doubles(repeating: 0).replacing(with: 1, where: isLow)

    let s = f / (2 + f)
    let z = s * s
    let w = z * z
    var even = w * 1.531383769920937332e-01 + 2.222219843214978396e-01
    even = even * w + 3.999999999940941908e-01
    var odd = w * 1.479819860511658591e-01 + 1.818357216161805012e-01
    odd = odd * w + 2.857142874366239149e-01
    odd = odd * w + 6.666666666666735130e-01
    let series = even * w + odd * z
    let half = 0.5 * f * f
    // ln 2 in two parts; the large one has 32 bits, so its product with k is exact.
    let correction = s * (half + series) + k * 1.90821492927058770002e-10
    return k * 6.93147180369123816490e-01 - ((half - correction) - f)
  }

  /// Sine of numbers in 0...2π.
  static func sine(_ x: Doubles) -> Doubles {
    // The nearest quarter turn: adding 1.5 · 2^52 leaves the integer in the low bits.
    let shifted = x * 0.63661977236758134308 + 0x1.8p52
    let quarter = shifted - 0x1.8p52
    let quadrant = unsafeBitCast(shifted, to: SIMD8<UInt64>.self)
    // π/2 in two parts; the large one has 33 bits, so its product with the quarter is exact.
    let r = (x - quarter * 1.57079632673412561417) - quarter * 6.07710050650619224932e-11

    let z = r * r
    var s = z * 1.58969099521155010221e-10 - 2.50507602534068634195e-08
    s = s * z + 2.75573137070700676789e-06
    s = s * z - 1.98412698298579493134e-04
    s = s * z + 8.33333333332248946124e-03
    s = s * z - 1.66666666666666324348e-01
    s = r + r * z * s
    var c = z * -1.13596475577881948265e-11 + 2.08757232129817482790e-09
    c = c * z - 2.75573143513906633035e-07
    c = c * z + 2.48015872894767294178e-05
    c = c * z - 1.38888888888741095749e-03
    c = c * z + 4.16666666666666019037e-02
    c = 1 - (0.5 * z - z * z * c)

    // Cosine in odd quadrants, negated in the upper two; done with bits, because SSE2 has no 64-bit comparisons.
    let isOdd = 0 &- (quadrant & 1)
    let sineBits = unsafeBitCast(s, to: SIMD8<UInt64>.self) & ~isOdd
    let cosineBits = unsafeBitCast(c, to: SIMD8<UInt64>.self) & isOdd
    return unsafeBitCast((sineBits | cosineBits) ^ ((quadrant & 2) &<< 62), to: Doubles.self)
  }
}
