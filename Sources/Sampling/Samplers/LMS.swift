/// The linear multistep method of up to fourth order: Adams-Bashforth on uneven steps in sigma.
///
/// Source: k-diffusion's `sample_lms`.
struct LMS: Sampler {
  /// The derivatives of this step and of earlier ones, the newest first.
  private var derivatives: [Latent] = []

  private static let order = 4

  mutating func step<Model: GuidedModel>(
    _ i: Int, sigmas: [Float], x: inout Latent, noise: inout any NoiseSampler, model: inout CountedModel<Model>
  ) throws(Model.Failure) {
    let denoised = try model.denoised(x, sigma: sigmas[i])
    derivatives.insert(x.derivative(at: sigmas[i], denoised: denoised), at: 0)
    if derivatives.count > Self.order { derivatives.removeLast() }
    let nodes = (0..<derivatives.count).map { Double(sigmas[i - $0]) }
    for (j, derivative) in derivatives.enumerated() {
      let weight = Self.lagrangeIntegral(j, nodes: nodes, from: Double(sigmas[i]), to: Double(sigmas[i + 1]))
      x.add(Float(weight), derivative)
    }
  }

  /// The integral over start...end of the polynomial that is 1 at node `j` and 0 at the others.
  static func lagrangeIntegral(_ j: Int, nodes: [Double], from start: Double, to end: Double) -> Double {
    func basis(_ t: Double) -> Double {
      nodes.indices.reduce(1) { $1 == j ? $0 : $0 * (t - nodes[$1]) / (nodes[j] - nodes[$1]) }
    }
    // Simpson's rule is exact up to the third degree, which is the degree of a basis polynomial of four nodes.
    return (end - start) / 6 * (basis(start) + 4 * basis((start + end) / 2) + basis(end))
  }
}
