import Networks
import Sampling
import Tensors

/// Runs the network.
struct NetworkEvaluator<Network: DenoisingNetwork>: Evaluator {
  let network: Network
  /// Whether the layers before the first prompt are computed once for all contexts; the outputs do not depend on it.
  let sharesLatent: Bool
  let compute: Compute

  func outputs(_ evaluation: Evaluation<Network.Context>) throws(EngineError) -> [Latent] {
    let contexts = evaluation.contexts.map(\.context)
    let output = try EngineError.wrapping {
      try network.forward(
        compute.tensor(evaluation.input, copies: sharesLatent ? 1 : contexts.count), timestep: evaluation.timestep,
        contexts: contexts, guidance: evaluation.guidance, options: evaluation.options)
    }
    return try output.latents(count: contexts.count, call: evaluation.call)
  }
}
