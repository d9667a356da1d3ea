import Foundation

/// How the pixels of a resized image are computed.
public enum ImageFilter: String, CaseIterable, Sendable {
  /// The old pixel that is nearest to the centre of the new one.
  case nearest = "Nearest"
  /// Windowed sinc of three lobes: Duchon 1979, "Lanczos Filtering in One and Two Dimensions".
  case lanczos = "Lanczos"
}

extension RGBImage {
  /// The image at another size, with exactly the values that Pillow's `Image.resize` computes for 8-bit images.
  ///
  /// Lanczos filters rows, then columns, with 8-bit values in between. If both sides become smaller, columns are filtered
  /// first, as in Pillow 12 and later. Weights are rounded to 22 fractional bits. If the image becomes smaller, the filter is
  /// widened by the scale.
  ///
  /// - Parameters:
  ///   - width: In pixels, at least 1.
  ///   - height: In pixels, at least 1.
  ///   - filter: The filter.
  /// - Returns: An image of that size.
  public func resized(width: Int, height: Int, filter: ImageFilter) -> RGBImage {
    precondition(width > 0 && height > 0, "an image has at least one pixel")
    if width == self.width, height == self.height { return self }
    switch filter {
    case .nearest: return nearest(width: width, height: height)
    case .lanczos:
      // The order of the passes affects the last bit.
      if height < self.height, width > self.width { return lanczosColumns(height: height).lanczosRows(width: width) }
      let wide = width == self.width ? self : lanczosRows(width: width)
      return height == self.height ? wide : wide.lanczosColumns(height: height)
    }
  }

  private func nearest(width: Int, height: Int) -> RGBImage {
    let columns = Self.nearestPixels(old: self.width, new: width)
    let rows = Self.nearestPixels(old: self.height, new: height)
    var pixels: [UInt8] = []
    pixels.reserveCapacity(width * height * 3)
    for row in rows {
      for column in columns {
        let start = (row * self.width + column) * 3
        pixels += self.pixels[start..<start + 3]
      }
    }
    return RGBImage(width: width, height: height, pixels: pixels)
  }

  /// For each new pixel, the index of the nearest old one. Positions are added up, as in Pillow: if the step is not exact,
  /// multiplying would give other pixels.
  private static func nearestPixels(old: Int, new: Int) -> [Int] {
    let step = Double(old) / Double(new)
    var position = step * 0.5
    return (0..<new).map { _ in
      defer { position += step }
      return min(Int(position), old - 1)
    }
  }

  private func lanczosRows(width: Int) -> RGBImage {
    let taps = LanczosTap.line(old: self.width, new: width)
    var pixels = [UInt8](repeating: 0, count: width * height * 3)
    self.pixels.withUnsafeBufferPointer { source in
      for y in 0..<height {
        for (x, tap) in taps.enumerated() {
          let start = (y * self.width + tap.first) * 3
          for c in 0..<3 {
            var sum = LanczosTap.half
            for (i, weight) in tap.weights.enumerated() { sum += weight * Int(source[start + 3 * i + c]) }
            pixels[(y * width + x) * 3 + c] = LanczosTap.value(sum)
          }
        }
      }
    }
    return RGBImage(width: width, height: height, pixels: pixels)
  }

  private func lanczosColumns(height: Int) -> RGBImage {
    let taps = LanczosTap.line(old: self.height, new: height)
    let rowSize = width * 3
    var pixels = [UInt8](repeating: 0, count: height * rowSize)
    self.pixels.withUnsafeBufferPointer { source in
      for (y, tap) in taps.enumerated() {
        for x in 0..<rowSize {
          var sum = LanczosTap.half
          for (i, weight) in tap.weights.enumerated() { sum += weight * Int(source[(tap.first + i) * rowSize + x]) }
          pixels[y * rowSize + x] = LanczosTap.value(sum)
        }
      }
    }
    return RGBImage(width: width, height: height, pixels: pixels)
  }
}

/// The old pixels along one axis that one new pixel depends on, and their weights.
private struct LanczosTap {
  /// The first old pixel.
  let first: Int
  /// The weights of the old pixels, times 2²².
  let weights: [Int]

  private static let lobes = 3.0
  private static let fractionBits = 22
  /// Sums start at one half, so that truncating them rounds.
  static let half = 1 << (fractionBits - 1)

  static func value(_ sum: Int) -> UInt8 { UInt8(clamping: sum >> fractionBits) }

  static func line(old: Int, new: Int) -> [LanczosTap] {
    let scale = Double(old) / Double(new)
    let filterScale = max(scale, 1)
    let reach = lobes * filterScale
    return (0..<new).map { pixel in
      let middle = (Double(pixel) + 0.5) * scale
      let first = max(Int(middle - reach + 0.5), 0)
      let end = min(Int(middle + reach + 0.5), old)
      let shares = (first..<end).map { lanczos((Double($0) - middle + 0.5) * (1 / filterScale)) }
      let total = shares.reduce(0, +)
      let weights = shares.map { share in
        let weight = (total == 0 ? share : share / total) * Double(1 << fractionBits)
        return Int(weight < 0 ? weight - 0.5 : weight + 0.5)
      }
      return LanczosTap(first: first, weights: weights)
    }
  }

  private static func lanczos(_ x: Double) -> Double {
    -lobes <= x && x < lobes ? sinc(x) * sinc(x / lobes) : 0
  }

  private static func sinc(_ x: Double) -> Double {
    if x == 0 { return 1 }
    let angle = x * Double.pi
    return sin(angle) / angle
  }
}
