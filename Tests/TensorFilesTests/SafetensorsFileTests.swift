import Foundation
import Testing
import TestSupport

@testable import TensorFiles

struct SafetensorsFileTests {
  let numbers = ModelFixture.folder + "/numbers.safetensors"

  @Test func `a file of the format's own library gives its tensors and metadata`() throws {
    let file = try SafetensorsFile(path: numbers)
    #expect(file.metadata == ["format": "pt", "note": "é \"quoted\"\n"])
    #expect(
      Set(file.tensors.keys) == [
        "f32", "f16", "bf16", "scalar", "empty", "positions", "f64", "bytes", "flags", "f8",
      ])
    #expect(file.tensors["positions"]?.shape == [1, 77])
    #expect(file.tensors["positions"]?.elementType == .i64)
    #expect(file.tensors["f8"]?.elementType == .f8E4M3)
    #expect(file.tensors["scalar"]?.shape == [])
    #expect(file.tensors["scalar"]?.elementCount == 1)
    #expect(file.tensors["empty"]?.elementCount == 0)
  }

  @Test func `every number equals what PyTorch reads, bit for bit`() throws {
    let file = try SafetensorsFile(path: numbers)
    let expected = try String(contentsOfFile: ModelFixture.folder + "/numbers.txt", encoding: .utf8)
    for line in expected.split(separator: "\n") {
      let words = line.split(separator: " ")
      let tensor = try #require(file.tensors[String(words[0])])
      #expect(tensor.shape == words[1].split(separator: "x").compactMap { Int($0) })
      #expect(try tensor.floats().map(\.bitPattern) == words[2...].map { try #require(UInt32($0, radix: 16)) })
    }
  }

  @Test func `tensors of other types are listed and refused as weights`() throws {
    let file = try SafetensorsFile(path: numbers)
    for (name, type) in [("positions", "I64"), ("bytes", "U8"), ("flags", "BOOL")] {
      let tensor = try #require(file.tensors[name])
      #expect(throws: TensorFileError.elementType(path: numbers, name: name, found: type)) { try tensor.floats() }
    }
  }

  @Test func `raw bytes are those of the file`() throws {
    let file = try SafetensorsFile(path: numbers)
    let tensor = try #require(file.tensors["positions"])
    let bytes = try tensor.withRawBytes { Array($0) }
    #expect(bytes == (0..<77).flatMap { withUnsafeBytes(of: Int64($0).littleEndian, Array.init) })
  }

  @Test func `a file without tensors is valid`() throws {
    let folder = try TemporaryFolder()
    let file = try SafetensorsFile(path: try folder.write("none.safetensors", [SyntheticTensor]()))
    #expect(file.tensors.isEmpty)
  }

  /// As the library's own reader does; tested with version 0.8.0.
  @Test(arguments: [" ", "\n\t \r", String(repeating: " ", count: 100)])
  func `blanks before the header and null as its metadata are read`(blanks: String) throws {
    let folder = try TemporaryFolder()
    let header = #"{"__metadata__": null, "a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
    let path = try folder.write("a.safetensors", safetensors(blanks + header + blanks, dataCount: 4))
    #expect(try SafetensorsFile(path: path).metadata.isEmpty)
    #expect(try TensorFile(path: path).tensors["a"]?.floats() == [0])
  }

  @Test func `a header padded with spaces, as the library writes it, is read`() throws {
    let folder = try TemporaryFolder()
    let header = #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}      "#
    let file = try SafetensorsFile(path: try folder.write("a.safetensors", safetensors(header, dataCount: 4)))
    #expect(try file.tensors["a"]?.floats() == [0])
  }
}

/// The bytes of a file with this header and `dataCount` zeros of data.
func safetensors(_ header: String, dataCount: Int) -> [UInt8] {
  withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian, Array.init) + Array(header.utf8)
    + Array(repeating: 0, count: dataCount)
}
