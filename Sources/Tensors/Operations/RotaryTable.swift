import Foundation

/// The cosines and sines that rotate queries and keys by their positions: rotary position embedding (Su et al. 2021,
/// arXiv:2104.09864).
///
/// Angles are computed in double precision from exact frequencies, for any type of activations.
public final class RotaryTable {
  /// Which channels of a head are rotated together.
  public enum Pairing: Sendable {
    /// Channels 2i and 2i + 1: Flux, Z-Image.
    case neighbours
    /// Channels i and i + half of the head: Qwen, Llama.
    case halves
  }

  /// An axis of positions, and how many channels of a head it rotates.
  public struct Axis: Hashable, Sendable {
    /// The number of channels, even.
    public let width: Int
    /// The base of the frequencies: channel 2j of the axis is rotated by position / theta^(2j / width).
    public let theta: Double

    /// Creates an axis.
    public init(width: Int, theta: Double) {
      self.width = width
      self.theta = theta
    }
  }

  /// The number of rows.
  public let count: Int
  /// The number of channels of a head.
  public let headWidth: Int
  let pairing: Pairing
  private let numbers: Buffer

  /// Computes a table.
  ///
  /// - Parameters:
  ///   - positions: For each token, its position on each axis.
  ///   - axes: The axes; their widths add up to the width of a head.
  ///   - pairing: Which channels are rotated together. `halves` needs exactly one axis.
  ///   - compute: Provides the memory.
  public init(positions: [[Int]], axes: [Axis], pairing: Pairing, compute: Compute) {
    count = positions.count
    headWidth = axes.reduce(0) { $0 + $1.width }
    self.pairing = pairing
    precondition(axes.allSatisfy { $0.width.isMultiple(of: 2) }, "numbers are turned in pairs")
    precondition(pairing == .neighbours || axes.count == 1, "halves have one axis")
    let width = headWidth
    numbers = compute.workspace.buffer(bytes: max(2 * count * width, 1) * MemoryLayout<Float>.stride)
    let frequencies = axes.map { axis in
      (0..<axis.width / 2).map { pow(axis.theta, -2 * Double($0) / Double(axis.width)) }
    }
    let (cosines, sines) = (cosines, sines)
    for (row, position) in positions.enumerated() {
      var pair = 0
      for (axis, frequencies) in frequencies.enumerated() {
        for frequency in frequencies {
          let angle = Double(position[axis]) * frequency
          let (cosine, sine) = (Float(cos(angle)), Float(sin(angle)))
          let first = row * width + (pairing == .halves ? pair : 2 * pair)
          let second = pairing == .halves ? first + width / 2 : first + 1
          cosines[first] = cosine
          cosines[second] = cosine
          sines[first] = -sine
          sines[second] = sine
          pair += 1
        }
      }
    }
  }

  /// `[count][headWidth]`.
  var cosines: UnsafeMutablePointer<Float> { numbers.raw.assumingMemoryBound(to: Float.self) }

  /// `[count][headWidth]`, negative for the first channel of each pair.
  var sines: UnsafeMutablePointer<Float> { cosines + count * headWidth }
}
