import Foundation
import Settings

/// How the initial noise of an image differs from its seed's noise, and the seed of all other noise.
public struct NoiseVariation: Codable, Hashable, Sendable {
  /// The seed of the noise that is mixed in.
  public var subseed: Int64
  /// The fraction of that noise, 0 to 1.
  public var subseedStrength: Double
  /// The size, in latent pixels, of the image whose noise is copied into the middle; nil for this image's own size.
  public var resizeFrom: Size?
  /// Added to the seed for all noise except the initial noise; 0 means that the same generator continues.
  public var seedDelta: Int64

  /// A size in latent pixels.
  public struct Size: Codable, Hashable, Sendable {
    /// Columns.
    public var width: Int
    /// Rows.
    public var height: Int

    /// Creates a size.
    public init(width: Int, height: Int) {
      self.width = width
      self.height = height
    }
  }

  /// Creates a variation; with the defaults there is none.
  public init(subseed: Int64 = 0, subseedStrength: Double = 0, resizeFrom: Size? = nil, seedDelta: Int64 = 0) {
    self.subseed = subseed
    self.subseedStrength = subseedStrength
    self.resizeFrom = resizeFrom
    self.seedDelta = seedDelta
  }

  /// The variation of a job.
  init(_ job: PassSettings) {
    let side = job.traits.geometry.pixelsPerPlace
    self.init(
      subseed: job.subseedMatters ? job.subseed : 0, subseedStrength: job.subseedStrength,
      resizeFrom: job.seedResizeMatters
        ? Size(width: job.seedResizeFromW / side, height: job.seedResizeFromH / side) : nil,
      seedDelta: job.etaNoiseSeedDelta)
  }
}

/// The stream of noise of one image: the first draw is its initial noise, the later ones are for its sampler.
///
/// Each image has its own generator, so its noise never depends on its batch.
struct ImageNoise: NoiseSampler {
  /// The size of each draw.
  let shape: LatentShape
  private(set) var drawCount = 0
  private let seed: Int64
  private let variation: NoiseVariation
  private let source: NoiseSourceID
  private var generator: any NormalGenerator

  /// Creates the stream of this seed, after `drawCount` draws.
  init(
    seed: Int64, source: NoiseSourceID, shape: LatentShape, variation: NoiseVariation = NoiseVariation(),
    drawCount: Int = 0
  ) {
    self.shape = shape
    self.seed = seed
    self.variation = variation
    self.source = source
    generator = source.generator(seed: seed)
    for draw in 0..<drawCount {
      generator.skip(shape.count)
      if draw == 0 { shiftSeed() }
    }
    self.drawCount = drawCount
  }

  /// The next draw.
  mutating func next() -> Latent {
    let draw = Latent(shape: shape, values: generator.normals(shape.count))
    drawCount += 1
    guard drawCount == 1 else { return draw }
    shiftSeed()
    return varied(draw)
  }

  /// The next draw; the sigmas do not matter.
  mutating func noise(from sigma: Float, to nextSigma: Float) -> Latent { next() }

  private mutating func shiftSeed() {
    if variation.seedDelta != 0 { generator = source.generator(seed: seed &+ variation.seedDelta) }
  }

  private func varied(_ draw: Latent) -> Latent {
    var size = shape
    if let from = variation.resizeFrom { (size.width, size.height) = (from.width, from.height) }
    var noise = size == shape ? draw : Self.draw(seed, source, size)
    if variation.subseedStrength != 0 {
      let other = Self.draw(variation.subseed, source, size)
      noise = SphericalMix.mixed(noise, other, strength: Float(variation.subseedStrength))
    }
    return size == shape ? noise : draw.replacingMiddle(with: noise)
  }

  private static func draw(_ seed: Int64, _ source: NoiseSourceID, _ shape: LatentShape) -> Latent {
    var generator = source.generator(seed: seed)
    return Latent(shape: shape, values: generator.normals(shape.count))
  }
}

/// Mixes two noises along the arc between them, column by column, as the webui does.
///
/// Source: Shoemake 1985, "Animating Rotation with Quaternion Curves".
enum SphericalMix {
  /// Mixes two latents; a `strength` of 0 gives `a`, 1 gives `b`.
  static func mixed(_ a: Latent, _ b: Latent, strength: Float) -> Latent {
    let shape = a.shape
    var cosines = [Float](repeating: 0, count: shape.channels * shape.width)
    for c in 0..<shape.channels {
      for column in 0..<shape.width {
        var (aa, bb, ab) = (Float(0), Float(0), Float(0))
        for row in 0..<shape.height {
          let i = (c * shape.height + row) * shape.width + column
          aa += a.values[i] * a.values[i]
          bb += b.values[i] * b.values[i]
          ab += a.values[i] * b.values[i]
        }
        cosines[c * shape.width + column] = ab / (aa.squareRoot() * bb.squareRoot())
      }
    }
    let mean = cosines.reduce(0, +) / Float(cosines.count)
    let isParallel = mean > 0.9995
    var values = a.values
    for i in values.indices {
      let column = i / (shape.height * shape.width) * shape.width + i % shape.width
      let omega = acos(Double(min(max(cosines[column], -1), 1)))
      let sine = sin(omega)
      // The webui swaps the weights of parallel noises, where it hardly matters.
      let (forA, forB): (Float, Float) =
        isParallel
        ? (strength, 1 - strength)
        : sine == 0
          ? (1 - strength, strength)
          : (Float(sin((1 - Double(strength)) * omega) / sine), Float(sin(Double(strength) * omega) / sine))
      values[i] = forA * a.values[i] + forB * b.values[i]
    }
    return Latent(shape: shape, values: values)
  }
}

extension Latent {
  /// This latent with the middle of another one copied into its own middle; offsets are rounded down.
  fileprivate func replacingMiddle(with other: Latent) -> Latent {
    let dx = (shape.width - other.shape.width) >> 1
    let dy = (shape.height - other.shape.height) >> 1
    let width = dx >= 0 ? other.shape.width : other.shape.width + 2 * dx
    let height = dy >= 0 ? other.shape.height : other.shape.height + 2 * dy
    let (toX, toY) = (max(dx, 0), max(dy, 0))
    let (fromX, fromY) = (max(-dx, 0), max(-dy, 0))
    var values = values
    for c in 0..<shape.channels {
      for row in 0..<max(height, 0) {
        for column in 0..<max(width, 0) {
          values[(c * shape.height + toY + row) * shape.width + toX + column] =
            other.values[(c * other.shape.height + fromY + row) * other.shape.width + fromX + column]
        }
      }
    }
    return Latent(shape: shape, values: values)
  }
}
