/// The values beyond the edges of an image in 3x3 convolutions.
public enum ConvolutionPadding: Hashable, Sendable {
  /// Zeros, as in training.
  case zeros
  /// The opposite edge, so that the image tiles seamlessly: PyTorch's `circular`.
  case circular
  /// The pixels next to the edge, mirrored without the edge itself: PyTorch's `reflect`.
  case reflected
}

extension Tensor {
  /// Fills the border with the opposite edges.
  func wrapBorder() {
    precondition(border == 1, "the tensor has no border")
    let pixelSize = channels * elementType.size
    for image in 0..<batch {
      for y in 0..<height {
        pixelBytes(image, y, -1).copyMemory(from: pixelBytes(image, y, width - 1), byteCount: pixelSize)
        pixelBytes(image, y, width).copyMemory(from: pixelBytes(image, y, 0), byteCount: pixelSize)
      }
      // Copy whole rows including both ends, so that the corners are right too.
      let rowSize = rowStride * elementType.size
      pixelBytes(image, -1, -1).copyMemory(from: pixelBytes(image, height - 1, -1), byteCount: rowSize)
      pixelBytes(image, height, -1).copyMemory(from: pixelBytes(image, 0, -1), byteCount: rowSize)
    }
  }

  /// Fills the border with the pixels just inside the edge, mirrored; sides of one pixel are repeated.
  func reflectBorder() {
    precondition(border == 1, "the tensor has no border")
    let pixelSize = channels * elementType.size
    let (top, bottom) = (min(1, height - 1), max(height - 2, 0))
    let (left, right) = (min(1, width - 1), max(width - 2, 0))
    for image in 0..<batch {
      for y in 0..<height {
        pixelBytes(image, y, -1).copyMemory(from: pixelBytes(image, y, left), byteCount: pixelSize)
        pixelBytes(image, y, width).copyMemory(from: pixelBytes(image, y, right), byteCount: pixelSize)
      }
      // Copy whole rows including both ends, so that the corners are right too.
      let rowSize = rowStride * elementType.size
      pixelBytes(image, -1, -1).copyMemory(from: pixelBytes(image, top, -1), byteCount: rowSize)
      pixelBytes(image, height, -1).copyMemory(from: pixelBytes(image, bottom, -1), byteCount: rowSize)
    }
  }
}
