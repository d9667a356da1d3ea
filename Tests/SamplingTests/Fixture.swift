import Foundation
import Sampling
import Settings
import TestSupport

/// A fixture of `Tests/Fixtures/Sampling`: an index in JSON, and the numbers that it refers to.
struct Fixture<Index: Decodable> {
  let index: Index
  private let numbers: [Float]

  init(_ name: String, as type: Index.Type) throws {
    index = try Fixtures.decode(type, from: "Sampling/\(name).json")
    let bytes = try Fixtures.data("Sampling/\(name).f32")
    numbers = bytes.withUnsafeBytes { raw in
      (0..<(raw.count / 4)).map {
        Float(bitPattern: UInt32(littleEndian: raw.load(fromByteOffset: 4 * $0, as: UInt32.self)))
      }
    }
  }

  subscript(span: Span) -> [Float] { Array(numbers[span.offset..<(span.offset + span.count)]) }
}

/// A range of numbers in a fixture.
struct Span: Decodable, Sendable {
  let offset: Int
  let count: Int
}

extension LatentShape {
  /// The shape that a fixture writes as channels, height, width.
  init(_ sizes: [Int]) {
    self.init(channels: sizes[0], height: sizes[1], width: sizes[2])
  }
}

/// The largest difference between two lists; infinite if their lengths differ or one of them contains NaN.
func maxDifference(_ a: [Float], _ b: [Float]) -> Float {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).reduce(0) { largest, pair in
    let difference = (pair.0 - pair.1).magnitude
    return pair.0 == pair.1 ? largest : difference.isNaN ? .infinity : max(largest, difference)
  }
}

/// The largest difference relative to the second list's numbers; equal numbers differ by 0.
func maxRelativeDifference(_ a: [Float], _ b: [Float]) -> Float {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).reduce(0) { largest, pair in
    pair.0 == pair.1 ? largest : max(largest, ((pair.0 - pair.1) / pair.1).magnitude)
  }
}
