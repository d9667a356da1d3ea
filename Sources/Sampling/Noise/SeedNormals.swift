import Settings

/// The normally distributed numbers of a seed, from the first one: what the webui's generator returns to code that draws from
/// it after the image's own noise was seeded.
public struct SeedNormals: Sendable {
  private var generator: any NormalGenerator

  /// Creates the numbers of a seed.
  ///
  /// - Parameters:
  ///   - seed: The seed of the image.
  ///   - source: The generator.
  public init(seed: Int64, source: NoiseSourceID) { generator = source.generator(seed: seed) }

  /// The next numbers. They depend on how earlier ones were grouped into calls.
  public mutating func next(_ count: Int) -> [Float] { generator.normals(count) }
}
