import Foundation

/// A list of tensors whose numbers come from a generator and are not stored: `NAME.weights` for `NAME.safetensors`.
///
/// `Tests/FixtureScripts/random_weights.py` describes the list, and is the same generator in Python: both make the same bits.
package struct RandomWeights {
  package enum Problem: Error {
    case line(String)
  }

  /// A tensor of the list.
  struct Tensor {
    var name: String
    var shape: [Int]
    var deviation: Double
    var mean: Double
  }

  private var seed = ""
  private var dtype = "F16"
  private var metadata: [(key: String, value: String)] = []
  private var tensors: [Tensor] = []

  /// Reads the text of a list.
  package init(_ text: String) throws {
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      switch words[0] {
      case "seed" where words.count == 2: seed = words[1]
      case "dtype" where words.count == 2: dtype = words[1]
      case "metadata" where words.count == 3: metadata.append((words[1], words[2]))
      default:
        guard words.count == 4, let deviation = Double(words[2]), let mean = Double(words[3]) else {
          throw Problem.line(String(line))
        }
        let shape = words[1] == "-" ? [] : words[1].split(separator: "x").compactMap { Int($0) }
        tensors.append(Tensor(name: words[0], shape: shape, deviation: deviation, mean: mean))
      }
    }
  }

  /// Writes the safetensors file.
  package func write(to path: String) throws { try synthetic.write(to: path, metadata: metadata) }

  /// The tensors with their numbers.
  package var synthetic: [SyntheticTensor] {
    tensors.map { SyntheticTensor($0.name, $0.shape, type: dtype, bytes: bytes($0)) }
  }

  /// The numbers of one tensor in single precision.
  package static func floats(seed: String, name: String, shape: [Int], deviation: Double, mean: Double = 0) -> [Float] {
    var list = RandomWeights()
    (list.seed, list.dtype) = (seed, "F32")
    let bytes = list.bytes(Tensor(name: name, shape: shape, deviation: deviation, mean: mean))
    return stride(from: 0, to: bytes.count, by: 4).map { start in
      Float(bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[start + $1]) << (8 * UInt32($1)) })
    }
  }

  private init() {}

  private func bytes(_ tensor: Tensor) -> [UInt8] {
    let isHalf = dtype == "F16"
    let count = tensor.shape.reduce(1, *)
    // The standard deviation of the sum of four independent integers from 0 to 65535.
    let scale = tensor.deviation / 37837.227
    var generator = SplitMix64(state: Self.hash("\(seed)/\(tensor.name)"))
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count * (isHalf ? 2 : 4))
    for _ in 0..<count {
      let bits = generator.next()
      let sum = Int(bits & 0xFFFF) + Int(bits >> 16 & 0xFFFF) + Int(bits >> 32 & 0xFFFF) + Int(bits >> 48) - 131_070
      let number = Float(Double(sum) * scale + tensor.mean)
      let pattern = isHalf ? UInt32(Float16(number).bitPattern) : number.bitPattern
      for shift in stride(from: UInt32(0), to: isHalf ? 16 : 32, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: pattern >> shift))
      }
    }
    return bytes
  }

  /// FNV-1a of 64 bits.
  private static func hash(_ text: String) -> UInt64 {
    text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }
}
