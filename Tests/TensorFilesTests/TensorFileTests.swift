import Foundation
import Testing
import TestSupport

@testable import TensorFiles

/// Files that the real libraries wrote, see `Tests/FixtureScripts/make_containers.py`.
struct TensorFileTests {
  static let files: [(file: String, container: TensorFile.Container)] = [
    ("archive.ckpt", .torchArchive), ("legacy.ckpt", .torchLegacy), ("archive-protocol4.pt", .torchArchive),
    ("nested.pt", .torchArchive), ("state.bin", .torchArchive), ("typed.pth", .torchArchive),
    ("tagged.pt", .torchArchive), ("embedding.pt", .torchArchive), ("fp8.safetensors", .safetensors),
    ("quantised.gguf", .gguf),
  ]

  static func open(_ file: String) throws -> TensorFile {
    try TensorFile(path: Fixtures.path("Weights/containers/\(file)"))
  }

  /// The tensors as the library that wrote the file reads them: shapes, and the bits of the numbers in Float32.
  static func expected(_ file: String) throws -> [String: (shape: [Int], bits: [UInt32])] {
    var tensors: [String: (shape: [Int], bits: [UInt32])] = [:]
    let name = file.split(separator: ".")[0]
    for line in try Fixtures.text("Weights/containers/\(name).txt").split(separator: "\n") {
      let words = line.split(separator: " ")
      let shape = words[1].split(separator: "x").compactMap { Int($0) }
      tensors[String(words[0])] = (shape, try words[2...].map { try #require(UInt32($0, radix: 16)) })
    }
    return tensors
  }

  @Test(arguments: files)
  func `every number equals what the file's own library reads, bit for bit`(
    file: String, container: TensorFile.Container
  ) throws {
    let opened = try Self.open(file)
    #expect(opened.container == container)
    let expected = try Self.expected(file)
    for (name, tensor) in expected {
      let found = try #require(opened.tensors[name], "\(name)")
      #expect(found.shape == tensor.shape, "\(name)")
      #expect(found.elementCount == tensor.bits.count)
      #expect(try found.floats().map(\.bitPattern) == tensor.bits, "\(name)")
    }
    let others = Set(opened.tensors.keys).subtracting(expected.keys)
    #expect(others == (["archive", "legacy"].contains { file.hasPrefix($0) } ? ["ids", "double"] : []))
  }

  @Test(arguments: files)
  func `any range of elements is that part of the whole`(file: String, container: TensorFile.Container) throws {
    var random = SplitMix64(state: 11)
    for tensor in try Self.open(file).tensors.values where tensor.elementType.isReadable {
      let whole = try tensor.floats().map(\.bitPattern)
      for _ in 0..<20 {
        let start = Int.random(in: 0...whole.count, using: &random)
        let end = Int.random(in: start...whole.count, using: &random)
        var part = [Float](repeating: .nan, count: max(end - start, 1))
        try part.withUnsafeMutableBufferPointer { buffer in
          try tensor.read(elements: start..<end, into: try #require(buffer.baseAddress))
        }
        #expect(
          part.prefix(end - start).map(\.bitPattern) == Array(whole[start..<end]), "\(tensor.name) \(start)..<\(end)")
      }
    }
  }

  @Test func `raw bytes of a tensor with strides are in row-major order`() throws {
    let tensor = try #require(try Self.open("archive.ckpt").tensors["transposed"])
    #expect(tensor.strides != nil)
    let bits = try tensor.withRawBytes { bytes in
      (0..<tensor.elementCount).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self) }
    }
    #expect(try bits == Self.expected("archive")["transposed"]?.bits)
  }

  @Test func `metadata besides the tensors are read`() throws {
    for file in ["archive.ckpt", "legacy.ckpt", "archive-protocol4.pt"] {
      let metadata = try Self.open(file).metadata
      #expect(metadata["epoch"] == "3" && metadata["global_step"] == "1099511627776")
      #expect(metadata["pytorch-lightning_version"] == "1.4.2" && metadata["loss"] == "0.125")
      #expect(metadata["flag"] == "true" && metadata["nothing"] == nil)
    }
    let embedding = try Self.open("embedding.pt").metadata
    #expect(embedding["name"] == "an embedding" && embedding["step"] == "500")
    #expect(embedding["string_to_token.*"] == "265" && embedding["sd_checkpoint"] == "0123456789")
    let quantised = try Self.open("quantised.gguf").metadata
    #expect(quantised["general.architecture"] == "sd" && quantised["general.name"] == "fixture")
    #expect(quantised["test.number"] == "7" && quantised["test.float"] == "0.5" && quantised["test.flag"] == "true")
    #expect(quantised["test.list"] == "3 values" && quantised["test.numbers"] == "3 values")
  }

  @Test func `quantised matrices are transposed, as a whole and in part`() throws {
    let expected = try Self.expected("quantised.gguf")
    for tensor in try Self.open("quantised.gguf").tensors.values where tensor.shape.count == 2 {
      let (rows, columns) = (tensor.shape[0], tensor.shape[1])
      let numbers = try #require(expected[tensor.name]).bits
      let transposedNumbers = (0..<rows * columns).map { numbers[$0 % rows * columns + $0 / rows] }
      let transposed = tensor.transposed()
      #expect(transposed.shape == [columns, rows])
      #expect(try transposed.floats().map(\.bitPattern) == transposedNumbers, "\(tensor.name)")
      var part = [Float](repeating: 0, count: 7)
      try part.withUnsafeMutableBufferPointer {
        try transposed.read(elements: 5..<12, into: try #require($0.baseAddress))
      }
      #expect(part.map(\.bitPattern) == Array(transposedNumbers[5..<12]))
    }
  }

  @Test func `scales of rows apply to parts of a matrix and to its transpose`() throws {
    let tensor = try #require(try Self.open("fp8.safetensors").tensors["d.weight"])
    let numbers = try #require(try Self.expected("fp8.safetensors")["d.weight"]).bits
    #expect(tensor.shape == [4, 6] && tensor.elementType == .f8E4M3)
    #expect(try tensor.part(1, of: 2, shape: [2, 6]).floats().map(\.bitPattern) == Array(numbers[12...]))
    #expect(
      try tensor.transposed().floats().map(\.bitPattern) == (0..<24).map { numbers[$0 % 4 * 6 + $0 / 4] })
  }

  struct Blocks: Sendable {
    var ending: String
    var shape: [Int]
    var scales: [Int]
    /// The rows and columns of a block.
    var sides: (Int, Int)
  }

  @Test(
    arguments: [
      Blocks(ending: "weight_scale_inv", shape: [300, 200], scales: [3, 2], sides: (128, 128)),
      Blocks(ending: "weight_scale_inv", shape: [300, 100], scales: [3, 1], sides: (128, 128)),
      Blocks(ending: "weight_scale_inv", shape: [6, 5], scales: [1, 1], sides: (128, 128)),
      Blocks(ending: "weight_scale", shape: [300, 200], scales: [3, 4], sides: (100, 50)),
      Blocks(ending: "weight_scale", shape: [300, 200], scales: [300, 8], sides: (1, 25)),
      Blocks(ending: "weight_scale", shape: [300, 260], scales: [3, 3], sides: (128, 128)),
      Blocks(ending: "scale_weight", shape: [384, 256], scales: [3, 2], sides: (128, 128)),
    ])
  func `scales of blocks apply to parts of a matrix and to its transpose`(blocks: Blocks) throws {
    let folder = try TemporaryFolder()
    let (rows, columns) = (blocks.shape[0], blocks.shape[1])
    // Codes of finite numbers of both signs.
    let bytes: [UInt8] = (0..<rows * columns).map { element in
      let code = UInt8(element * 7 % 126)
      return element.isMultiple(of: 2) ? code : code | 0x80
    }
    let scales: [Float] = (1...blocks.scales[0] * blocks.scales[1]).map { Float($0) * 0.37 }
    func open(_ extra: [SyntheticTensor]) throws -> StoredTensor {
      let weight = SyntheticTensor("a.weight", blocks.shape, type: "F8_E4M3", bytes: bytes)
      let file = try TensorFile(path: try folder.write("\(extra.count).safetensors", [weight] + extra))
      #expect(file.tensors.keys.sorted() == ["a.weight"])
      return try #require(file.tensors["a.weight"])
    }
    let tensor = try open([SyntheticTensor("a." + blocks.ending, blocks.scales, floats: scales)])
    var expected = try open([]).floats()
    for element in expected.indices {
      let (row, column) = (element / columns, element % columns)
      let block: Int = row / blocks.sides.0 * blocks.scales[1] + column / blocks.sides.1
      expected[element] *= scales[block]
    }
    let found = try tensor.floats()
    #expect(found.elementsEqual(expected))
    let third = rows / 3 * columns
    let part = try tensor.part(1, of: 3, shape: [rows / 3, columns]).floats()
    #expect(part.elementsEqual(expected[third..<2 * third]))
    let transposedNumbers: [Float] = (0..<rows * columns).map { expected[$0 % rows * columns + $0 / rows] }
    let transposed = try tensor.transposed().floats()
    #expect(transposed.elementsEqual(transposedNumbers))
  }

  @Test(
    arguments: [
      // Squares of 128, or equal halves of 100 rows.
      Blocks(ending: "weight_scale", shape: [200, 128], scales: [2, 1], sides: (0, 0)),
      Blocks(ending: "weight_scale", shape: [300, 200], scales: [7, 2], sides: (0, 0)),
      Blocks(ending: "weight_scale_inv", shape: [300, 200], scales: [3, 4], sides: (0, 0)),
      Blocks(ending: "weight_scale_inv", shape: [300, 200], scales: [300, 1], sides: (0, 0)),
      Blocks(ending: "weight_scale", shape: [30, 20], scales: [3, 2, 1, 2], sides: (0, 0)),
    ])
  func `scales whose shape matches no blocks, or is ambiguous, remain as tensors`(
    blocks: Blocks
  ) throws {
    let folder = try TemporaryFolder()
    let weight = SyntheticTensor("a.weight", blocks.shape, type: "F8_E4M3")
    let scales = SyntheticTensor("a." + blocks.ending, blocks.scales, type: "F32")
    let file = try TensorFile(path: try folder.write("a.safetensors", [weight, scales]))
    #expect(file.tensors.keys.sorted() == ["a.weight", scales.name])
  }

  @Test func `a scale that does not match the rows or is NaN remains as a tensor`() throws {
    let folder = try TemporaryFolder()
    for floats in [[1, 2], [Float.nan]] as [[Float]] {
      let path = try folder.write(
        "a.safetensors",
        [
          SyntheticTensor("a.weight", [3, 2], type: "F8_E4M3", bytes: [1, 2, 3, 4, 5, 6]),
          SyntheticTensor("a.weight_scale", [floats.count], floats: floats),
        ])
      #expect(try TensorFile(path: path).tensors.keys.sorted() == ["a.weight", "a.weight_scale"])
    }
  }

  @Test func `the container is recognised by the content, whatever the name`() throws {
    let folder = try TemporaryFolder()
    for (file, container) in Self.files {
      for name in ["model.safetensors", "model.bin", "model"] {
        let path = try folder.write(name, try Fixtures.data("Weights/containers/\(file)"))
        #expect(try TensorFile(path: path).container == container)
      }
    }
  }

  @Test func `FP8 numbers that are not finite are refused`() throws {
    let folder = try TemporaryFolder()
    for (type, byte, value) in [
      ("F8_E4M3", 0x7F, "NaN"), ("F8_E4M3", 0xFF, "NaN"), ("F8_E5M2", 0x7C, "infinity"), ("F8_E5M2", 0xFC, "-infinity"),
      ("F8_E5M2", 0x7D, "NaN"),
    ] as [(String, UInt8, String)] {
      let path = try folder.write("a.safetensors", [SyntheticTensor("w", [3], type: type, bytes: [1, byte, 2])])
      let tensor = try #require(try TensorFile(path: path).tensors["w"])
      #expect(throws: TensorFileError.notFinite(path: path, name: "w", index: 1, value: value)) { try tensor.floats() }
    }
  }
}
