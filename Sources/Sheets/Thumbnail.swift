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
      let image = try? PictureFile(decoding: bytes).image
    else { return nil }
    let size = size(width: image.width, height: image.height, box: box)
    return scaled(image, width: size.width, height: size.height)
  }

  /// Makes `count` images, on all cores. It uses fewer threads if the system allows no more, because Dispatch would wait for
  /// them.
  package static func concurrently(_ count: Int, _ make: @escaping @Sendable (Int) -> RGBImage?) -> [RGBImage?] {
    let work = Work(count, make)
    let helpers = max(0, min(count, ProcessInfo.processInfo.activeProcessorCount) - 1)
    var threads: [pthread_t] = []
    for _ in 0..<helpers {
      let argument = Unmanaged.passRetained(work)
      var thread = pthread_t()
      let status = pthread_create(
        &thread, nil,
        { argument in
          if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().run() }
          return nil
        }, argument.toOpaque())
      guard status == 0 else {
        argument.release()
        break
      }
      threads.append(thread)
    }
    work.run()
    for thread in threads { pthread_join(thread, nil) }
    return work.images
  }

  /// The images that several threads make. Every access holds the lock.
  private final class Work: @unchecked Sendable {
    private let lock = NSLock()
    private let make: @Sendable (Int) -> RGBImage?
    private var next = 0
    private(set) var images: [RGBImage?]

    init(_ count: Int, _ make: @escaping @Sendable (Int) -> RGBImage?) {
      self.make = make
      images = Array(repeating: nil, count: count)
    }

    /// Makes images until none are left.
    func run() {
      while let index = takeNext() {
        let image = make(index)
        lock.withLock { images[index] = image }
      }
    }

    private func takeNext() -> Int? {
      lock.withLock {
        guard next < images.count else { return nil }
        next += 1
        return next - 1
      }
    }
  }

  /// An image at a smaller size; unchanged if the size is its own.
  package static func scaled(_ image: RGBImage, width: Int, height: Int) -> RGBImage {
    if image.width == width, image.height == height { return image }
    let across = Spans(image.width, width)
    let down = Spans(image.height, height)
    // Columns first: each row of the image is scaled to the new width.
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

    /// Scales a row of 8-bit pixels that starts at `row`; writes linear light from `start` on.
    func shrink(
      _ source: UnsafeBufferPointer<UInt8>, row: Int, _ linear: UnsafeBufferPointer<Float>,
      into result: UnsafeMutableBufferPointer<Float>, _ start: Int
    ) {
      for x in starts.indices {
        var (red, green, blue): (Float, Float, Float) = (0, 0, 0)
        var index = row + starts[x] * 3
        for share in bounds[x]..<bounds[x + 1] {
          red += shares[share] * linear[Int(source[index])]
          green += shares[share] * linear[Int(source[index + 1])]
          blue += shares[share] * linear[Int(source[index + 2])]
          index += 3
        }
        result[start + x * 3] = red
        result[start + x * 3 + 1] = green
        result[start + x * 3 + 2] = blue
      }
    }

    /// Sums the rows that a new row covers.
    func sum(_ rows: UnsafeBufferPointer<Float>, span: Int, into line: UnsafeMutableBufferPointer<Float>) {
      line.update(repeating: 0)
      for share in bounds[span]..<bounds[span + 1] {
        let (weight, row) = (shares[share], (starts[span] + share - bounds[span]) * line.count)
        for x in 0..<line.count { line[x] += weight * rows[row + x] }
      }
    }
  }

  /// The linear light of each 8-bit value. Source: IEC 61966-2-1 (sRGB).
  private static let linear: [Float] = (0...255).map { value in
    let x = Double(value) / 255
    return Float(x <= 0.04045 ? x / 12.92 : pow((x + 0.055) / 1.055, 2.4))
  }

  /// The 8-bit value for linear light of 0...1, from a table with 65 536 steps. The error is at most 1/40 of a value.
  private static func encoded(_ light: Float) -> UInt8 { values[Int((min(max(light, 0), 1) * 65535).rounded())] }

  private static let values: [UInt8] = (0...65535).map { step in
    let x = Double(step) / 65535
    return UInt8(((x <= 0.0031308 ? 12.92 * x : 1.055 * pow(x, 1 / 2.4) - 0.055) * 255).rounded())
  }
}
