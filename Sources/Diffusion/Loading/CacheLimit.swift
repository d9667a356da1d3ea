/// The limit for packed weights in the user's cache folder.
enum CacheLimit {
  /// The environment variable that sets it.
  static let variable = "SDBATCH_CACHE_LIMIT"
  /// Enough for a few large models.
  static let defaultBytes = 20 << 30

  private static let units: [String: Double] = [
    "": 1, "b": 1, "kib": 0x1p10, "mib": 0x1p20, "gib": 0x1p30, "kb": 1e3, "mb": 1e6, "gb": 1e9,
  ]

  /// The limit in an environment, such as `8GiB`, in bytes; 0 keeps no packed weights.
  ///
  /// Throws `EngineError.cacheLimit` for other text.
  static func bytes(_ environment: [String: String]) throws(EngineError) -> Int {
    guard let text = environment[variable], !text.isEmpty else { return defaultBytes }
    let number = text.prefix { $0.isNumber || $0 == "." }
    let unit = text.dropFirst(number.count).filter { $0 != " " }.lowercased()
    guard let factor = units[unit], let value = Double(number), value * factor < 0x1p53 else {
      throw .cacheLimit(text)
    }
    return Int(value * factor)
  }
}
