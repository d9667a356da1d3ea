/// Numbers of ten bits after the first one, as half-precision tensors hold them.
enum HalfPrecision {
  /// The nearest half-precision number, of two equally near the even one.
  static func rounded(_ x: Float) -> Float {
    guard x != 0, x.isFinite else { return x }
    // One unit in the last place at this exponent; below the smallest normal number units stay the same.
    let unit = Float(sign: .plus, exponent: max(Int(x.exponent), -14) - 10, significand: 1)
    let nearest = (x / unit).rounded(.toNearestOrEven) * unit
    return nearest.magnitude > 65504 ? (x < 0 ? -.infinity : .infinity) : nearest
  }
}
