import Foundation

/// Draws an image through an affine map, row by row, with the fixed-point steps of OpenCV 4's `warpAffine`: positions are
/// rounded to 1/32 of a pixel, and each value is interpolated between four pixels.
public struct AffineWarp: Sendable {
  private let back: AffineMap
  private let xx: [Int]
  private let yx: [Int]

  /// The number of fractional bits of a position.
  private static let bits = 10
  private static let one = Double(1 << bits)

  /// Creates a warp.
  ///
  /// - Parameters:
  ///   - map: From the source image to the result.
  ///   - width: The width of the result.
  public init(_ map: AffineMap, width: Int) {
    let back = map.inverse
    self.back = back
    xx = (0..<width).map { Self.fixed(back.xx * Double($0) * Self.one) }
    yx = (0..<width).map { Self.fixed(back.yx * Double($0) * Self.one) }
  }

  /// Rounds to fixed point, ties to even. The range is limited far outside of any image.
  private static func fixed(_ value: Double) -> Int {
    let rounded = value.rounded(.toNearestOrEven)
    return rounded.isFinite ? Int(min(max(rounded, -1e12), 1e12)) : 0
  }

  /// Calls `body` for some pixels of a row. It receives the source pixel at the upper left, and the distance from there in 1/32
  /// of a pixel.
  @inline(__always)
  private func forEachPixel(
    _ y: Int, _ columns: Range<Int>, _ body: (_ x: Int, _ sx: Int, _ sy: Int, _ fx: Int, _ fy: Int) -> Void
  ) {
    // Half of 1/32, for rounding.
    let half = 1 << (Self.bits - 6)
    let x0 = Self.fixed((back.xy * Double(y) + back.x0) * Self.one) + half
    let y0 = Self.fixed((back.yy * Double(y) + back.y0) * Self.one) + half
    for x in columns {
      let (px, py) = ((x0 + xx[x]) >> (Self.bits - 5), (y0 + yx[x]) >> (Self.bits - 5))
      body(x, px >> 5, py >> 5, px & 31, py & 31)
    }
  }

  /// Draws a part of one row of an image.
  ///
  /// - Parameters:
  ///   - source: The image.
  ///   - border: Red, green and blue outside of the image.
  ///   - y: The row of the result.
  ///   - columns: The columns of the result.
  ///   - out: Three bytes for each column.
  public func draw(
    _ source: RGBImage, border: (UInt8, UInt8, UInt8) = (0, 0, 0), row y: Int, columns: Range<Int>,
    into out: UnsafeMutablePointer<UInt8>
  ) {
    let outside = [Int(border.0), Int(border.1), Int(border.2)]
    let (width, height) = (source.width, source.height)
    source.pixels.withUnsafeBufferPointer { pixels in
      forEachPixel(y, columns) { x, sx, sy, fx, fy in
        let destination = out + (x - columns.lowerBound) * 3
        let weights = ((32 - fx) * (32 - fy), fx * (32 - fy), (32 - fx) * fy, fx * fy)
        let isInside = sx >= 0 && sy >= 0 && sx + 1 < width && sy + 1 < height
        func tap(_ x: Int, _ y: Int, _ c: Int) -> Int {
          x >= 0 && y >= 0 && x < width && y < height ? Int(pixels[(y * width + x) * 3 + c]) : outside[c]
        }
        for c in 0..<3 {
          let sum: Int
          if isInside {
            let start = (sy * width + sx) * 3 + c
            sum =
              Int(pixels[start]) * weights.0 + Int(pixels[start + 3]) * weights.1
              + Int(pixels[start + width * 3]) * weights.2 + Int(pixels[start + width * 3 + 3]) * weights.3
          } else {
            sum =
              tap(sx, sy, c) * weights.0 + tap(sx + 1, sy, c) * weights.1 + tap(sx, sy + 1, c) * weights.2
              + tap(sx + 1, sy + 1, c) * weights.3
          }
          destination[c] = UInt8(min((sum * 32 + 1 << 14) >> 15, 255))
        }
      }
    }
  }

  /// Draws a part of one row of a plane of numbers, which counts as zero outside.
  ///
  /// - Parameters:
  ///   - source: The plane.
  ///   - y: The row of the result.
  ///   - columns: The columns of the result.
  ///   - out: A number for each column.
  public func draw(
    _ source: NumberPlane, row y: Int, columns: Range<Int>, into out: UnsafeMutablePointer<Double>
  ) {
    let (width, height) = (source.width, source.height)
    source.values.withUnsafeBufferPointer { values in
      forEachPixel(y, columns) { x, sx, sy, fx, fy in
        func tap(_ x: Int, _ y: Int) -> Double {
          x >= 0 && y >= 0 && x < width && y < height ? values[y * width + x] : 0
        }
        // Products of multiples of 1/32 are exact.
        func weight(_ a: Int, _ b: Int) -> Double { Double(a * b) / 1024 }
        out[x - columns.lowerBound] =
          tap(sx, sy) * weight(32 - fx, 32 - fy) + tap(sx + 1, sy) * weight(fx, 32 - fy)
          + tap(sx, sy + 1) * weight(32 - fx, fy) + tap(sx + 1, sy + 1) * weight(fx, fy)
      }
    }
  }
}

extension RGBImage {
  /// The image drawn through an affine map.
  ///
  /// - Parameters:
  ///   - map: From this image to the result.
  ///   - width: The width of the result.
  ///   - height: The height of the result.
  ///   - border: Red, green and blue outside of this image.
  ///   - parallel: Runs pieces of work, given their indices, possibly at the same time.
  /// - Returns: An image of that size.
  public func warped(
    by map: AffineMap, width: Int, height: Int, border: (UInt8, UInt8, UInt8),
    parallel: (Int, (Int) -> Void) -> Void = { count, work in (0..<count).forEach(work) }
  ) -> RGBImage {
    let warp = AffineWarp(map, width: width)
    var pixels = [UInt8](repeating: 0, count: width * height * 3)
    pixels.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      parallel(height) { y in
        warp.draw(self, border: border, row: y, columns: 0..<width, into: base + y * width * 3)
      }
    }
    return RGBImage(width: width, height: height, pixels: pixels)
  }
}
