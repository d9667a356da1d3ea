import Glibc

/// A number as waves of many lengths: Vaswani et al. 2017, arXiv:1706.03762.
///
/// Computed in 32-bit steps as PyTorch does: the angles go up to thousands of radians, where the last digit shows.
public enum SinusoidalEmbedding {
  /// Cosines, then sines, of the number times 10000^(-i / half): what timesteps and sizes of images become.
  ///
  /// - Parameters:
  ///   - number: Any.
  ///   - count: Cosines and sines together; an odd one ends in 0.
  /// - Returns: `[count]`.
  public static func waves(_ number: Float, count: Int) -> [Float] {
    let half = count / 2
    var waves = [Float](repeating: 0, count: count)
    for i in 0..<half {
      let exponent = -Float(log(10000.0)) * Float(i) / Float(half)
      let angle = number * expf(exponent)
      waves[i] = cosf(angle)
      waves[half + i] = sinf(angle)
    }
    return waves
  }

  /// Sines, then cosines, of a thousand times the guidance scale less 1, for models that are told it: Meng et al. 2023,
  /// arXiv:2210.03142, in the order of the diffusers library's latent consistency models.
  ///
  /// - Parameters:
  ///   - scale: The guidance scale.
  ///   - count: Sines and cosines together; an odd one ends in 0.
  /// - Returns: `[count]`.
  public static func guidance(_ scale: Float, count: Int) -> [Float] {
    let half = count / 2
    let step = logf(10000) / Float(max(half - 1, 1))
    var waves = [Float](repeating: 0, count: count)
    for i in 0..<half {
      let angle = (scale - 1) * 1000 * expf(Float(i) * -step)
      waves[i] = sinf(angle)
      waves[half + i] = cosf(angle)
    }
    return waves
  }
}
