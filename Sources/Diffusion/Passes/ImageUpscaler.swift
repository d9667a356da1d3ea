import Imaging
import Networks
import Tensors

/// Enlarges images as the webui's upscalers do: with a filter, or with a network and then with Lanczos to the exact size.
public final class ImageUpscaler {
  /// How to enlarge.
  public enum Method: Hashable, Sendable {
    /// A filter.
    case filter(ImageFilter)
    /// A network, given by its file's path.
    case network(path: String)
  }

  private let upscaler: Upscaler
  private let compute: Compute

  private enum Upscaler {
    case filter(ImageFilter)
    case network(any UpscalingNetwork)
  }

  /// The side of a piece, in pixels, as in the webui: a network enlarges the image piece by piece.
  static let tileSize = 192
  /// The overlap of neighbouring pieces in pixels.
  static let tileOverlap = 8

  /// Creates an upscaler. If it is a network, this reads its weights.
  ///
  /// - Parameters:
  ///   - method: How to enlarge.
  ///   - threads: The number of threads to compute with.
  /// - Throws: `WeightError`, or `TensorError` if `SDBATCH_ISA` names an instruction set that this machine lacks.
  public init(_ method: Method, threads: Int) throws {
    compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: threads)
    upscaler =
      switch method {
      case .filter(let filter): .filter(filter)
      case .network(let path): .network(try UpscalerArchive(path: path).read(compute))
      }
  }

  /// Creates an upscaler with a filter.
  init(_ filter: ImageFilter, compute: Compute) {
    upscaler = .filter(filter)
    self.compute = compute.with(.fp32)
  }

  /// Creates an upscaler with a network.
  init(_ network: any UpscalingNetwork, compute: Compute) {
    upscaler = .network(network)
    self.compute = compute.with(.fp32)
  }

  /// Enlarges an image by a factor.
  ///
  /// The sides of the result are multiples of 8, as in the webui. A network runs up to three times, until the image is large
  /// enough.
  ///
  /// - Parameters:
  ///   - image: The image.
  ///   - factor: The factor for each side, at least 1.
  ///   - progress: Called before each piece; an error from it ends the work.
  /// - Returns: An image of `int(side * factor) // 8 * 8` pixels a side, at least 8.
  /// - Throws: The error of `progress`.
  public func upscaled(
    _ image: RGBImage, by factor: Double, progress: (_ tile: Int, _ of: Int) throws -> Void = { _, _ in }
  ) throws -> RGBImage {
    let width = max(Int(Double(image.width) * factor) / 8 * 8, 8)
    let height = max(Int(Double(image.height) * factor) / 8 * 8, 8)
    var large = image
    for _ in 0..<3 {
      let before = large
      large = try enlarged(large, by: factor, progress)
      if large.width == before.width, large.height == before.height { break }
      if large.width >= width, large.height >= height { break }
    }
    return large.resized(width: width, height: height, filter: .lanczos)
  }

  /// Enlarges an image to a size; an image that is already large enough is only resized.
  ///
  /// - Parameters:
  ///   - image: The image.
  ///   - width: The width in pixels.
  ///   - height: The height in pixels.
  ///   - progress: Called before each piece; an error from it ends the work.
  /// - Returns: An image of that size.
  /// - Throws: The error of `progress`.
  public func upscaled(
    _ image: RGBImage, width: Int, height: Int, progress: (_ tile: Int, _ of: Int) throws -> Void = { _, _ in }
  ) throws -> RGBImage {
    let factor = max(Double(width) / Double(image.width), Double(height) / Double(image.height))
    let large = factor > 1 ? try upscaled(image, by: factor, progress: progress) : image
    return large.resized(width: width, height: height, filter: .lanczos)
  }

  private func enlarged(
    _ image: RGBImage, by factor: Double, _ progress: (Int, Int) throws -> Void
  ) throws -> RGBImage {
    switch upscaler {
    case .network(let network): return try tiled(image, network, progress)
    case .filter(let filter):
      return image.resized(
        width: max(Int(Double(image.width) * factor), 1), height: max(Int(Double(image.height) * factor), 1),
        filter: filter)
    }
  }

  // MARK: Pieces

  private func tiled(
    _ image: RGBImage, _ network: any UpscalingNetwork, _ progress: (Int, Int) throws -> Void
  ) throws -> RGBImage {
    let columns = TileRow(length: image.width, tile: Self.tileSize, overlap: Self.tileOverlap)
    let rows = TileRow(length: image.height, tile: Self.tileSize, overlap: Self.tileOverlap)
    let scale = network.scale
    let overlap = Self.tileOverlap * scale
    var whole = PixelCanvas(width: image.width * scale, height: image.height * scale)
    for (row, y) in rows.starts.enumerated() {
      var band = PixelCanvas(width: whole.width, height: rows.tile * scale)
      for (column, x) in columns.starts.enumerated() {
        try progress(row * columns.starts.count + column, rows.starts.count * columns.starts.count)
        let piece = run(network, image, x: x, y: y, width: columns.tile, height: rows.tile)
        band.draw(piece, x: x * scale, y: 0, blendingColumns: column == 0 ? 0 : overlap)
      }
      whole.draw(band, x: 0, y: y * scale, blendingRows: row == 0 ? 0 : overlap)
    }
    compute.workspace.trim()
    return RGBImage(width: whole.width, height: whole.height, pixels: whole.pixels)
  }

  /// Enlarges one piece. If the network needs other multiples for the sides, the last pixels are repeated, and the result is
  /// cropped.
  private func run(
    _ network: any UpscalingNetwork, _ image: RGBImage, x: Int, y: Int, width: Int, height: Int
  ) -> PixelCanvas {
    func padded(_ side: Int) -> Int { (side + network.multiple - 1) / network.multiple * network.multiple }
    let input = compute.tensor(
      batch: 1, height: padded(height), width: padded(width), channels: 3, elementType: .fp32)
    for row in 0..<input.height {
      for column in 0..<input.width {
        let source = ((y + min(row, height - 1)) * image.width + x + min(column, width - 1)) * 3
        let pixel = input.pixel(0, row, column)
        for c in 0..<3 { pixel[c] = Float(image.pixels[source + c]) / 255 }
      }
    }
    let output = network.forward(input)
    var piece = PixelCanvas(width: width * network.scale, height: height * network.scale)
    for row in 0..<piece.height {
      for column in 0..<piece.width {
        let pixel = output.pixel(0, row, column)
        for c in 0..<3 {
          // Ties round to even, as in PyTorch; NaN becomes black.
          let value = (min(max(pixel[c], 0), 1) * 255).rounded(.toNearestOrEven)
          piece.pixels[(row * piece.width + column) * 3 + c] = value.isNaN ? 0 : UInt8(value)
        }
      }
    }
    return piece
  }
}

/// The starts of the pieces along one side: evenly spaced, and the last piece ends at the end of the side.
struct TileRow {
  let tile: Int
  let starts: [Int]

  init(length: Int, tile: Int, overlap: Int) {
    guard length > tile else {
      (self.tile, starts) = (length, [0])
      return
    }
    self.tile = tile
    let count = (length - overlap + tile - overlap - 1) / (tile - overlap)
    let step = count > 1 ? Double(length - tile) / Double(count - 1) : 0
    starts = (0..<count).map { min(Int(Double($0) * step), length - tile) }
  }
}

/// The canvas that pieces are drawn on. A piece fades in where it overlaps earlier ones.
private struct PixelCanvas {
  let width: Int
  let height: Int
  var pixels: [UInt8]

  init(width: Int, height: Int) {
    (self.width, self.height) = (width, height)
    pixels = Array(repeating: 0, count: width * height * 3)
  }

  mutating func draw(_ piece: PixelCanvas, x: Int, y: Int, blendingColumns: Int = 0, blendingRows: Int = 0) {
    for row in 0..<piece.height {
      for column in 0..<piece.width {
        // The weight of the piece, in units of 1/255.
        var weight = 255
        if column < blendingColumns { weight = column * 255 / blendingColumns }
        if row < blendingRows { weight = row * 255 / blendingRows }
        let source = (row * piece.width + column) * 3
        let destination = ((y + row) * width + x + column) * 3
        for c in 0..<3 {
          pixels[destination + c] = Self.mix(pixels[destination + c], piece.pixels[source + c], weight)
        }
      }
    }
  }

  /// Mixes two values as Pillow does when it pastes through a mask.
  private static func mix(_ old: UInt8, _ new: UInt8, _ weight: Int) -> UInt8 {
    let sum = Int(old) * (255 - weight) + Int(new) * weight + 128
    return UInt8(((sum >> 8) + sum) >> 8)
  }
}
