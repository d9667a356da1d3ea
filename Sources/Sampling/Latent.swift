import Foundation

/// The size of one image's latent: channels, and height and width in latent pixels.
public struct LatentShape: Codable, Hashable, Sendable {
  /// Planes of the latent; 4 for all Stable Diffusion models.
  public var channels: Int
  /// Rows, in latent pixels.
  public var height: Int
  /// Columns, in latent pixels.
  public var width: Int

  /// Values in a latent of this size.
  public var count: Int { channels * height * width }

  /// Creates the shape of a latent.
  public init(channels: Int, height: Int, width: Int) {
    self.channels = channels
    self.height = height
    self.width = width
  }
}

/// The image while it is sampled: one value per channel and latent pixel, in the order `[channels, height, width]`.
///
/// Products and sums are rounded one by one and never fused, so that every machine computes the same bits.
public struct Latent: Hashable, Sendable {
  /// The size.
  public let shape: LatentShape
  /// `shape.count` values: channel by channel, each row by row.
  public private(set) var values: [Float]

  /// Creates a latent from its values.
  public init(shape: LatentShape, values: [Float]) {
    precondition(values.count == shape.count, "a latent of \(shape) takes \(shape.count) values, not \(values.count)")
    self.shape = shape
    self.values = values
  }

  /// Creates a latent with the same value everywhere.
  public init(shape: LatentShape, repeating value: Float) {
    self.init(shape: shape, values: [Float](repeating: value, count: shape.count))
  }

  /// x = factor · x
  public mutating func scale(by factor: Float) {
    values.withUnsafeMutableBufferPointer { x in
      for i in x.indices { x[i] *= factor }
    }
  }

  /// x = x / divisor
  public mutating func divide(by divisor: Float) {
    values.withUnsafeMutableBufferPointer { x in
      for i in x.indices { x[i] /= divisor }
    }
  }

  /// x = x + number
  public mutating func add(_ number: Float) {
    values.withUnsafeMutableBufferPointer { x in
      for i in x.indices { x[i] += number }
    }
  }

  /// x = x + weight · other
  public mutating func add(_ weight: Float, _ other: Latent) {
    update(with: other) { x, y in
      for i in x.indices { x[i] += weight * y[i] }
    }
  }

  /// x = factor · x + weight · other
  public mutating func scale(by factor: Float, adding weight: Float, _ other: Latent) {
    update(with: other) { x, y in
      for i in x.indices { x[i] = factor * x[i] + weight * y[i] }
    }
  }

  /// (x − other) / divisor
  public func difference(from other: Latent, dividedBy divisor: Float = 1) -> Latent {
    var result = self
    result.update(with: other) { x, y in
      for i in x.indices { x[i] = (x[i] - y[i]) / divisor }
    }
    return result
  }

  private mutating func update(
    with other: Latent, _ body: (_ x: UnsafeMutableBufferPointer<Float>, _ y: UnsafeBufferPointer<Float>) -> Void
  ) {
    precondition(other.shape == shape, "latents of \(shape) and \(other.shape) do not combine")
    values.withUnsafeMutableBufferPointer { x in
      other.values.withUnsafeBufferPointer { y in body(x, y) }
    }
  }
}

/// Values are coded as little-endian bytes, which coders do not round and which can represent NaN.
extension Latent: Codable {
  enum CodingKeys: String, CodingKey {
    case shape, values
  }

  /// Decodes shape and values; throws `DecodingError` if they do not match.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let shape = try container.decode(LatentShape.self, forKey: .shape)
    let bytes = try container.decode(Data.self, forKey: .values)
    guard bytes.count == shape.count * 4 else {
      throw DecodingError.dataCorruptedError(
        forKey: .values, in: container,
        debugDescription: "a latent of \(shape) takes \(shape.count * 4) bytes, found \(bytes.count)")
    }
    let values = bytes.withUnsafeBytes { raw in
      (0..<shape.count).map { i in
        Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * i, as: UInt32.self)))
      }
    }
    self.init(shape: shape, values: values)
  }

  /// Encodes shape and values.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(shape, forKey: .shape)
    let words = values.map(\.bitPattern.littleEndian)
    try container.encode(words.withUnsafeBytes { Data($0) }, forKey: .values)
  }
}
