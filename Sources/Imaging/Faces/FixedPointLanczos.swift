import Foundation

extension RGBImage {
  /// The image at another size, with exactly the values of OpenCV 4's `resize` with `INTER_LANCZOS4` for 8-bit images. It uses
  /// eight pixels along each axis at any scale, so a much smaller image has jagged edges.
  ///
  /// - Parameters:
  ///   - width: In pixels, at least 1.
  ///   - height: In pixels, at least 1.
  ///   - parallel: Runs pieces of work, given their indices, possibly at the same time.
  /// - Returns: An image of that size.
  public func resizedByEightTaps(
    width: Int, height: Int, parallel: (Int, (Int) -> Void) -> Void = { count, work in (0..<count).forEach(work) }
  ) -> RGBImage {
    precondition(width > 0 && height > 0, "an image has at least one pixel")
    if width == self.width, height == self.height { return self }
    let (oldWidth, oldHeight) = (self.width, self.height)
    let columns = EightTaps.line(old: oldWidth, new: width)
    let rows = EightTaps.line(old: oldHeight, new: height)
    let count = width * 3
    var wide = [Int32](repeating: 0, count: oldHeight * count)
    var pixels = [UInt8](repeating: 0, count: height * count)
    self.pixels.withUnsafeBufferPointer { source in
      wide.withUnsafeMutableBufferPointer { wide in
        guard let source = source.baseAddress, let wide = wide.baseAddress else { return }
        parallel(oldHeight) { y in
          let (line, out) = (source + y * oldWidth * 3, wide + y * count)
          for (x, taps) in columns.enumerated() {
            for c in 0..<3 {
              var sum: Int32 = 0
              for k in 0..<8 { sum += Int32(line[taps.indices[k] * 3 + c]) * taps.weights[k] }
              out[x * 3 + c] = sum
            }
          }
        }
      }
    }
    wide.withUnsafeBufferPointer { wide in
      pixels.withUnsafeMutableBufferPointer { pixels in
        guard let wide = wide.baseAddress, let pixels = pixels.baseAddress else { return }
        parallel(height) { y in
          let taps = rows[y]
          for i in 0..<count {
            var sum = 1 << 21
            for k in 0..<8 { sum += Int(wide[taps.indices[k] * count + i]) * Int(taps.weights[k]) }
            pixels[y * count + i] = UInt8(min(max(sum >> 22, 0), 255))
          }
        }
      }
    }
    return RGBImage(width: width, height: height, pixels: pixels)
  }
}

/// The source pixels that one result pixel depends on along one axis, and their weights in units of 1/2048.
private struct EightTaps {
  let indices: SIMD8<Int>
  let weights: SIMD8<Int32>

  /// The taps of each pixel along one axis.
  static func line(old: Int, new: Int) -> [EightTaps] {
    let scale = 1 / (Double(new) / Double(old))
    return (0..<new).map { index in
      let position = Float((Double(index) + 0.5) * scale - 0.5)
      let first = position.rounded(.down)
      let weights = self.weights(position - first)
      let start = Int(first) - 3
      var indices = SIMD8<Int>()
      for k in 0..<8 { indices[k] = min(max(start + k, 0), old - 1) }
      return EightTaps(indices: indices, weights: weights)
    }
  }

  /// Rotations by multiples of 45 degrees: they turn the sine at the first tap into that at each tap.
  private static let turns: [(Double, Double)] = {
    let r = 0.5.squareRoot()
    return [(1, 0), (-r, -r), (0, 1), (r, -r), (-1, 0), (r, r), (0, -1), (-r, r)]
  }()

  /// The weights for a position at this fraction after the fourth tap, in the steps and precisions of OpenCV.
  private static func weights(_ fraction: Float) -> SIMD8<Int32> {
    let y0 = -(Double(fraction) + 3) * Double.pi * 0.25
    let (s0, c0) = (sin(y0), cos(y0))
    var weights = SIMD8<Float>()
    var sum: Float = 0
    for k in 0..<8 {
      let distance = fraction + 3 - Float(k)
      if abs(distance) >= 1e-6 {
        let y = -Double(distance) * Double.pi * 0.25
        weights[k] = Float((turns[k].0 * s0 + turns[k].1 * c0) / (y * y))
      } else {
        // Exactly on a pixel, the others have no weight.
        weights[k] = 1e30
      }
      sum += weights[k]
    }
    let inverse = 1 / sum
    var whole = SIMD8<Int32>()
    for k in 0..<8 { whole[k] = Int32((weights[k] * inverse * 2048).rounded(.toNearestOrEven)) }
    return whole
  }
}
