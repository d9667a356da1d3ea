import Networks
import Sampling

/// Evaluates a denoising network.
///
/// Evaluators are composed: one runs the network, another looks in a memory first, a third reuses deep features.
/// `GuidedDenoiser`, which applies guidance, does not know which of them it uses.
protocol Evaluator<Context> {
  /// A prompt as the input of the network.
  associatedtype Context: NetworkContext

  /// The network's output for each context of an evaluation, in order.
  ///
  /// Throws `EngineError.notFinite` immediately: the result could only be noise, and some samplers would never end.
  func outputs(_ evaluation: Evaluation<Context>) throws(EngineError) -> [Latent]

  /// Whether no output from this call on depends on an earlier call, so that an image can be resumed here.
  func isResumable(atCall call: Int) -> Bool

  /// The features of earlier calls, for forecasting later ones; empty for most evaluators.
  var features: ForecastFeatures { get }

  /// Continues with the saved features of an image.
  func resume(_ features: ForecastFeatures)
}

extension Evaluator {
  /// True by default: most evaluators keep nothing that affects outputs.
  func isResumable(atCall call: Int) -> Bool { true }

  /// Empty by default.
  var features: ForecastFeatures { ForecastFeatures() }

  /// Does nothing by default.
  func resume(_ features: ForecastFeatures) {}
}

/// One latent at one noise level, which is evaluated with some contexts.
struct Evaluation<Context> {
  /// The network's input, of unit variance.
  let input: Latent
  /// The noise level, as counted by the training schedule.
  let timestep: Float
  /// The call of the image, from 0.
  let call: Int
  /// The guidance scale for networks that take it as an input; 0 for others.
  let guidance: Float
  /// The settings of the image that change the network.
  let options: NetworkOptions
  /// The prompts.
  var contexts: [PromptContext<Context>]
}

/// A prompt's context, and which of the image's prompts it belongs to.
struct PromptContext<Context> {
  /// Which of the image's prompts it belongs to.
  let role: PromptRole
  /// The prompt as the input of the network.
  let context: Context
}

/// Which of an image's prompts a context belongs to.
enum PromptRole: Hashable {
  /// A part of the prompt, between `AND`s, by its index.
  case part(Int)
  /// The negative prompt.
  case negative
  /// The same part of the prompt, for a network that skips some layers.
  case partWithoutLayers(Int)
}
