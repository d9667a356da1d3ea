import Foundation
import Imaging
import Networks
import Tensors

/// A face in an image.
struct Face {
  /// The detector's confidence, up to 1.
  var score: Float
  /// The left and right eye, the nose, and the left and right corner of the mouth, as seen by the viewer; in pixels.
  var points: [(x: Float, y: Float)]
}

/// Finds faces with a RetinaFace, as the webui does.
struct FaceDetector {
  let network: RetinaFace
  let compute: Compute

  /// The shorter side of the image for the network.
  private static let side = 640
  /// The limit for the longer side, as a multiple of the shorter one. The webui has no such limit, and runs out of memory
  /// instead.
  private static let longest = 8
  /// Detections with a lower score are not faces.
  private static let leastScore: Float = 0.97
  /// If two boxes overlap by more than this fraction of their union, only the one with the higher score is a face.
  private static let mostOverlap: Float = 0.4
  /// Detections with a smaller distance between the eyes, in pixels, are not faces.
  private static let leastEyeDistance = 5.0
  /// The means of red, green and blue in training.
  private static let means: [Float] = [123, 117, 104]
  /// The distances between positions in pixels, and the sizes of faces at each position.
  private static let levels: [(step: Int, sizes: [Float])] = [(8, [16, 32]), (16, [64, 128]), (32, [256, 512])]

  /// The faces of an image, the most certain first.
  func faces(_ image: RGBImage) -> [Face] {
    let look = look(at: image)
    let places = Self.places(look.output, width: look.width, height: look.height)
    return Self.withoutDoubles(places).compactMap { place in
      let points = place.points.map { (x: $0.x * Float(look.scale), y: $0.y * Float(look.scale)) }
      let (dx, dy) = (Double(points[0].x - points[1].x), Double(points[0].y - points[1].y))
      return (dx * dx + dy * dy).squareRoot() < Self.leastEyeDistance ? nil : Face(score: place.score, points: points)
    }
  }

  /// What the network sees in an image.
  struct Look {
    let output: RetinaFace.Output
    /// The size that the network looked at, in pixels.
    let width: Int
    let height: Int
    /// How many times as large the image is.
    let scale: Double
  }

  func look(at image: RGBImage) -> Look {
    var scale = Double(min(image.width, image.height)) / Double(Self.side)
    scale = max(scale, Double(max(image.width, image.height)) / Double(Self.longest * Self.side))
    let (width, height) = (max(Int(Double(image.width) / scale), 1), max(Int(Double(image.height) / scale), 1))
    let small = image.resizedByEightTaps(width: width, height: height, parallel: compute.pool.run)
    let input = compute.tensor(batch: 1, height: height, width: width, channels: 3, elementType: .fp32)
    compute.pool.run(height) { row in
      let values = input.pixel(0, row, 0)
      for x in 0..<width {
        // Blue comes first.
        for c in 0..<3 { values[x * 3 + 2 - c] = Float(small.pixels[(row * width + x) * 3 + c]) - Self.means[c] }
      }
    }
    return Look(output: network.forward(input), width: width, height: height, scale: scale)
  }

  /// A position where the network detects a face.
  private struct Place {
    var score: Float
    var left: Float
    var top: Float
    var right: Float
    var bottom: Float
    var points: [(x: Float, y: Float)]

    var area: Float { (right - left) * (bottom - top) }

    func overlap(_ other: Place) -> Float {
      let width = max(min(right, other.right) - max(left, other.left), 0)
      let height = max(min(bottom, other.bottom) - max(top, other.top), 0)
      return width * height / (area + other.area - width * height)
    }
  }

  /// The positions with a high score, the highest first.
  private static func places(_ output: RetinaFace.Output, width: Int, height: Int) -> [Place] {
    var places: [Place] = []
    var index = 0
    let (w, h) = (Float(width), Float(height))
    for level in levels {
      for row in 0..<(height + level.step - 1) / level.step {
        for column in 0..<(width + level.step - 1) / level.step {
          for size in level.sizes {
            defer { index += 1 }
            guard index < output.scores.count, output.scores[index] > leastScore else { continue }
            let centre = (
              x: Float((Double(column) + 0.5) * Double(level.step) / Double(width)),
              y: Float((Double(row) + 0.5) * Double(level.step) / Double(height))
            )
            let sides = (x: Float(Double(size) / Double(width)), y: Float(Double(size) / Double(height)))
            let box = output.boxes[4 * index..<4 * index + 4].map { $0 }
            let (x, y) = (centre.x + box[0] * 0.1 * sides.x, centre.y + box[1] * 0.1 * sides.y)
            let (boxWidth, boxHeight) = (sides.x * exp(box[2] * 0.2), sides.y * exp(box[3] * 0.2))
            let (left, top) = (x - boxWidth / 2, y - boxHeight / 2)
            let marks = output.landmarks[10 * index..<10 * index + 10].map { $0 }
            places.append(
              Place(
                score: output.scores[index], left: left * w, top: top * h, right: (left + boxWidth) * w,
                bottom: (top + boxHeight) * h,
                points: (0..<5).map {
                  (
                    x: (centre.x + marks[2 * $0] * 0.1 * sides.x) * w,
                    y: (centre.y + marks[2 * $0 + 1] * 0.1 * sides.y) * h
                  )
                }))
          }
        }
      }
    }
    // Equal scores keep their order.
    return places.enumerated().sorted { ($1.element.score, $0.offset) < ($0.element.score, $1.offset) }.map(\.element)
  }

  private static func withoutDoubles(_ places: [Place]) -> [Place] {
    var kept: [Place] = []
    for place in places where !kept.contains(where: { $0.overlap(place) > mostOverlap }) { kept.append(place) }
    return kept
  }
}
