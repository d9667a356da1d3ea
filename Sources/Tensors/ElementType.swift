/// The numbers that a tensor or a matrix is stored in. Sums, norms and softmax are in 32 bits in any case.
public enum ElementType: String, Sendable, CaseIterable {
  /// IEEE 754 single precision.
  case fp32
  /// The upper half of `fp32`: its range with 8 significant bits.
  case bf16

  /// Bytes of a number.
  public var size: Int {
    switch self {
    case .fp32: 4
    case .bf16: 2
    }
  }
}

/// A bfloat16 number as a float; exact.
func widened(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

/// The nearest bfloat16 number, of two equally near the even one; what is not a number stays so.
func narrowed(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
  return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ (bits >> 16 & 1)) >> 16)
}
