import Foundation
import Imaging
import Text

/// Makes images smaller. Each new pixel is the mean of the area that it covers, in linear light, so that thin bright lines keep
/// their brightness.
package enum Thumbnail {
  /// The size at which an image fits into a box, with its proportions; never larger than the image.
  package static func size(width: Int, height: Int, box: (width: Int, height: Int)) -> (width: Int, height: Int) {
    let scale = min(1, Double(box.width) / Double(width), Double(box.height) / Double(height))
    return (
      max(1, min(box.width, Int((Double(width) * scale).rounded()))),
      max(1, min(box.height, Int((Double(height) * scale).rounded())))
    )
  }

  /// An image from a file, at the size at which it fits into a box; nil if the file cannot be read as an image.
  package static func read(_ path: String, box: (width: Int, height: Int)) -> RGBImage? {
    guard let bytes = try? WholeFile.bytes(of: path, isRegular: true),
      let reduced = try? ReducedPicture(decoding: bytes, box: box)
    else { return nil }
    let size = size(width: reduced.width, height: reduced.height, box: box)
    return scaled(reduced.image, width: size.width, height: size.height)
  }

  /// An image at a smaller size; unchanged if the size is its own.
  package static func scaled(_ image: RGBImage, width: Int, height: Int) -> RGBImage {
    if image.width == width, image.height == height { return image }
    let across = Spans(image.width, width)
    let down = Spans(image.height, height)
    let rowSize = image.width * 3
    // Rows first: most of the work is then one addition per value, for many values at once.
    var line = [Float](repeating: 0, count: rowSize)
    var sum = [Float](repeating: 0, count: rowSize)
    var decoded = -1
    let pixels = [UInt8](unsafeUninitializedCapacity: width * height * 3) { pixels, count in
      count = width * height * 3
      image.pixels.withUnsafeBufferPointer { source in
        linear.withUnsafeBufferPointer { linear in
          line.withUnsafeMutableBufferPointer { line in
            sum.withUnsafeMutableBufferPointer { sum in
              for y in 0..<height {
                sum.update(repeating: 0)
                for (row, weight) in down.parts(y) {
                  // Two new rows may share an old one.
                  if row != decoded {
                    for i in 0..<rowSize { line[i] = linear[Int(source[row * rowSize + i])] }
                    decoded = row
                  }
                  for i in 0..<rowSize { sum[i] += weight * line[i] }
                }
                across.shrink(sum, into: pixels, y * width * 3)
              }
            }
          }
        }
      }
    }
    return RGBImage(width: width, height: height, pixels: pixels)
  }

  /// For each new pixel along a line: the old pixels that it covers, and their weights, which sum to one.
  private struct Spans {
    var starts: [Int] = []
    /// The index of the first weight of each new pixel, and the end of the last.
    var bounds: [Int] = [0]
    var shares: [Float] = []

    init(_ old: Int, _ new: Int) {
      let step = Double(old) / Double(new)
      for index in 0..<new {
        let (start, end) = (Double(index) * step, Double(index + 1) * step)
        starts.append(Int(start))
        for pixel in Int(start)..<min(old, Int(end.rounded(.up))) {
          shares.append(Float((min(end, Double(pixel + 1)) - max(start, Double(pixel))) / step))
        }
        bounds.append(shares.count)
      }
    }

    /// The old pixels that a new one covers, with their weights.
    func parts(_ index: Int) -> some Sequence<(Int, Float)> {
      (bounds[index]..<bounds[index + 1]).lazy.map { (starts[index] + $0 - bounds[index], shares[$0]) }
    }

    /// Scales a row of linear light to 8-bit pixels, written from `place` on.
    func shrink(
      _ line: UnsafeMutableBufferPointer<Float>, into result: UnsafeMutableBufferPointer<UInt8>, _ place: Int
    ) {
      shares.withUnsafeBufferPointer { shares in
        values.withUnsafeBufferPointer { values in
          for x in starts.indices {
            var (red, green, blue): (Float, Float, Float) = (0, 0, 0)
            var index = starts[x] * 3
            for share in bounds[x]..<bounds[x + 1] {
              red += shares[share] * line[index]
              green += shares[share] * line[index + 1]
              blue += shares[share] * line[index + 2]
              index += 3
            }
            result[place + x * 3] = values[step(red)]
            result[place + x * 3 + 1] = values[step(green)]
            result[place + x * 3 + 2] = values[step(blue)]
          }
        }
      }
    }
  }

  /// The linear light of each 8-bit value. Source: IEC 61966-2-1 (sRGB).
  private static let linear: [Float] = (0...255).map { value in
    let x = Double(value) / 255
    return Float(x <= 0.04045 ? x / 12.92 : pow((x + 0.055) / 1.055, 2.4))
  }

  /// The index in `values` for linear light of 0...1. The error is at most 1/40 of a value.
  private static func step(_ light: Float) -> Int { Int(min(max(light, 0), 1) * 65535 + 0.5) }

  /// The 8-bit values for linear light in 65 536 steps.
  private static let values: [UInt8] = (0...65535).map { step in
    let x = Double(step) / 65535
    return UInt8(((x <= 0.0031308 ? 12.92 * x : 1.055 * pow(x, 1 / 2.4) - 0.055) * 255).rounded())
  }
}
