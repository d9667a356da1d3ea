import Settings

/// A seeded source of standard normal numbers that reproduces another program's generator, number by number.
protocol NormalGenerator: Sendable {
  /// Creates a generator before its first number; the seed's bits are read as unsigned.
  init(seed: Int64)
  /// The next `count` numbers. They depend on how earlier numbers were grouped into calls.
  mutating func normals(_ count: Int) -> [Float]
  /// Advances the generator as `normals(count)` does.
  mutating func skip(_ count: Int)
}

extension NoiseSourceID {
  /// A new generator of this source.
  func generator(seed: Int64) -> any NormalGenerator {
    switch self {
    case .cpu: TorchNoise(seed: seed)
    case .nv: PhiloxNoise(seed: seed)
    }
  }
}
