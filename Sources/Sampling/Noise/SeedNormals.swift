import Settings

/// The normally distributed numbers of a seed, from the first on: what the webui's generator gives to whoever draws with it
/// after the image's own noise is seeded.
public struct SeedNormals: Sendable {
  private var generator: any NormalGenerator

  /// The numbers of a seed.
  ///
  /// - Parameters:
  ///   - seed: Of the image.
  ///   - source: The generator.
  public init(seed: Int64, source: NoiseSourceID) { generator = source.generator(seed: seed) }

  /// The next numbers. They depend on how earlier ones were grouped into calls.
  public mutating func next(_ count: Int) -> [Float] { generator.normals(count) }
}
