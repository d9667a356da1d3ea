import Foundation
import Testing
import TestSupport

@testable import TensorFiles

/// GGUF files with false contents: each is an error that describes the fault.
struct HostileGGUFTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func message(_ bytes: [UInt8]) throws -> String {
    let path = try folder.write("model.gguf", bytes)
    let error = #expect(throws: TensorFileError.self) { try TensorFile(path: path) }
    let text = "\(try #require(error))"
    #expect(text.hasPrefix("\(path): the file is damaged: ") && text.utf8.count < 600, "\(text.prefix(2000))")
    return text
  }

  private func text(_ change: (inout GGUFBytes) -> Void) throws -> String {
    var file = GGUFBytes()
    change(&file)
    return try message(file.bytes)
  }

  private func number<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] { PickleBytes.littleEndian(number) }

  @Test func `counts and versions are checked against the file`() throws {
    #expect(try text { $0.version = 1 }.contains("the version 1"))
    #expect(try text { $0.version = 4 }.contains("the version 4"))
    #expect(try text { $0.version = 0x0300_0000 }.contains("big-endian"))
    #expect(try text { $0.tensorCount = .max }.contains("announces 18446744073709551615 tensors"))
    #expect(try text { $0.tensorCount = 1 << 40 }.contains("more than it has room for"))
    #expect(try text { $0.valueCount = 1 << 40 }.contains("announces 1099511627776 values"))
    let whole = [UInt8](try Fixtures.data("Weights/containers/quantised.gguf"))
    // The last tensor ends before the padding does.
    for count in stride(from: 4, to: whole.count - 32, by: 13) {
      #expect(try message(Array(whole.prefix(count))).contains("damaged"), "\(count) bytes")
    }
  }

  @Test func `values that are too long, too deep, endless or repeated are refused`() throws {
    #expect(try text { $0.value("a", type: 8, number(UInt64.max)) }.contains("a text of 18446744073709551615 bytes"))
    #expect(try text { $0.value("a", type: 99, [0]) }.contains("'a' has the unknown type 99"))
    #expect(try text { $0.value("a", type: 9, number(UInt32(0)) + number(UInt64.max)) }.contains("elements of 'a'"))
    #expect(
      try text { $0.value("a", type: 9, number(UInt32(12)) + number(UInt64(1) << 61)) }.contains("elements of 'a'"))
    #expect(
      try text { $0.value("a", type: 9, number(UInt32(99)) + number(UInt64(1)) + Array(repeating: 0, count: 20)) }
        .contains("unknown type 99"))
    // A list in a list in a list.
    let level = number(UInt32(9)) + number(UInt64(1))
    let deep = (0..<100_000).flatMap { _ in level } + number(UInt32(0)) + number(UInt64(0))
    #expect(try text { $0.value("deep", type: 9, deep) }.contains("'deep' has lists nested more than 8 deep"))
    // Millions of empty texts, and of empty lists.
    let texts = number(UInt32(8)) + number(UInt64(4_500_000)) + Array(repeating: UInt8(0), count: 36_000_000)
    #expect(
      try text { $0.value("many", type: 9, texts) }.contains("its lists have more than 4000000 elements in total"))
    #expect(
      try text {
        $0.value("a", type: 4, number(UInt32(1)))
        $0.value("a", type: 4, number(UInt32(2)))
      }.contains("the value 'a' twice"))
    #expect(try text { $0.value("\u{0}", type: 8, number(UInt64(1)) + [0xFF]) }.contains("not valid UTF-8"))
  }

  @Test func `alignments that are not powers of two are refused`() throws {
    for alignment in [UInt32(0), 3, 33, .max, 1 << 31] {
      #expect(
        try text { $0.value("general.alignment", type: 4, number(alignment)) }
          .contains("general.alignment is \(alignment), expected a power of two"))
    }
    #expect(try text { $0.value("general.alignment", type: 8, GGUFBytes.string("32")) }.contains("power of two"))
    #expect(try text { $0.value("general.alignment", type: 5, number(Int32(-32))) }.contains("power of two"))
  }

  /// Shape, type, offset, bytes of data, and a part of the message.
  static let tensors: [([UInt64], UInt32, UInt64, Int, String)] = [
    ([4], 0, 0, 15, "of 16 bytes from 0 ends beyond the 15 bytes of data"), ([4], 0, 32, 40, "ends beyond"),
    ([4], 0, 16, 40, "expected a multiple of 32"), ([4], 0, .max - 31, 40, "at byte 18446744073709551584"),
    ([4], 0, 1 << 62, 40, "ends beyond"), ([1 << 62], 0, 0, 40, "not whole blocks of F32"),
    ([1 << 32, 1 << 32], 0, 0, 40, "is too large"), ([.max], 0, 0, 40, "has a size of 18446744073709551615"),
    ([1 << 32, 1 << 32, 0], 0, 0, 40, "is too large"),
    ([33], 8, 0, 100, "rows that are not whole blocks of Q8_0"), ([32, 31], 2, 0, 1000, "not whole blocks of Q4_0"),
    ([4], 5, 0, 40, "elements of the unknown type 5"), ([4], .max, 0, 40, "unknown type 4294967295"),
    ([1, 1, 1, 1, 1, 1, 1, 1, 1], 0, 0, 40, "has 9 dimensions"),
  ]

  @Test(arguments: tensors)
  func `a tensor that does not fit in the file is reported as damage`(
    shape: [UInt64], type: UInt32, offset: UInt64, dataCount: Int, reason: String
  ) throws {
    let text = try text {
      $0.tensor("w", type: type, shape: shape, offset: offset)
      $0.data = Array(repeating: 0, count: dataCount)
    }
    #expect(text.contains(reason) && text.contains("'w'"), "\(text)")
  }

  @Test func `tensors that overlap or share a name are reported as damage`() throws {
    #expect(
      try text {
        $0.tensor("a", type: 0, shape: [16], offset: 0)
        $0.tensor("b", type: 0, shape: [8], offset: 32)
        $0.data = Array(repeating: 0, count: 64)
      }.contains("the tensor 'b' overlaps another"))
    #expect(
      try text {
        $0.tensor("a", type: 0, shape: [8], offset: 0)
        $0.tensor("a", type: 0, shape: [8], offset: 32)
        $0.data = Array(repeating: 0, count: 64)
      }.contains("the tensor 'a' twice"))
    #expect(
      try text {
        $0.tensor(String(repeating: "a", count: 2000), type: 0, shape: [8], offset: 0)
        $0.data = Array(repeating: 0, count: 64)
      }.contains("a text of 2000 bytes"))
  }

  @Test func `types that are not supported are listed, and refused as weights`() throws {
    var file = GGUFBytes()
    file.tensor("w", type: 16, shape: [2, 256], offset: 0)
    file.data = Array(repeating: 0, count: 132)
    let path = try folder.write("model.gguf", file.bytes)
    let tensor = try #require(try TensorFile(path: path).tensors["w"])
    #expect(tensor.elementType == .iq2_XXS && tensor.shape == [2, 256])
    #expect(throws: TensorFileError.elementType(path: path, name: "w", found: "IQ2_XXS")) { try tensor.floats() }
  }
}
