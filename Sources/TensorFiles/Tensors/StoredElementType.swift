/// The type of a stored tensor's elements. The raw value is the name in safetensors for plain numbers, and the name in GGUF for
/// blocks of quantised numbers.
public enum StoredElementType: String, Sendable, CaseIterable {
  case bool = "BOOL"
  case f4 = "F4"
  case f6E2M3 = "F6_E2M3"
  case f6E3M2 = "F6_E3M2"
  case u8 = "U8"
  case i8 = "I8"
  case f8E5M2 = "F8_E5M2"
  case f8E4M3 = "F8_E4M3"
  case f8E8M0 = "F8_E8M0"
  case f8E4M3FNUZ = "F8_E4M3FNUZ"
  case f8E5M2FNUZ = "F8_E5M2FNUZ"
  case i16 = "I16"
  case u16 = "U16"
  case f16 = "F16"
  case bf16 = "BF16"
  case i32 = "I32"
  case u32 = "U32"
  case f32 = "F32"
  case c64 = "C64"
  case f64 = "F64"
  case i64 = "I64"
  case u64 = "U64"
  case c128 = "C128"

  case q4_0 = "Q4_0"
  case q4_1 = "Q4_1"
  case q5_0 = "Q5_0"
  case q5_1 = "Q5_1"
  case q8_0 = "Q8_0"
  case q8_1 = "Q8_1"
  case q2_K = "Q2_K"
  case q3_K = "Q3_K"
  case q4_K = "Q4_K"
  case q5_K = "Q5_K"
  case q6_K = "Q6_K"
  case q8_K = "Q8_K"
  case iq2_XXS = "IQ2_XXS"
  case iq2_XS = "IQ2_XS"
  case iq2_S = "IQ2_S"
  case iq3_XXS = "IQ3_XXS"
  case iq3_S = "IQ3_S"
  case iq1_S = "IQ1_S"
  case iq1_M = "IQ1_M"
  case iq4_NL = "IQ4_NL"
  case iq4_XS = "IQ4_XS"
  case tq1_0 = "TQ1_0"
  case tq2_0 = "TQ2_0"
  case mxfp4 = "MXFP4"

  /// The smallest part of a tensor that can be decoded separately, as a number of elements and of bytes.
  ///
  /// Elements of less than a byte are packed; quantised elements share a scale with their block.
  public var block: (elements: Int, bytes: Int) {
    switch self {
    case .f4: (2, 1)
    case .f6E2M3, .f6E3M2: (4, 3)
    case .bool, .u8, .i8, .f8E5M2, .f8E4M3, .f8E8M0, .f8E4M3FNUZ, .f8E5M2FNUZ: (1, 1)
    case .i16, .u16, .f16, .bf16: (1, 2)
    case .i32, .u32, .f32: (1, 4)
    case .c64, .f64, .i64, .u64: (1, 8)
    case .c128: (1, 16)
    case .q4_0, .iq4_NL: (32, 18)
    case .q4_1: (32, 20)
    case .q5_0: (32, 22)
    case .q5_1: (32, 24)
    case .q8_0: (32, 34)
    case .q8_1: (32, 40)
    case .mxfp4: (32, 17)
    case .q2_K: (256, 84)
    case .q3_K, .iq3_S: (256, 110)
    case .q4_K: (256, 144)
    case .q5_K: (256, 176)
    case .q6_K: (256, 210)
    case .q8_K: (256, 292)
    case .iq2_XXS, .tq2_0: (256, 66)
    case .iq2_XS: (256, 74)
    case .iq2_S: (256, 82)
    case .iq3_XXS: (256, 98)
    case .iq1_S: (256, 50)
    case .iq1_M: (256, 56)
    case .iq4_XS: (256, 136)
    case .tq1_0: (256, 54)
    }
  }

  /// Whether the safetensors format supports this type.
  var isSafetensors: Bool { block.elements < 32 && self != .c128 }

  /// Whether `StoredTensor` converts this type to Float32.
  public var isReadable: Bool {
    switch self {
    case .f64, .f32, .f16, .bf16, .f8E4M3, .f8E5M2: true
    default: dequantize != nil
    }
  }

  /// The function that decodes a block of quantised elements; nil for plain numbers and for unsupported types.
  var dequantize: Dequantization.Block? {
    switch self {
    case .q4_0: Dequantization.q4_0
    case .q4_1: Dequantization.q4_1
    case .q5_0: Dequantization.q5_0
    case .q5_1: Dequantization.q5_1
    case .q8_0: Dequantization.q8_0
    case .q2_K: Dequantization.q2_K
    case .q3_K: Dequantization.q3_K
    case .q4_K: Dequantization.q4_K
    case .q5_K: Dequantization.q5_K
    case .q6_K: Dequantization.q6_K
    default: nil
    }
  }

  /// The bytes that `count` consecutive elements take; nil if they are not whole blocks, or on overflow.
  func byteCount(of count: Int) -> Int? {
    let block = block
    guard count.isMultiple(of: block.elements) else { return nil }
    let (bytes, overflow) = (count / block.elements).multipliedReportingOverflow(by: block.bytes)
    return overflow ? nil : bytes
  }
}
