import Foundation
import Networks
import Sampling
import Settings
import Tensors

/// Runs the network in some calls. In the calls between, it runs only the last layers on forecast features: an approximation.
///
/// All prompts of a call are computed or all are forecast. A prompt that begins or changes while another goes on, such as the
/// negative prompt where guidance begins, takes over the other's series, shifted to its own features. If all prompts change,
/// they start again.
final class ForecastingEvaluator<Base: Evaluator, Network: DenoisingNetwork>: Evaluator
where Base.Context == Network.Context {
  private let base: Base
  private let network: Network
  private let schedule: ForecastSchedule
  private let training: TrainingSchedule
  private let conditioning: Conditioning<Network.Context>
  private let compute: Compute
  private let memory: EvaluationMemory?
  private(set) var features = ForecastFeatures()

  /// Creates an evaluator for one pass.
  ///
  /// - Parameters:
  ///   - base: Evaluates the network.
  ///   - network: The same network, to run its last layers separately.
  ///   - schedule: Decides which calls are computed.
  ///   - training: The noise levels of the training.
  ///   - conditioning: The prompts of the pass.
  ///   - memory: Counts the requested and skipped evaluations; nil to count none.
  ///   - compute: The machine and numerics to use.
  init(
    _ base: Base, _ network: Network, _ schedule: ForecastSchedule, training: TrainingSchedule,
    conditioning: Conditioning<Network.Context>, memory: EvaluationMemory?, compute: Compute
  ) {
    self.base = base
    self.network = network
    self.schedule = schedule
    self.training = training
    self.conditioning = conditioning
    self.memory = memory
    self.compute = compute
  }

  func resume(_ features: ForecastFeatures) { self.features = features }

  func isResumable(atCall call: Int) -> Bool { base.isResumable(atCall: call) }

  func outputs(_ evaluation: Evaluation<Network.Context>) throws(EngineError) -> [Latent] {
    let contexts = evaluation.contexts
    let tau = tau(evaluation.timestep)
    // Guidance multiplies the difference of two prompts: their errors must be alike to cancel out.
    let isForecast = contexts.allSatisfy { !isDue($0.role, evaluation.call) }
    memory?.count(asked: contexts.count, saved: isForecast ? contexts.count : 0)
    return try isForecast ? forecast(contexts.map(\.role), evaluation, tau) : computed(evaluation, tau)
  }

  /// Evaluates the network, and stores its features.
  private func computed(
    _ evaluation: Evaluation<Network.Context>, _ tau: Double
  ) throws(EngineError) -> [Latent] {
    var late: Tensor?
    network.lateFeatures = { late = $0 }
    defer { network.lateFeatures = nil }
    let outputs = try base.outputs(evaluation)
    guard let late else { return outputs }
    let found = compute.converted(late, to: .fp32)
    let shape = LatentShape(channels: found.channels, height: found.height, width: found.width)
    let roles = evaluation.contexts.map(\.role)
    let isKnown = roles.map { features[$0]?.shape == shape && hasSeries($0, evaluation.call) }
    for (image, role) in roles.enumerated() where !isKnown[image] {
      var series = FeatureSeries(shape)
      if let other = isKnown.firstIndex(of: true), let known = features[roles[other]] {
        series = known
        series.shift(found, from: other, to: image, compute)
      }
      features[role] = series
    }
    for (image, role) in roles.enumerated() {
      // Taken out, so that it is changed in place.
      guard var series = features[role] else { continue }
      features[role] = nil
      series.add(found, image: image, tau: tau, call: evaluation.call, compute)
      features[role] = series
    }
    return outputs
  }

  /// Runs the last layers on the forecast features of some prompts; all of them must have a series.
  private func forecast(
    _ roles: [PromptRole], _ evaluation: Evaluation<Network.Context>, _ tau: Double
  ) throws(EngineError) -> [Latent] {
    guard let shape = roles.first.flatMap({ features[$0]?.shape }) else { return [] }
    let forecast = compute.tensor(
      batch: roles.count, height: shape.height, width: shape.width, channels: shape.channels, elementType: .fp32)
    for (image, role) in roles.enumerated() {
      features[role]?.forecast(into: forecast, image: image, tau: tau, compute)
    }
    return try network.output(ofLate: compute.converted(forecast), options: evaluation.options)
      .latents(count: roles.count, call: evaluation.call)
  }

  private func isDue(_ role: PromptRole, _ call: Int) -> Bool {
    guard hasSeries(role, call), let series = features[role] else { return true }
    return schedule.isDue(computed: series.count, forecasts: series.forecasts)
  }

  /// Whether there is a series of the prompt as it is at a call.
  private func hasSeries(_ role: PromptRole, _ call: Int) -> Bool {
    features[role].map { isSame(role, call, $0.lastCall) } ?? false
  }

  /// Whether a prompt is the same at two calls.
  private func isSame(_ role: PromptRole, _ call: Int, _ other: Int) -> Bool {
    conditioning.context(role, atCall: call)?.identity == conditioning.context(role, atCall: other)?.identity
  }

  /// τ of a noise level: from -1 at the highest level of the training to 1 at the lowest, evenly in log sigma.
  private func tau(_ timestep: Float) -> Double {
    let (low, high) = (log(Double(training.sigmaMin)), log(Double(training.sigmaMax)))
    return 1 - 2 * (log(Double(training.sigma(atTimestep: timestep))) - low) / (high - low)
  }
}

/// The late features of an image's prompts in the calls so far; they are saved with the image.
struct ForecastFeatures: Hashable, Codable {
  /// The series by part of the prompt; -1 is the negative prompt, and -2, -3 ... are the parts with skipped layers.
  private var series: [Int: FeatureSeries] = [:]

  /// Whether there are no features.
  var isEmpty: Bool { series.isEmpty }

  /// The features of a prompt; nil if it has not been evaluated yet.
  subscript(role: PromptRole) -> FeatureSeries? {
    get { series[Self.key(role)] }
    set { series[Self.key(role)] = newValue }
  }

  private static func key(_ role: PromptRole) -> Int {
    switch role {
    case .part(let index): index
    case .negative: -1
    case .partWithoutLayers(let index): -2 - index
    }
  }
}
