import Networks
import Sampling
import Tensors

/// Runs the whole network in some calls, and only its shallow layers in the calls between: an approximation.
struct FeatureReusingEvaluator<Network: DenoisingNetwork>: Evaluator {
  let network: Network
  let cache: FeatureCache<Network.Features>
  let compute: Compute

  func outputs(_ evaluation: Evaluation<Network.Context>) throws(EngineError) -> [Latent] {
    let contexts = evaluation.contexts.map(\.context)
    let roles = evaluation.contexts.map(\.role)
    let input = compute.tensor(evaluation.input, copies: 1)
    let output: Tensor
    if let features = cache.features(of: roles, atCall: evaluation.call) {
      output = try EngineError.wrapping {
        try network.forward(
          input, timestep: evaluation.timestep, contexts: contexts, guidance: evaluation.guidance,
          options: evaluation.options, reusing: features)
      }
    } else {
      let (whole, features) = try EngineError.wrapping {
        try network.forwardKeepingFeatures(
          input, timestep: evaluation.timestep, contexts: contexts, guidance: evaluation.guidance,
          options: evaluation.options)
      }
      cache.keep(features, of: roles, atCall: evaluation.call)
      output = whole
    }
    return try output.latents(count: contexts.count, call: evaluation.call)
  }

  func isResumable(atCall call: Int) -> Bool { cache.isRenewed(atCall: call) }
}
