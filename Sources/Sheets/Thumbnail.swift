import Foundation
import Imaging

/// Makes pictures smaller: each new pixel is the mean of the area that it covers, in linear light, so that fine bright
/// lines keep their brightness.
package enum Thumbnail {
  /// The size of a picture that is to fit in a box, with its proportions; never larger than it is.
  package static func size(width: Int, height: Int, box: (width: Int, height: Int)) -> (width: Int, height: Int) {
    let scale = min(1, Double(box.width) / Double(width), Double(box.height) / Double(height))
    return (
      max(1, min(box.width, Int((Double(width) * scale).rounded()))),
      max(1, min(box.height, Int((Double(height) * scale).rounded())))
    )
  }

  /// A picture at a smaller size; the very same values at its own.
  package static func scaled(_ image: RGBImage, width: Int, height: Int) -> RGBImage {
    if image.width == width, image.height == height { return image }
    let across = spans(image.width, width)
    let down = spans(image.height, height)
    // Rows first, then columns; a row of the source is needed by at most two rows of the result.
    var rows = [Float](repeating: 0, count: image.height * width * 3)
    image.pixels.withUnsafeBufferPointer { source in
      for y in 0..<image.height {
        for (x, span) in across.enumerated() {
          var sum: (Float, Float, Float) = (0, 0, 0)
          for (column, weight) in span {
            let index = (y * image.width + column) * 3
            sum.0 += weight * linear[Int(source[index])]
            sum.1 += weight * linear[Int(source[index + 1])]
            sum.2 += weight * linear[Int(source[index + 2])]
          }
          let index = (y * width + x) * 3
          (rows[index], rows[index + 1], rows[index + 2]) = sum
        }
      }
    }
    var pixels = [UInt8](repeating: 0, count: width * height * 3)
    for (y, span) in down.enumerated() {
      for x in 0..<width * 3 {
        var sum: Float = 0
        for (row, weight) in span { sum += weight * rows[row * width * 3 + x] }
        pixels[y * width * 3 + x] = encoded(sum)
      }
    }
    return RGBImage(width: width, height: height, pixels: pixels)
  }

  /// For each new pixel along a line, the old ones that it covers and their shares, which sum to one.
  private static func spans(_ old: Int, _ new: Int) -> [[(Int, Float)]] {
    let step = Double(old) / Double(new)
    return (0..<new).map { index in
      let (start, end) = (Double(index) * step, Double(index + 1) * step)
      return (Int(start)..<min(old, Int(end.rounded(.up)))).map { pixel in
        let covered = min(end, Double(pixel + 1)) - max(start, Double(pixel))
        return (pixel, Float(covered / step))
      }
    }
  }

  /// Light for each 8-bit value. Source: IEC 61966-2-1 (sRGB).
  private static let linear: [Float] = (0...255).map { value in
    let x = Double(value) / 255
    return Float(x <= 0.04045 ? x / 12.92 : pow((x + 0.055) / 1.055, 2.4))
  }

  private static func encoded(_ light: Float) -> UInt8 {
    let x = Double(min(max(light, 0), 1))
    return UInt8(((x <= 0.0031308 ? 12.92 * x : 1.055 * pow(x, 1 / 2.4) - 0.055) * 255).rounded())
  }
}
