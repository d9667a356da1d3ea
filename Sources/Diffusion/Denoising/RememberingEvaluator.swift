import Networks
import Sampling

/// Looks in the memory before it calls another evaluator, and evaluates equal parts of a prompt only once.
///
/// Not for networks that take `cfg_scale` as an input, because cells with different scales have nothing in common.
struct RememberingEvaluator<Base: Evaluator>: Evaluator {
  let base: Base
  let memory: EvaluationMemory

  func outputs(_ evaluation: Evaluation<Base.Context>) throws(EngineError) -> [Latent] {
    let contexts = evaluation.contexts
    // The first index of each different context.
    var indices: [ContextIdentity: Int] = [:]
    for (index, prompt) in contexts.enumerated() where indices[prompt.context.identity] == nil {
      indices[prompt.context.identity] = index
    }
    let isKept = EvaluationMemory.calls.contains(evaluation.call)
    let keys = isKept ? EvaluationMemory.Key.keys(evaluation) : []
    var known: [Int: Latent] = [:]
    for index in indices.values where isKept { known[index] = memory.output(for: keys[index]) }
    let missing = indices.values.filter { known[$0] == nil }.sorted()
    if !missing.isEmpty {
      var rest = evaluation
      rest.contexts = missing.map { contexts[$0] }
      for (index, output) in zip(missing, try base.outputs(rest)) {
        known[index] = output
        if isKept { memory.keep(output, for: keys[index]) }
      }
    }
    memory.count(asked: contexts.count, saved: contexts.count - missing.count)
    return contexts.compactMap { prompt in indices[prompt.context.identity].flatMap { known[$0] } }
  }

  func isResumable(atCall call: Int) -> Bool { base.isResumable(atCall: call) }
}
