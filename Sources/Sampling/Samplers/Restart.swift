/// Heun's method. With 20 steps or more, it returns to a higher noise level once or twice, and comes down again.
///
/// Source: Xu et al. 2023, "Restart Sampling for Improving Generative Processes", arXiv:2306.14878, with the levels that
/// the webui chooses: from 0.1 back to 2.
struct Restart: Sampler {
  /// One descent from `from` to `to`.
  private struct Segment: Codable {
    var from: Float
    var to: Float
  }

  private let segments: [Segment]

  /// Creates a sampler before its first step; only the ends of a long schedule matter.
  init(sigmas: [Float]) {
    let steps = sigmas.count - 1
    guard steps >= 20 else {
      segments = zip(sigmas, sigmas.dropFirst()).map { Segment(from: $0, to: $1) }
      return
    }
    let times = steps >= 36 ? 2 : 1
    let length = steps >= 36 ? steps / 4 : 9
    let low = Double(sigmas[steps - 1])
    let levels = SigmaSchedule.karras(steps - length * times, low, Double(sigmas[0]), rho: 7) + [0]
    let bottom = Self.nearest(0.1, in: levels)
    let top = Self.nearest(2, in: levels)
    var segments: [Segment] = []
    for i in 0..<(levels.count - 1) {
      segments.append(Segment(from: levels[i], to: levels[i + 1]))
      guard i + 1 == bottom, top < bottom else { continue }
      let again = SigmaSchedule.karras(length + 1, Double(levels[bottom]), Double(levels[top]), rho: 7)
      for _ in 0..<times { segments += zip(again, again.dropFirst()).map { Segment(from: $0, to: $1) } }
    }
    self.segments = segments
  }

  private static func nearest(_ sigma: Float, in levels: [Float]) -> Int {
    levels.indices.min { (levels[$0] - sigma).magnitude < (levels[$1] - sigma).magnitude } ?? 0
  }

  func stepCount(sigmas: [Float]) -> Int { segments.count }

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let segment = segments[i]
    if i > 0, segments[i - 1].to < segment.from {
      let last = segments[i - 1].to
      let up = (segment.from * segment.from - last * last).squareRoot()
      x.add(up, noise.noise(from: last, to: segment.from))
    }
    try Heun.advance(&x, from: segment.from, to: segment.to, model: &model)
  }
}
