import Imaging
import Networks
import Tensors

/// The area in which a restored face replaces the image: a soft mask of the parts of the face.
struct FaceMask {
  let network: ParseNet
  let compute: Compute

  /// The face: skin, brows, eyes, glasses, ears, nose, mouth, lips and hair. Not the background, hats, the area around
  /// earrings, necks or clothes.
  private static let isFace: [Bool] = (0..<ParseNet.classes).map { (1...13).contains($0) || $0 == 15 }
  /// Rows and columns at the edges of the crop that are never replaced.
  private static let margin = 10

  /// The mask of a face of 512 pixels a side: 0 where the image stays, 1 where the face replaces it.
  func mask(_ face: RGBImage) -> NumberPlane {
    let logits = network.forward(FaceTensor.tensor(face, compute))
    let (width, height) = (face.width, face.height)
    var values = [Double](repeating: 0, count: width * height)
    values.withUnsafeMutableBufferPointer { values in
      guard let values = values.baseAddress else { return }
      compute.pool.run(height) { row in
        for pixel in row * width..<(row + 1) * width {
          let scores = logits.base + pixel * logits.channels
          var best = 0
          for number in 1..<logits.channels where scores[number] > scores[best] { best = number }
          values[pixel] = Self.isFace[best] ? 255 : 0
        }
      }
    }
    var plane = NumberPlane(width: width, height: height, values: values)
    for _ in 0..<2 { plane = plane.blurred(radius: 50, deviation: 11, parallel: compute.pool.run) }
    let (columns, rows) = (Self.margin..<width - Self.margin, Self.margin..<height - Self.margin)
    return plane.mapped { x, y, value in columns.contains(x) && rows.contains(y) ? value / 255 : 0 }
  }
}

/// A face as the networks see it.
enum FaceTensor {
  /// Red, green and blue from -1 to 1: divided by 255 in double precision, then single.
  static func tensor(_ image: RGBImage, _ compute: Compute) -> Tensor {
    let tensor = compute.tensor(batch: 1, height: image.height, width: image.width, channels: 3, elementType: .fp32)
    let numbers = (0...255).map { (Float(Double($0) / 255) - 0.5) / 0.5 }
    for (index, byte) in image.pixels.enumerated() { tensor.base[index] = numbers[Int(byte)] }
    return tensor
  }

  /// The bytes of a network's result: limited, and cut, not rounded. NaN becomes black.
  static func image(_ tensor: Tensor) -> RGBImage {
    let pixels = UnsafeBufferPointer(start: tensor.base, count: tensor.count).map { value -> UInt8 in
      value.isNaN ? 0 : UInt8((min(max(value, -1), 1) + 1) / 2 * 255)
    }
    return RGBImage(width: tensor.width, height: tensor.height, pixels: pixels)
  }
}
