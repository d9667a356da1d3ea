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

  /// A picture from a file, at the size at which it fits in a box; nothing for a file that cannot be read as a PNG.
  package static func read(_ path: String, box: (width: Int, height: Int)) -> RGBImage? {
    guard let bytes = FileManager.default.contents(atPath: path),
      let image = try? PNGFile(decoding: Array(bytes)).image
    else { return nil }
    let size = size(width: image.width, height: image.height, box: box)
    return scaled(image, width: size.width, height: size.height)
  }

  /// Makes so many pictures, on all cores.
  package static func concurrently(_ count: Int, _ make: @Sendable (Int) -> RGBImage?) -> [RGBImage?] {
    let results = Results(count)
    DispatchQueue.concurrentPerform(iterations: count) { number in results.set(make(number), at: number) }
    return results.pictures
  }

  /// Pictures that come from several threads; the lock is held for every look at them.
  private final class Results: @unchecked Sendable {
    private let lock = NSLock()
    private(set) var pictures: [RGBImage?]

    init(_ count: Int) { pictures = Array(repeating: nil, count: count) }

    func set(_ picture: RGBImage?, at place: Int) { lock.withLock { pictures[place] = picture } }
  }

  /// A picture at a smaller size; the very same values at its own.
  package static func scaled(_ image: RGBImage, width: Int, height: Int) -> RGBImage {
    if image.width == width, image.height == height { return image }
    let across = Spans(image.width, width)
    let down = Spans(image.height, height)
    // Columns first: a row of the picture becomes one of the width that is wanted.
    var rows = [Float](repeating: 0, count: image.height * width * 3)
    rows.withUnsafeMutableBufferPointer { rows in
      image.pixels.withUnsafeBufferPointer { source in
        linear.withUnsafeBufferPointer { linear in
          for y in 0..<image.height {
            across.shrink(source, row: y * image.width * 3, linear, into: rows, y * width * 3)
          }
        }
      }
    }
    var pixels = [UInt8](repeating: 0, count: width * height * 3)
    var line = [Float](repeating: 0, count: width * 3)
    for y in 0..<height {
      line.withUnsafeMutableBufferPointer { line in
        rows.withUnsafeBufferPointer { rows in down.sum(rows, span: y, into: line) }
      }
      for x in 0..<width * 3 { pixels[y * width * 3 + x] = encoded(line[x]) }
    }
    return RGBImage(width: width, height: height, pixels: pixels)
  }

  /// For each new pixel along a line, the old ones that it covers and their shares, which sum to one.
  private struct Spans {
    var starts: [Int] = []
    /// Where the shares of a new pixel begin; one more than there are pixels.
    var places: [Int] = [0]
    var shares: [Float] = []

    init(_ old: Int, _ new: Int) {
      let step = Double(old) / Double(new)
      for index in 0..<new {
        let (start, end) = (Double(index) * step, Double(index + 1) * step)
        starts.append(Int(start))
        for pixel in Int(start)..<min(old, Int(end.rounded(.up))) {
          shares.append(Float((min(end, Double(pixel + 1)) - max(start, Double(pixel))) / step))
        }
        places.append(shares.count)
      }
    }

    /// Makes a row of 8-bit pixels, from `row` on, one of light, from `place` on.
    func shrink(
      _ source: UnsafeBufferPointer<UInt8>, row: Int, _ linear: UnsafeBufferPointer<Float>,
      into result: UnsafeMutableBufferPointer<Float>, _ place: Int
    ) {
      for x in starts.indices {
        var (red, green, blue): (Float, Float, Float) = (0, 0, 0)
        var index = row + starts[x] * 3
        for share in places[x]..<places[x + 1] {
          red += shares[share] * linear[Int(source[index])]
          green += shares[share] * linear[Int(source[index + 1])]
          blue += shares[share] * linear[Int(source[index + 2])]
          index += 3
        }
        result[place + x * 3] = red
        result[place + x * 3 + 1] = green
        result[place + x * 3 + 2] = blue
      }
    }

    /// Adds up the rows that a new one covers.
    func sum(_ rows: UnsafeBufferPointer<Float>, span: Int, into line: UnsafeMutableBufferPointer<Float>) {
      line.update(repeating: 0)
      for share in places[span]..<places[span + 1] {
        let (weight, row) = (shares[share], (starts[span] + share - places[span]) * line.count)
        for x in 0..<line.count { line[x] += weight * rows[row + x] }
      }
    }
  }

  /// Light for each 8-bit value. Source: IEC 61966-2-1 (sRGB).
  private static let linear: [Float] = (0...255).map { value in
    let x = Double(value) / 255
    return Float(x <= 0.04045 ? x / 12.92 : pow((x + 0.055) / 1.055, 2.4))
  }

  /// The 8-bit value for so much light, 0...1, looked up at the nearest of 65 536 steps: a fortieth of a value off at most.
  private static func encoded(_ light: Float) -> UInt8 { values[Int((min(max(light, 0), 1) * 65535).rounded())] }

  private static let values: [UInt8] = (0...65535).map { step in
    let x = Double(step) / 65535
    return UInt8(((x <= 0.0031308 ? 12.92 * x : 1.055 * pow(x, 1 / 2.4) - 0.055) * 255).rounded())
  }
}
