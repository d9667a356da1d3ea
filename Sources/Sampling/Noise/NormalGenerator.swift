import Settings

/// A seeded source of standard normal numbers that imitates another program's generator number for number.
protocol NormalGenerator: Sendable {
  /// A generator at its first number; the seed's bits count, so negative seeds are large ones.
  init(seed: Int64)
  /// The next `count` numbers. They depend on how earlier numbers were grouped into calls.
  mutating func normals(_ count: Int) -> [Float]
  /// Leaves the generator where `normals(count)` would.
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
