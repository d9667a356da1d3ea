import Foundation

/// An image with one number for each pixel.
public struct NumberPlane: Sendable {
  /// In pixels.
  public let width: Int
  /// In pixels.
  public let height: Int
  /// The numbers, row by row from the top.
  public private(set) var values: [Double]

  /// Creates a plane from its numbers.
  ///
  /// - Parameters:
  ///   - width: In pixels, at least 1.
  ///   - height: In pixels, at least 1.
  ///   - values: Row by row from the top.
  public init(width: Int, height: Int, values: [Double]) {
    precondition(width > 0 && height > 0 && values.count == width * height, "a plane has one number for each pixel")
    (self.width, self.height, self.values) = (width, height, values)
  }

  /// The plane blurred with a Gaussian, first along rows and then along columns. Beyond an edge it is mirrored, and the edge
  /// itself is not repeated.
  ///
  /// - Parameters:
  ///   - radius: How many pixels on each side a result depends on.
  ///   - deviation: The standard deviation in pixels.
  ///   - parallel: Runs pieces of work, given their indices, possibly at the same time.
  /// - Returns: A plane of the same size.
  public func blurred(
    radius: Int, deviation: Double,
    parallel: (Int, (Int) -> Void) -> Void = { count, work in (0..<count).forEach(work) }
  ) -> NumberPlane {
    let curve = (0...radius).map { exp(-Double($0 * $0) / (2 * deviation * deviation)) }
    let sum = curve[0] + 2 * curve.dropFirst().reduce(0, +)
    let weights = curve.map { $0 / sum }
    let (width, height) = (width, height)
    var rows = [Double](repeating: 0, count: values.count)
    var result = rows
    values.withUnsafeBufferPointer { source in
      rows.withUnsafeMutableBufferPointer { rows in
        guard let source = source.baseAddress, let rows = rows.baseAddress else { return }
        parallel(height) { y in
          withUnsafeTemporaryAllocation(of: Double.self, capacity: width + 2 * radius) { line in
            guard let line = line.baseAddress else { return }
            for x in -radius..<width + radius { line[x + radius] = source[y * width + Self.mirrored(x, width)] }
            let out = rows + y * width
            for x in 0..<width { out[x] = line[x + radius] * weights[0] }
            for j in 1..<radius + 1 {
              let (left, right, weight) = (line + radius - j, line + radius + j, weights[j])
              for x in 0..<width { out[x] += (left[x] + right[x]) * weight }
            }
          }
        }
      }
    }
    rows.withUnsafeBufferPointer { rows in
      result.withUnsafeMutableBufferPointer { result in
        guard let rows = rows.baseAddress, let result = result.baseAddress else { return }
        parallel(height) { y in
          let out = result + y * width
          let centre = rows + y * width
          for x in 0..<width { out[x] = centre[x] * weights[0] }
          for j in 1..<radius + 1 {
            let (above, below) = (
              rows + Self.mirrored(y - j, height) * width, rows + Self.mirrored(y + j, height) * width
            )
            let weight = weights[j]
            for x in 0..<width { out[x] += (above[x] + below[x]) * weight }
          }
        }
      }
    }
    return NumberPlane(width: width, height: height, values: result)
  }

  /// Maps an index beyond an edge to the index inside that it mirrors.
  private static func mirrored(_ index: Int, _ count: Int) -> Int {
    if count == 1 { return 0 }
    let period = 2 * (count - 1)
    let inside = (index % period + period) % period
    return min(inside, period - inside)
  }

  /// The plane with a function applied to every value.
  public func mapped(_ function: (_ x: Int, _ y: Int, _ value: Double) -> Double) -> NumberPlane {
    var other = self
    for y in 0..<height {
      for x in 0..<width { other.values[y * width + x] = function(x, y, values[y * width + x]) }
    }
    return other
  }
}
