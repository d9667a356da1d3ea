import Foundation
import Testing
import TestSupport

@testable import TensorFiles

/// Thousands of damaged copies of small files in every container. Each one opens or is an error; none crashes.
struct ContainerFuzzTests {
  @Test(arguments: [
    "archive.ckpt", "legacy.ckpt", "archive-protocol4.pt", "embedding.pt", "quantised.gguf", "fp8.safetensors",
  ])
  func `mutated files are errors that name the file, or can be read completely`(file: String) throws {
    let folder = try TemporaryFolder()
    let whole = [UInt8](try Fixtures.data("Weights/containers/\(file)"))
    var random = SplitMix64(state: UInt64(whole.count))
    var opened = 0
    let path = folder("fuzz.ckpt")
    for _ in 0..<1500 {
      try Data(mutated(whole, &random)).write(to: URL(fileURLWithPath: path))
      do throws(TensorFileError) {
        for tensor in try TensorFile(path: path).tensors.values {
          #expect(tensor.elementCount <= max(whole.count, 1 << 16))
          #expect(try tensor.withRawBytes { $0.reduce(0) { $0 &+ Int($1) } } >= 0)
          _ = try? tensor.floats()
        }
        opened += 1
      } catch {
        #expect("\(error)".hasPrefix(path))
        #expect("\(error)".utf8.count < 2000)
      }
    }
    #expect(opened > 20 && opened < 1450, "\(opened) of 1500 opened")
  }

  private func mutated(_ whole: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
    var bytes = whole
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let at = Int.random(in: 0..<bytes.count, using: &random)
      switch Int.random(in: 0..<7, using: &random) {
      case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
      case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 2: bytes.remove(at: at)
      case 3:
        // Instructions of pickles, and extreme numbers.
        let inserts: [UInt8] = Array(".(0tRbQcuas}])".utf8) + [0x81, 0x85, 0x93, 0x94, 0xFF, 0x7F, 0]
        bytes.insert(inserts.randomElement(using: &random) ?? 0, at: at)
      case 4: bytes.removeLast(Int.random(in: 0..<bytes.count / 2, using: &random))
      case 5:
        let length = min(Int.random(in: 1...40, using: &random), bytes.count - at)
        bytes.insert(contentsOf: bytes[at..<at + length], at: Int.random(in: 0...bytes.count, using: &random))
      default:
        for offset in at..<min(at + [1, 2, 4, 8][Int.random(in: 0..<4, using: &random)], bytes.count) {
          bytes[offset] = 0xFF
        }
      }
    }
    return bytes
  }
}
