/// Rounding to half precision, whose fraction has ten bits.
enum HalfPrecision {
  /// The nearest half-precision number; ties go to the even one.
  static func rounded(_ x: Float) -> Float {
    guard x != 0, x.isFinite else { return x }
    // One unit in the last place at this exponent; all subnormal numbers have the same unit.
    let unit = Float(sign: .plus, exponent: max(Int(x.exponent), -14) - 10, significand: 1)
    let nearest = (x / unit).rounded(.toNearestOrEven) * unit
    return nearest.magnitude > 65504 ? (x < 0 ? -.infinity : .infinity) : nearest
  }
}
