import Foundation

/// Single-precision functions of one sigma, correctly rounded except for rare cases in the last bit. The C library's own
/// single-precision functions differ between machines. PyTorch's results are within one unit in the last place.
extension Float {
  static func log(_ x: Float) -> Float { Float(Foundation.log(Double(x))) }
  static func exp(_ x: Float) -> Float { Float(Foundation.exp(Double(x))) }
  /// exp(x) − 1
  static func expm1(_ x: Float) -> Float { Float(Foundation.expm1(Double(x))) }
  static func pow(_ x: Float, _ exponent: Double) -> Float { Float(Foundation.pow(Double(x), exponent)) }
}
