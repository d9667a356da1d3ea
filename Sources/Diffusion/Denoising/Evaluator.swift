import Networks
import Sampling

/// Answers evaluations of a denoising network.
///
/// Evaluators are composed: one runs the network, another looks in a memory first, a third reuses deep features. Guidance, in
/// `GuidedDenoiser`, does not know which of them answers.
protocol Evaluator<Context> {
  /// What a prompt is for the network.
  associatedtype Context: NetworkContext

  /// The network's output for each context of an evaluation, in their order.
  ///
  /// Throws `EngineError.notFinite` at once: what follows could only be noise, and some samplers would never end.
  func outputs(_ evaluation: Evaluation<Context>) throws(EngineError) -> [Latent]

  /// Whether no output from this call on depends on an earlier call, so that an image can be resumed here.
  func isResumable(atCall call: Int) -> Bool

  /// The features of earlier calls that later ones are forecast from; none for most evaluators.
  var features: ForecastFeatures { get }

  /// Continues with the features of an image that was stopped.
  func resume(_ features: ForecastFeatures)
}

extension Evaluator {
  /// True: most evaluators keep nothing that changes outputs.
  func isResumable(atCall call: Int) -> Bool { true }

  /// None.
  var features: ForecastFeatures { ForecastFeatures() }

  /// Nothing to continue with.
  func resume(_ features: ForecastFeatures) {}
}

/// One latent at one noise level, to be evaluated with some contexts.
struct Evaluation<Context> {
  /// The network's input, of unit variance.
  let input: Latent
  /// The noise level, as the training schedule counts.
  let timestep: Float
  /// The call of the image, from 0.
  let call: Int
  /// What networks read that read a guidance; 0 for others.
  let guidance: Float
  /// How the image changes the network.
  let options: NetworkOptions
  /// The prompts.
  var contexts: [PromptContext<Context>]
}

/// A prompt's context, and which of the image's prompts it is.
struct PromptContext<Context> {
  /// Which of the image's prompts.
  let role: PromptRole
  /// What the prompt is for the network.
  let context: Context
}

/// Which of an image's prompts a context belongs to.
enum PromptRole: Hashable {
  /// A part of the prompt, between `AND`s, by its index.
  case part(Int)
  /// The negative prompt.
  case negative
  /// The same part of the prompt, for a network without some of its layers.
  case partWithoutLayers(Int)
}
