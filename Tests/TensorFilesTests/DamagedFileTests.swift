import Foundation
import Testing
import TestSupport

@testable import TensorFiles

struct DamagedFileTests {
  /// A header, the bytes of data that follow it, and a part of the message.
  static let brokenHeaders: [(String, Int, String)] = [
    ("", 0, "does not start with '{'"),
    ("[]", 0, "does not start with '{'"),
    (" []", 0, "does not start with '{'"),
    (#"{"__metadata__":nil}"#, 0, "a JSON value is expected"),
    ("{", 0, "found the end"),
    ("{}x", 0, "the end of the JSON text"),
    (#"{"a""#, 0, "':' is expected"),
    (#"{"a":7}"#, 0, "an object is expected"),
    (#"{"a":{"dtype":"F32","shape":[2]}}"#, 8, "lacks dtype, shape or two data_offsets"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}"#, 8, "lacks"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}"#, 8, "at most 2"),
    (#"{"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}"#, 8, "unknown dtype 'F33'"),
    (#"{"a":{"dtype":"f32","shape":[2],"data_offsets":[0,8]}}"#, 8, "unknown dtype 'f32'"),
    (#"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#, 8, "negative shape"),
    (#"{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}"#, 8, "an integer is expected, found 2.0"),
    (#"{"a":{"dtype":"F32","shape":[1e0],"data_offsets":[0,8]}}"#, 8, "an integer is expected"),
    (#"{"a":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}}"#, 8, "found '\"'"),
    (#"{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}"#, 8, "an integer is expected"),
    (#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}"#, 8, "too large"),
    (#"{"a":{"dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,8]}}"#, 8, "too large"),
    (#"{"a":{"dtype":"F32","shape":[9223372036854775807,2,0],"data_offsets":[0,0]}}"#, 0, "too large"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "takes 4 bytes, expected 8"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, 8, "data_offsets [8, 0]"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}"#, 8, "data_offsets [-8, 0]"),
    (#"{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}"#, 2, "takes 2 bytes"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 7, "ends at byte 8 of the data, of which there are 7"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 9, "1 bytes of data belong to no tensor"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#, 12, "leaves a hole"),
    (
      #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#,
      12,
      "overlaps"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
      8,
      "overlaps"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
      8,
      "the key 'a' is repeated"
    ),
    (#"{"a":{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}}"#, 4, "the key 'dtype' is repeated"),
    (#"{"__metadata__":{"a":1}}"#, 0, "a string is expected"),
    (#"{"__metadata__":"#, 0, "an object is expected, found the end"),
    (#"{"\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4, "escape"),
    ("{\"a\u{1}\":{}}", 0, "control character"),
    (#"{"a":{"x":"# + String(repeating: "[", count: 100_000), 0, "'}' or ']' is expected, found the end"),
    (#"{"a":{"dtype":"F32","shape":[\#(String(repeating: "1,", count: 70))1],"data_offsets":[0,4]}}"#, 4, "at most 64"),
  ]

  @Test(arguments: brokenHeaders)
  func `a broken header is an error with the file and the reason`(
    header: String, dataCount: Int, message: String
  ) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("broken.safetensors", safetensors(header, dataCount: dataCount))
    let error = #expect(throws: TensorFileError.self) { try SafetensorsFile(path: path) }
    let text = "\(try #require(error))"
    #expect(text.hasPrefix("\(path): the file is damaged: "))
    #expect(text.contains(message), "\(text)")
    #expect(text.count < 600)
  }

  @Test func `headers with too many tensors, values or keys are refused`() throws {
    let folder = try TemporaryFolder()
    let entry = #"{"dtype":"F32","shape":[0],"data_offsets":[0,0]}"#
    for (header, reason) in [
      ("{" + (0..<150_000).map { "\"\($0)\":\(entry)" }.joined(separator: ",") + "}", "more than 100000 tensors"),
      (
        #"{"__metadata__":{"# + (0..<150_000).map { "\"\($0)\":\"\"" }.joined(separator: ",") + "}}",
        "metadata has more than 100000 values"
      ),
      (#"{"a":{"# + (0..<20).map { "\"\($0)\":0" }.joined(separator: ",") + "}}", "'a' has more than 16 keys"),
      (#"{"a":{"x":["# + String(repeating: "1,", count: 3_000_000) + "1]}}", "lacks dtype, shape or two data_offsets"),
    ] {
      let path = try folder.write("bomb.safetensors", safetensors(header, dataCount: 0))
      let error = #expect(throws: TensorFileError.self) { try SafetensorsFile(path: path) }
      #expect("\(try #require(error))".contains(reason))
    }
  }

  @Test func `a file cut off anywhere is damaged`() throws {
    let folder = try TemporaryFolder()
    let whole = try Data(contentsOf: URL(fileURLWithPath: ModelFixture.folder + "/numbers.safetensors"))
    for count in 0..<whole.count {
      let path = try folder.write("cut.safetensors", whole.prefix(count))
      let error = #expect(throws: TensorFileError.self, "\(count) bytes") { try SafetensorsFile(path: path) }
      guard case .damaged(path, _) = error else {
        Issue.record("\(count) bytes gave \(String(describing: error))")
        return
      }
    }
  }

  @Test func `a header longer than the file or than any header is damaged`() throws {
    let folder = try TemporaryFolder()
    for length in [100, 100_000_000, 100_000_001, UInt64(Int64.max), UInt64.max] {
      let bytes = withUnsafeBytes(of: length.littleEndian, Array.init) + Array("{}".utf8)
      let path = try folder.write("long.safetensors", bytes)
      let error = #expect(throws: TensorFileError.self) { try SafetensorsFile(path: path) }
      guard case .damaged(path, _) = error else {
        Issue.record("\(length) gave \(String(describing: error))")
        return
      }
    }
  }

  @Test func `bytes that are not UTF-8 are reported as damage`() throws {
    let folder = try TemporaryFolder()
    var bytes = safetensors(#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, dataCount: 4)
    bytes[10] = 0xFF
    let path = try folder.write("bytes.safetensors", bytes)
    let error = #expect(throws: TensorFileError.self) { try SafetensorsFile(path: path) }
    #expect("\(try #require(error))".contains("not valid UTF-8"))
  }

  @Test(
    arguments: [
      (Array("version https://git-lfs.github.com/spec/v1\noid sha256:00".utf8), "Git LFS pointer"),
      (Array("<!DOCTYPE html><html>404</html>".utf8), "web page"),
      ([0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0], "HDF5"),
    ] as [([UInt8], String)])
  func `files of other formats are recognised`(bytes: [UInt8], name: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("model.safetensors", bytes)
    let error = #expect(throws: TensorFileError.self) { try SafetensorsFile(path: path) }
    guard case .unsupported(path, let found, _) = error else {
      Issue.record("gave \(String(describing: error))")
      return
    }
    #expect(found.contains(name))
  }

  /// The bytes of 0x280 are the start of a pickle, and 0x3C is '<'.
  @Test(arguments: [0x280, 0x3C]) func `a header whose length looks like another format's magic is read`(length: Int)
    throws
  {
    let folder = try TemporaryFolder()
    let header = "{}" + String(repeating: " ", count: length - 2)
    let file = try SafetensorsFile(path: try folder.write("a.safetensors", safetensors(header, dataCount: 0)))
    #expect(file.tensors.isEmpty)
  }

  @Test func `a path that is not a readable file is an error`() throws {
    let folder = try TemporaryFolder()
    func message(_ path: String) throws -> String {
      let error = #expect(throws: TensorFileError.self) { try SafetensorsFile(path: path) }
      return "\(try #require(error))"
    }
    #expect(try message(folder("absent")) == "\(folder("absent")): cannot open: No such file or directory")
    #expect(try message(folder.path) == "\(folder.path): this is a folder, expected a file")
    #expect(mkfifo(folder("pipe"), 0o600) == 0)
    #expect(try message(folder("pipe")) == "\(folder("pipe")): this is not a regular file, expected a file")
    #expect(try message(try folder.write("empty", "")).contains("it has 0 bytes"))
  }

  /// A mutated file may open or be an error, but not crash. If it opens, it must be readable to the last byte.
  @Test func `thousands of random mutations never crash`() throws {
    let folder = try TemporaryFolder()
    let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: ModelFixture.folder + "/numbers.safetensors")))
    var random = SplitMix64(state: 20_240_607)
    var opened = 0
    for _ in 0..<6000 {
      let bytes = mutated(whole, &random)
      let path = try folder.write("fuzz.safetensors", bytes)
      do throws(TensorFileError) {
        for tensor in try SafetensorsFile(path: path).tensors.values {
          #expect(try tensor.withRawBytes { $0.reduce(0, { $0 &+ Int($1) }) } >= 0)
          _ = try? tensor.floats()
          _ = tensor.elementCount
        }
        opened += 1
      } catch {
        #expect("\(error)".contains(path))
      }
    }
    // Mutations in the data, and some in the header, leave the file valid.
    #expect(opened > 300 && opened < 5000)
  }

  private func mutated(_ whole: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
    var bytes = whole
    // Mostly mutate the header, where damage matters.
    let end = random.next() % 4 == 0 ? bytes.count : 700
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let at = Int.random(in: 0..<min(end, bytes.count), using: &random)
      switch Int.random(in: 0..<7, using: &random) {
      case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
      case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 2: bytes.remove(at: at)
      case 3: bytes.insert(Array("0123456789-{}[]\",:e.\\".utf8).randomElement(using: &random) ?? 0, at: at)
      case 4: bytes.removeLast(Int.random(in: 0..<bytes.count / 2, using: &random))
      case 5:
        let length = min(Int.random(in: 1...40, using: &random), bytes.count - at)
        bytes.insert(contentsOf: bytes[at..<at + length], at: Int.random(in: 0...bytes.count, using: &random))
      default:
        if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[at]) {
          bytes[at] = UInt8(ascii: "0") + UInt8.random(in: 0...9, using: &random)
        }
      }
    }
    return bytes
  }
}
