import Hashing
import Networks
import Sampling
import Settings

/// The network's outputs in the first calls of images. They are kept because other cells of a grid need the same ones.
///
/// Cells with the same seed, size and prompt start with the same latent at the same noise level, whatever their cfg_scale,
/// steps or sampler. Cells with other prompts share the negative prompt's half. An evaluation is recognised by the digest of
/// its input, and outputs are kept exactly, so images have the same bits.
final class EvaluationMemory {
  /// What an output depends on.
  struct Key: Hashable {
    fileprivate let latent: SHA256Digest
    fileprivate let timestep: UInt32
    fileprivate let guidance: UInt32
    fileprivate let options: NetworkOptions
    fileprivate let context: ContextIdentity

    /// The keys of an evaluation, one for each context.
    static func keys(_ evaluation: Evaluation<some NetworkContext>) -> [Key] {
      let digest = evaluation.input.values.withUnsafeBytes { SHA256.hash($0) }
      return evaluation.contexts.map {
        Key(
          latent: digest, timestep: evaluation.timestep.bitPattern, guidance: evaluation.guidance.bitPattern,
          options: evaluation.options, context: $0.context.identity)
      }
    }
  }

  /// The calls of an image that are kept: the first, and the second because Heun's second call equals that of Euler. In later
  /// calls, cells rarely have anything in common.
  static let calls = 0..<2

  /// The number of requested and of skipped evaluations so far.
  private(set) var evaluations = NetworkEvaluations()
  private let capacity: Int
  private var outputs: [Key: (latent: Latent, lastUse: Int)] = [:]
  private var bytes = 0
  private var uses = 0

  /// Creates an empty memory.
  ///
  /// - Parameter capacity: The limit for latents, in bytes; the default is enough for a thousand at 512x512.
  init(capacity: Int = 64 << 20) { self.capacity = capacity }

  /// The network's output, if it is known.
  func output(for key: Key) -> Latent? {
    guard let output = outputs[key] else { return nil }
    uses += 1
    outputs[key]?.lastUse = uses
    return output.latent
  }

  /// Counts requested outputs, and those of them that did not need the network.
  func count(asked: Int, saved: Int) {
    evaluations.asked += asked
    evaluations.saved += saved
  }

  /// Keeps an output, and forgets those that have not been used for the longest time.
  func keep(_ output: Latent, for key: Key) {
    let size = output.shape.count * MemoryLayout<Float>.stride
    guard size <= capacity, outputs[key] == nil else { return }
    uses += 1
    outputs[key] = (output, uses)
    bytes += size
    guard bytes > capacity else { return }
    // Forget half of them, so that sorting is rare.
    for (key, old) in outputs.sorted(by: { $0.value.lastUse < $1.value.lastUse }) where bytes > capacity / 2 {
      bytes -= old.latent.shape.count * MemoryLayout<Float>.stride
      outputs[key] = nil
    }
  }
}
