/// The type of a number in a tensor. Sums, norms and softmax are always computed in 32 bits.
public enum ElementType: String, Sendable, CaseIterable {
  /// IEEE 754 single precision.
  case fp32
  /// The upper half of `fp32`: its range with 8 significant bits.
  case bf16

  /// The size of a number in bytes.
  public var size: Int {
    switch self {
    case .fp32: 4
    case .bf16: 2
    }
  }
}

/// A Swift type for the numbers of an element type.
protocol TensorNumber: BitwiseCopyable {
  static var elementType: ElementType { get }
}

extension Float: TensorNumber {
  static var elementType: ElementType { .fp32 }
}

/// The bits of a bfloat16 number.
extension UInt16: TensorNumber {
  static var elementType: ElementType { .bf16 }
}

/// A bfloat16 number as a float; exact.
func widened(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

/// The nearest bfloat16 number; ties go to the even one, and NaN stays NaN.
func narrowed(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  // Keep NaN a NaN: its payload may be in the low 16 bits only.
  if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
  return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ (bits >> 16 & 1)) >> 16)
}
