/// The timesteps that samplers without sigmas visit, and how much of the image remains at each.
struct Timesteps: Codable, Sendable {
  /// The timesteps, ascending; the sampler goes through them from the last to the first.
  let steps: [Int]
  /// ᾱ of each timestep.
  let alphas: [Float]
  /// ᾱ of the timestep before each; for the first one, its own.
  let previousAlphas: [Float]

  /// Every n-th timestep from 1 on, n = 1000 / count rounded down. Their number may differ from `count`.
  init(count: Int, training: TrainingSchedule) {
    let total = training.alphasCumprod.count
    steps = stride(from: 0, to: total, by: max(total / count, 1)).map { min($0 + 1, total - 1) }
    alphas = steps.map { training.alphasCumprod[$0] }
    previousAlphas = [alphas[0]] + alphas.dropLast()
  }

  private init(steps: [Int], alphas: [Float], previousAlphas: [Float]) {
    self.steps = steps
    self.alphas = alphas
    self.previousAlphas = previousAlphas
  }

  /// Only the first `count` timesteps, which have the least noise.
  func first(_ count: Int) -> Timesteps {
    Timesteps(
      steps: Array(steps.prefix(count)), alphas: Array(alphas.prefix(count)),
      previousAlphas: Array(previousAlphas.prefix(count)))
  }

  /// The image in `x` after removing the noise `e`.
  func image(_ x: Latent, _ e: Latent, at index: Int) -> Latent {
    var image = x
    image.add(-(1 - alphas[index]).squareRoot(), e)
    image.divide(by: alphas[index].squareRoot())
    return image
  }
}
