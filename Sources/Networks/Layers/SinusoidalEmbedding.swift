import Glibc

/// Embeds a number as sines and cosines of many frequencies: Vaswani et al. 2017, arXiv:1706.03762.
///
/// Each step is rounded to 32 bits, as in PyTorch: angles reach thousands of radians, where rounding is noticeable.
public enum SinusoidalEmbedding {
  /// Cosines, then sines, of the number times 10000^(-i / half): the embedding of timesteps and image sizes.
  ///
  /// - Parameters:
  ///   - number: The number to embed.
  ///   - count: The number of cosines and sines; if it is odd, the last value is 0.
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

  /// Sines, then cosines, of 1000 · (scale - 1): the embedding of the guidance scale, for models that take it as an input (Meng
  /// et al. 2023, arXiv:2210.03142), in the order of diffusers' latent consistency models.
  ///
  /// - Parameters:
  ///   - scale: The guidance scale.
  ///   - count: The number of sines and cosines; if it is odd, the last value is 0.
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
