/// Decodes quantised blocks to Float32, with the same bits as ggml's reference functions.
///
/// Source: the `dequantize_row_*` functions of ggml's `ggml-quants.c`, and their counterparts in the Python package `gguf`.
enum Dequantization {
  /// Converts one block; `destination` must have room for its elements.
  typealias Block = (_ block: UnsafeRawPointer, _ destination: UnsafeMutablePointer<Float>) -> Void

  // MARK: Blocks of 32 elements, whose low and high halves share bytes

  static func q4_0(_ block: UnsafeRawPointer, _ destination: UnsafeMutablePointer<Float>) {
    let scale = half(block)
    for i in 0..<16 {
      let pair = byte(block, 2 + i)
      destination[i] = scale * Float(Int32(pair & 15) - 8)
      destination[i + 16] = scale * Float(Int32(pair >> 4) - 8)
    }
  }

  static func q4_1(_ block: UnsafeRawPointer, _ destination: UnsafeMutablePointer<Float>) {
    let scale = half(block)
    let least = half(block + 2)
    for i in 0..<16 {
      let pair = byte(block, 4 + i)
      destination[i] = scale * Float(pair & 15) + least
      destination[i + 16] = scale * Float(pair >> 4) + least
    }
  }

  static func q5_0(_ block: UnsafeRawPointer, _ destination: UnsafeMutablePointer<Float>) {
    let scale = half(block)
    let fifthBits = word(block + 2)
    for i in 0..<16 {
      let pair = byte(block, 6 + i)
      destination[i] = scale * Float(Int32(pair & 15 | (fifthBits >> UInt32(i) & 1) << 4) - 16)
      destination[i + 16] = scale * Float(Int32(pair >> 4 | (fifthBits >> UInt32(i + 16) & 1) << 4) - 16)
    }
  }

  static func q5_1(_ block: UnsafeRawPointer, _ destination: UnsafeMutablePointer<Float>) {
    let scale = half(block)
    let least = half(block + 2)
    let fifthBits = word(block + 4)
    for i in 0..<16 {
      let pair = byte(block, 8 + i)
      destination[i] = scale * Float(pair & 15 | (fifthBits >> UInt32(i) & 1) << 4) + least
      destination[i + 16] = scale * Float(pair >> 4 | (fifthBits >> UInt32(i + 16) & 1) << 4) + least
    }
  }

  static func q8_0(_ block: UnsafeRawPointer, _ destination: UnsafeMutablePointer<Float>) {
    let scale = half(block)
    for i in 0..<32 { destination[i] = Float(signedByte(block, 2 + i)) * scale }
  }

  // MARK: Blocks of 256 elements, whose parts have their own scales

  static func q2_K(_ block: UnsafeRawPointer, _ destination: UnsafeMutablePointer<Float>) {
    let scale = half(block + 80)
    let leastScale = half(block + 82)
    for part in 0..<16 {
      let packed = byte(block, part)
      let partScale = scale * Float(packed & 15)
      let least = leastScale * Float(packed >> 4)
      // Each 32 bytes hold eight parts: two bits of four times 32 elements.
      let bytes = block + 16 + part / 8 * 32 + part % 2 * 16
      let shift = UInt32(part % 8 / 2 * 2)
      for i in 0..<16 { destination[16 * part + i] = partScale * Float(byte(bytes, i) >> shift & 3) - least }
    }
  }

  static func q3_K(_ block: UnsafeRawPointer, _ destination: UnsafeMutablePointer<Float>) {
    let scale = half(block + 108)
    for part in 0..<16 {
      // Four low bits of a scale in eight bytes, two high bits in the four after them.
      let low = byte(block, 96 + part % 8) >> UInt32(part / 8 * 4) & 15
      let high = byte(block, 104 + part % 4) >> UInt32(part / 4 * 2) & 3
      let partScale = scale * Float(Int32(low | high << 4) - 32)
      let bytes = block + 32 + part / 8 * 32 + part % 2 * 16
      let shift = UInt32(part % 8 / 2 * 2)
      let thirdBits = block + part % 2 * 16
      let thirdShift = UInt32(part / 2)
      for i in 0..<16 {
        // The third bit is stored inverted: 1 means that nothing is subtracted.
        let offset: Int32 = byte(thirdBits, i) >> thirdShift & 1 == 0 ? 4 : 0
        destination[16 * part + i] = partScale * Float(Int32(byte(bytes, i) >> shift & 3) - offset)
      }
    }
  }

  static func q4_K(_ block: UnsafeRawPointer, _ destination: UnsafeMutablePointer<Float>) {
    let scale = half(block)
    let leastScale = half(block + 2)
    for part in 0..<8 {
      let (partScale, least) = scaleAndLeast(block + 4, part)
      let factor = scale * Float(partScale)
      let offset = leastScale * Float(least)
      let bytes = block + 16 + part / 2 * 32
      let shift = UInt32(part % 2 * 4)
      for i in 0..<32 { destination[32 * part + i] = factor * Float(byte(bytes, i) >> shift & 15) - offset }
    }
  }

  static func q5_K(_ block: UnsafeRawPointer, _ destination: UnsafeMutablePointer<Float>) {
    let scale = half(block)
    let leastScale = half(block + 2)
    for part in 0..<8 {
      let (partScale, least) = scaleAndLeast(block + 4, part)
      let factor = scale * Float(partScale)
      let offset = leastScale * Float(least)
      let bytes = block + 48 + part / 2 * 32
      let shift = UInt32(part % 2 * 4)
      for i in 0..<32 {
        let fifthBit = byte(block, 16 + i) >> UInt32(part) & 1
        destination[32 * part + i] = factor * Float(byte(bytes, i) >> shift & 15 | fifthBit << 4) - offset
      }
    }
  }

  static func q6_K(_ block: UnsafeRawPointer, _ destination: UnsafeMutablePointer<Float>) {
    let scale = half(block + 208)
    for part in 0..<8 {
      let low = block + part / 4 * 64 + part % 2 * 32
      let lowShift = UInt32(part % 4 / 2 * 4)
      let high = block + 128 + part / 4 * 32
      let highShift = UInt32(part % 4 * 2)
      for i in 0..<32 {
        let factor = scale * Float(signedByte(block, 192 + 2 * part + i / 16))
        let number = byte(low, i) >> lowShift & 15 | (byte(high, i) >> highShift & 3) << 4
        destination[32 * part + i] = factor * Float(Int32(number) - 32)
      }
    }
  }

  /// The 6-bit scale and minimum of one of eight parts, from the 12 bytes that hold all of them.
  private static func scaleAndLeast(_ bytes: UnsafeRawPointer, _ part: Int) -> (UInt32, UInt32) {
    if part < 4 { return (byte(bytes, part) & 63, byte(bytes, part + 4) & 63) }
    let shared = byte(bytes, part + 4)
    return (shared & 15 | (byte(bytes, part - 4) >> 6) << 4, shared >> 4 | (byte(bytes, part) >> 6) << 4)
  }

  // MARK: Numbers in a block

  private static func byte(_ block: UnsafeRawPointer, _ offset: Int) -> UInt32 {
    UInt32(block.load(fromByteOffset: offset, as: UInt8.self))
  }

  private static func signedByte(_ block: UnsafeRawPointer, _ offset: Int) -> Int8 {
    block.load(fromByteOffset: offset, as: Int8.self)
  }

  private static func word(_ pointer: UnsafeRawPointer) -> UInt32 {
    UInt32(littleEndian: pointer.loadUnaligned(as: UInt32.self))
  }

  private static func half(_ pointer: UnsafeRawPointer) -> Float {
    Widening.float16(UInt16(littleEndian: pointer.loadUnaligned(as: UInt16.self)))
  }
}
