import CKernels

/// Conversion of stored weights to Float32, which represents every F16, BF16 and FP8 number exactly. F64 is rounded.
///
/// The loops are plain, so that the compiler vectorises them. Each returns whether all numbers were finite. Adding one to the
/// exponent carries into the sign bit exactly if the exponent was all ones, so the test is an `or` of these sums.
enum Widening {
  /// Rounds to the nearest number, as in PyTorch. A number beyond Float32's range becomes infinite.
  static func float64(_ source: UnsafeRawPointer, count: Int, into destination: UnsafeMutablePointer<Float>) -> Bool {
    var carry: UInt32 = 0
    for i in 0..<count {
      let bits = UInt64(littleEndian: source.loadUnaligned(fromByteOffset: 8 * i, as: UInt64.self))
      let number = Float(Double(bitPattern: bits))
      carry |= (number.bitPattern & 0x7FFF_FFFF) &+ 0x0080_0000
      destination[i] = number
    }
    return carry & 0x8000_0000 == 0
  }

  static func float32(_ source: UnsafeRawPointer, count: Int, into destination: UnsafeMutablePointer<Float>) -> Bool {
    var carry: UInt32 = 0
    for i in 0..<count {
      let number = UInt32(littleEndian: source.loadUnaligned(fromByteOffset: 4 * i, as: UInt32.self))
      carry |= (number & 0x7FFF_FFFF) &+ 0x0080_0000
      destination[i] = Float(bitPattern: number)
    }
    return carry & 0x8000_0000 == 0
  }

  static func bfloat16(_ source: UnsafeRawPointer, count: Int, into destination: UnsafeMutablePointer<Float>) -> Bool {
    var carry: UInt32 = 0
    for i in 0..<count {
      let number = UInt32(UInt16(littleEndian: source.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self))) &<< 16
      carry |= (number & 0x7FFF_FFFF) &+ 0x0080_0000
      destination[i] = Float(bitPattern: number)
    }
    return carry & 0x8000_0000 == 0
  }

  /// IEEE 754 half precision: 1 sign, 5 exponent (bias 15) and 10 fraction bits. Most models are stored in it, and processors
  /// have an instruction for the conversion.
  static func float16(_ source: UnsafeRawPointer, count: Int, into destination: UnsafeMutablePointer<Float>) -> Bool {
    ck_kernels().pointee.widen_f16(source, count, destination) != 0
  }

  /// One number of half precision.
  @inline(__always) static func float16(_ bits: UInt16) -> Float {
    let half = UInt32(bits)
    let magnitude = half & 0x7FFF
    // The exponent's bias changes from 15 to 127. All ones stay all ones, which keeps NaN and infinity.
    let rebias: UInt32 = magnitude >= 0x7C00 ? 224 &<< 23 : 112 &<< 23
    let normal = magnitude &<< 13 &+ rebias
    // Denormals are multiples of 2^-24. In Float32 they are normal numbers, so a flush-to-zero mode does not affect them.
    let denormal = (Float(Int32(bitPattern: magnitude)) * 0x1p-24).bitPattern
    return Float(bitPattern: (half & 0x8000) &<< 16 | (magnitude < 0x0400 ? denormal : normal))
  }

  /// FP8 with 1 sign, 5 exponent (bias 15) and 2 fraction bits: the upper half of a half precision number.
  static func float8E5M2(_ source: UnsafeRawPointer, count: Int, into destination: UnsafeMutablePointer<Float>) -> Bool
  {
    var carry: UInt8 = 0
    for i in 0..<count {
      let bits = source.load(fromByteOffset: i, as: UInt8.self)
      carry |= (bits & 0x7F) &+ 0x04
      destination[i] = float16(UInt16(bits) &<< 8)
    }
    return carry & 0x80 == 0
  }

  /// FP8 with 1 sign, 4 exponent (bias 7) and 3 fraction bits, without infinities; all ones are NaN (OCP's E4M3, PyTorch's
  /// `float8_e4m3fn`).
  static func float8E4M3(_ source: UnsafeRawPointer, count: Int, into destination: UnsafeMutablePointer<Float>) -> Bool
  {
    var carry: UInt8 = 0
    for i in 0..<count {
      let bits = source.load(fromByteOffset: i, as: UInt8.self)
      carry |= (bits & 0x7F) &+ 1
      let magnitude = UInt32(bits & 0x7F)
      let normal = magnitude == 0x7F ? Float.nan.bitPattern : magnitude &<< 20 &+ 120 &<< 23
      let denormal = (Float(Int32(bitPattern: magnitude)) * 0x1p-9).bitPattern
      destination[i] = Float(bitPattern: UInt32(bits & 0x80) &<< 24 | (magnitude < 8 ? denormal : normal))
    }
    return carry & 0x80 == 0
  }
}
