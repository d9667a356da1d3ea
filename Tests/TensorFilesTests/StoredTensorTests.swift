import Foundation
import Testing
import TestSupport

@testable import TensorFiles

struct StoredTensorTests {
  @Test func `all finite half precision numbers are read exactly`() throws {
    let folder = try TemporaryFolder()
    let halves = (0...UInt16.max).filter { Float16(bitPattern: $0).isFinite }
    let path = try folder.write(
      "halves.safetensors",
      [SyntheticTensor("w", [halves.count], bytes: halves.flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) })]
    )
    let floats = try #require(try SafetensorsFile(path: path).tensors["w"]).floats()
    #expect(floats.map(\.bitPattern) == halves.map { Float(Float16(bitPattern: $0)).bitPattern })
    #expect(halves.count == 63488)
  }

  @Test(arguments: [
    ("F32", [0x7F80_0000, 0xFF80_0000, 0x7FC0_0000, 0x7F80_0001, 0xFFFF_FFFF] as [UInt32]),
    ("F16", [0x7C00, 0xFC00, 0x7E00, 0x7C01, 0xFFFF]),
    ("BF16", [0x7F80, 0xFF80, 0x7FC0, 0x7F81, 0xFFFF]),
  ])
  func `a weight that is not finite is refused with its tensor and index`(type: String, patterns: [UInt32]) throws {
    let folder = try TemporaryFolder()
    let size = type == "F32" ? 4 : 2
    for pattern in patterns {
      // 8191 and 8192 are on both sides of a block's end.
      for index in [0, 1, 8191, 8192, 20_002] {
        var bytes = [UInt8](repeating: 0, count: 20_003 * size)
        // The last number is bad, too; the first bad one must be reported.
        for at in [index, 20_002] {
          withUnsafeBytes(of: pattern.littleEndian) {
            bytes.replaceSubrange(at * size..<(at + 1) * size, with: $0[..<size])
          }
        }
        let path = try folder.write("bad.safetensors", [SyntheticTensor("a.b", [20_003], type: type, bytes: bytes)])
        let tensor = try #require(try SafetensorsFile(path: path).tensors["a.b"])
        let error = #expect(throws: TensorFileError.self) { try tensor.floats() }
        guard case .notFinite(path, "a.b", index, let value) = error else {
          Issue.record("\(type) \(String(pattern, radix: 16)) at \(index) gave \(String(describing: error))")
          return
        }
        #expect(value == (pattern == patterns[0] ? "infinity" : pattern == patterns[1] ? "-infinity" : "NaN"))
      }
    }
  }

  @Test func `a part of a tensor reads as that part`() throws {
    let folder = try TemporaryFolder()
    let numbers = (0..<30_000).map { Float($0) / 7 }
    let path = try folder.write("a.safetensors", [SyntheticTensor("w", [30_000], floats: numbers)])
    let tensor = try #require(try SafetensorsFile(path: path).tensors["w"])
    for range in [0..<0, 0..<1, 17..<9_000, 8_192..<16_384, 29_999..<30_000] {
      var part = [Float](repeating: -1, count: range.count + 1)
      try part.withUnsafeMutableBufferPointer { try tensor.read(elements: range, into: try #require($0.baseAddress)) }
      #expect(part.dropLast() == numbers[range])
      #expect(part.last == -1)
    }
  }

  @Test func `a tensor at an odd offset in the file is read correctly`() throws {
    let folder = try TemporaryFolder()
    let tensors = [
      SyntheticTensor("odd", [3], type: "U8", bytes: [1, 2, 3]),
      SyntheticTensor("w", [4], floats: [1.5, -2, 0x1p-140, 3e38]),
    ]
    let file = try SafetensorsFile(path: try folder.write("a.safetensors", tensors))
    #expect(try file.tensors["w"]?.floats() == [1.5, -2, 0x1p-140, 3e38])
  }

  @Test func `a file that is shortened while it is read is an error, and one that is replaced is read as it was`()
    throws
  {
    let folder = try TemporaryFolder()
    let count = 1 << 20
    let numbers = (0..<count).map { Float($0) }
    let bytes = numbers.withUnsafeBytes { Array($0) }
    let path = try folder.write("big.safetensors", [SyntheticTensor("w", [count], type: "F32", bytes: bytes)])
    let tensor = try #require(try SafetensorsFile(path: path).tensors["w"])
    #expect(try tensor.floats() == numbers)
    unlink(path)
    try folder.write("big.safetensors", "something else")
    #expect(try tensor.floats() == numbers)

    let other = try folder.write("short.safetensors", [SyntheticTensor("w", [1, count], type: "F32", bytes: bytes)])
    let cut = try #require(try SafetensorsFile(path: other).tensors["w"])
    #expect(truncate(other, 2_000_000) == 0)
    #expect(throws: TensorFileError.changed(path: other)) { try cut.floats() }
    #expect(throws: TensorFileError.changed(path: other)) { try cut.transposed().withRawBytes { $0.count } }
  }

  @Test func `F64 is rounded to the nearest Float32, and what is beyond it is refused`() throws {
    let folder = try TemporaryFolder()
    func doubles(_ numbers: [Double]) -> [UInt8] {
      numbers.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) }
    }
    // Halfway cases round to even, as numpy's astype(float32) does.
    let numbers = [0, -0.0, 1.5, 0.1, 1 + 0x1p-24, 1 + 0x1.8p-23, 0x1p-149, 0x1p-151, 3.4e38, -0x1.fffffefp127]
    let tensors = [
      SyntheticTensor("w", [2, 5], type: "F64", bytes: doubles(numbers)),
      SyntheticTensor("large", [2], type: "F64", bytes: doubles([1, 1e39])),
    ]
    let path = try folder.write("a.safetensors", tensors)
    let file = try SafetensorsFile(path: path)
    let expected: [UInt32] = [
      0, 0x8000_0000, 0x3FC0_0000, 0x3DCC_CCCD, 0x3F80_0000, 0x3F80_0002, 1, 0, 0x7F7F_C99E, 0xFF7F_FFFF,
    ]
    let tensor = try #require(file.tensors["w"])
    #expect(try tensor.floats().map(\.bitPattern) == expected)
    #expect(try tensor.transposed().floats().map(\.bitPattern) == (0..<10).map { expected[$0 % 2 * 5 + $0 / 2] })
    #expect(throws: TensorFileError.notFinite(path: path, name: "large", index: 1, value: "infinity")) {
      try file.tensors["large"]?.floats()
    }
  }

  @Test func `numbers of every type are read as integers, without their fractions`() throws {
    let folder = try TemporaryFolder()
    let tensors = [
      SyntheticTensor("floats", [4], floats: [40.99, -1.5, 0, 76]),
      SyntheticTensor(
        "longs", [2], type: "I64", bytes: [5] + Array(repeating: 0, count: 7) + Array(repeating: 255, count: 8)),
      SyntheticTensor("bytes", [2], type: "U8", bytes: [7, 255]),
      SyntheticTensor("huge", [1], floats: [1e30]),
    ]
    let file = try SafetensorsFile(path: try folder.write("a.safetensors", tensors))
    #expect(try file.tensors["floats"]?.integers() == [40, -1, 0, 76])
    #expect(try file.tensors["longs"]?.integers() == [5, -1])
    #expect(try file.tensors["bytes"]?.integers() == [7, 255])
    #expect(throws: TensorFileError.self) { try file.tensors["huge"]?.integers() }
  }
}
