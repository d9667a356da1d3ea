import Foundation

/// A map of the plane that keeps lines straight: (x, y) to (xx · x + xy · y + x0, yx · x + yy · y + y0).
public struct AffineMap: Hashable, Sendable {
  /// The factor of x in the new x.
  public var xx: Double
  /// The factor of y in the new x.
  public var xy: Double
  /// The constant in the new x.
  public var x0: Double
  /// The factor of x in the new y.
  public var yx: Double
  /// The factor of y in the new y.
  public var yy: Double
  /// The constant in the new y.
  public var y0: Double

  /// Creates a map from its six numbers.
  public init(xx: Double, xy: Double, x0: Double, yx: Double, yy: Double, y0: Double) {
    (self.xx, self.xy, self.x0) = (xx, xy, x0)
    (self.yx, self.yy, self.y0) = (yx, yy, y0)
  }

  /// The image of a point under the map.
  public func callAsFunction(_ x: Double, _ y: Double) -> (x: Double, y: Double) {
    (xx * x + xy * y + x0, yx * x + yy * y + y0)
  }

  /// The inverse, computed in the same steps as in OpenCV 4. If the map has no inverse, all factors are zero.
  public var inverse: AffineMap {
    let determinant = xx * yy - xy * yx
    let d = determinant == 0 ? 0 : 1 / determinant
    let (a11, a22) = (yy * d, xx * d)
    let (a12, a21) = (xy * -d, yx * -d)
    return AffineMap(
      xx: a11, xy: a12, x0: -a11 * x0 - a12 * y0, yx: a21, yy: a22, y0: -a21 * x0 - a22 * y0)
  }
}

extension AffineMap {
  /// The rotation, scale and shift that moves five points closest to five others: OpenCV 4's `estimateAffinePartial2D` with the
  /// least median of squares, whose random choices are always the same.
  ///
  /// - Parameters:
  ///   - points: Five points.
  ///   - targets: Where each should go.
  /// - Returns: The map; nil if too many points are equal, or if none is finite.
  ///
  /// Source: Rousseeuw 1984, "Least Median of Squares Regression".
  public static func similarity(from points: [(x: Float, y: Float)], to targets: [(x: Float, y: Float)]) -> AffineMap? {
    precondition(points.count == 5 && targets.count == 5, "there are five points")
    let (p, q) = (points.map { (x: Double($0.x), y: Double($0.y)) }, targets.map { (x: Double($0.x), y: Double($0.y)) })
    var best: (median: Float, errors: [Float])?
    for (i, j) in pairs {
      let (dx, dy) = (p[i].x - p[j].x, p[i].y - p[j].y)
      let (ex, ey) = (q[i].x - q[j].x, q[i].y - q[j].y)
      let n = dx * dx + dy * dy
      if n == 0 { continue }
      let (a, b) = ((ex * dx + ey * dy) / n, (ey * dx - ex * dy) / n)
      // Errors are computed in single precision.
      let (fa, fb) = (Float(a), Float(b))
      let (tx, ty) = (Float(q[i].x - a * p[i].x + b * p[i].y), Float(q[i].y - b * p[i].x - a * p[i].y))
      let errors = (0..<5).map { k -> Float in
        let x = fa * points[k].x - fb * points[k].y + tx - targets[k].x
        let y = fb * points[k].x + fa * points[k].y + ty - targets[k].y
        return x * x + y * y
      }
      let median = errors.sorted()[2]
      if median < best?.median ?? .infinity { best = (median, errors) }
    }
    guard let best else { return nil }
    let deviation = max(2.5 * 1.4826 * (1 + 5.0 / 3) * Double(best.median).squareRoot(), 0.001)
    let kept = (0..<5).filter { Double(best.errors[$0]) <= deviation * deviation }
    let map = leastSquares(from: kept.map { p[$0] }, to: kept.map { q[$0] })
    let numbers = [map.xx, map.xy, map.x0, map.yx, map.yy, map.y0]
    return numbers.allSatisfy(\.isFinite) && (map.xx != 0 || map.xy != 0) ? map : nil
  }

  /// The pairs of points that OpenCV's generator draws.
  private static let pairs = [
    (0, 4), (0, 3), (1, 2), (1, 0), (3, 0), (0, 4), (1, 4), (3, 1), (0, 3), (0, 1), (0, 4), (4, 1), (0, 3),
  ]

  /// The similarity with the smallest sum of squared errors.
  private static func leastSquares(
    from p: [(x: Double, y: Double)], to q: [(x: Double, y: Double)]
  ) -> AffineMap {
    func centre(_ points: [(x: Double, y: Double)]) -> (x: Double, y: Double) {
      let sum = points.reduce((x: 0.0, y: 0.0)) { ($0.x + $1.x, $0.y + $1.y) }
      return (sum.x / Double(points.count), sum.y / Double(points.count))
    }
    let (pc, qc) = (centre(p), centre(q))
    var (squares, along, across) = (0.0, 0.0, 0.0)
    for (p, q) in zip(p, q) {
      let (ux, uy, vx, vy) = (p.x - pc.x, p.y - pc.y, q.x - qc.x, q.y - qc.y)
      squares += ux * ux + uy * uy
      along += ux * vx + uy * vy
      across += ux * vy - uy * vx
    }
    let (a, b) = (along / squares, across / squares)
    return AffineMap(
      xx: a, xy: -b, x0: qc.x - a * pc.x + b * pc.y, yx: b, yy: a, y0: qc.y - b * pc.x - a * pc.y)
  }
}
