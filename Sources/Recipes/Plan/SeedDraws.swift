/// The numbers drawn for seeds of -1, by their position in the recipe: `seed` for the base, `seed[2]` for the third value of
/// the seed axis, `style[1].seed` for the second value of an axis with another name, `include[0].seed` for the first included
/// cell.
///
/// It is encoded as one flat object, which is the run folder's `seeds.json`.
public struct SeedDraws: Hashable, Sendable {
  /// The drawn seeds, each in 0...4294967293, as in the webui.
  public private(set) var seeds: [String: Int64]

  /// Creates draws: none, or those of an earlier run.
  public init(seeds: [String: Int64] = [:]) { self.seeds = seeds }

  /// The seed for a key: the one that was drawn earlier, or a new one.
  ///
  /// - Parameters:
  ///   - key: The position of the -1 in the recipe.
  ///   - generator: Draws new numbers.
  /// - Returns: A seed of at least 0.
  public mutating func seed(for key: String, using generator: inout some RandomNumberGenerator) -> Int64 {
    if let seed = seeds[key] { return seed }
    let seed = Int64.random(in: 0...4_294_967_293, using: &generator)
    seeds[key] = seed
    return seed
  }
}

extension SeedDraws: Codable {
  /// Decodes the flat object; throws if a seed is below 0.
  public init(from decoder: any Decoder) throws {
    let seeds = try decoder.singleValueContainer().decode([String: Int64].self)
    guard let wrong = seeds.first(where: { $0.value < 0 }) else {
      self.init(seeds: seeds)
      return
    }
    throw DecodingError.dataCorrupted(
      .init(
        codingPath: decoder.codingPath,
        debugDescription: "found \(wrong.value) for \(wrong.key), expected a seed from 0 on"))
  }

  /// Encodes the flat object.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(seeds)
  }
}
