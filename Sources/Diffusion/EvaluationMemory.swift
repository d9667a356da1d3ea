import Crypto
import Networks
import Sampling
import Settings

/// What the network said of the first latents of an image, kept because other cells of a grid ask the same.
///
/// Cells of one seed, size and prompt begin with the same latent at the same noise level, whatever their cfg_scale, steps or
/// sampler; cells of other prompts share the negative prompt's half. A question is known by the digest of its numbers,
/// and the answer is the network's own, so an image is the same bit for bit.
final class EvaluationMemory {
  /// A question to the network.
  struct Question: Hashable {
    fileprivate let latent: SHA256Digest
    fileprivate let timestep: UInt32
    fileprivate let options: UNetOptions
    fileprivate let context: UNetContext.Identity

    /// The questions of one latent to several contexts.
    static func questions(
      _ latent: Latent, _ timestep: Float, _ options: UNetOptions, _ contexts: [UNetContext]
    ) -> [Question] {
      let digest = latent.values.withUnsafeBytes { SHA256.hash(data: $0) }
      return contexts.map {
        Question(latent: digest, timestep: timestep.bitPattern, options: options, context: $0.identity)
      }
    }
  }

  /// Calls of an image that are kept: the first, and the second because Heun's is the second of Euler. From then on what
  /// cells have in common is rare.
  static let calls = 0..<2

  /// All questions so far.
  private(set) var evaluations = NetworkEvaluations()
  private let capacity: Int
  private var answers: [Question: (latent: Latent, use: Int)] = [:]
  private var bytes = 0
  private var uses = 0

  /// An empty memory.
  ///
  /// - Parameter capacity: The most bytes of latents that are kept; by default those of a thousand at 512x512.
  init(capacity: Int = 64 << 20) { self.capacity = capacity }

  /// What the network said, if it is known.
  func answer(_ question: Question) -> Latent? {
    guard let answer = answers[question] else { return nil }
    uses += 1
    answers[question]?.use = uses
    return answer.latent
  }

  /// Notes how many questions there were, and how many of them the network was not asked.
  func count(asked: Int, saved: Int) {
    evaluations.asked += asked
    evaluations.saved += saved
  }

  /// Keeps an answer, and forgets those that were of no use for longest.
  func keep(_ answer: Latent, to question: Question) {
    let size = answer.shape.count * MemoryLayout<Float>.stride
    guard size <= capacity, answers[question] == nil else { return }
    uses += 1
    answers[question] = (answer, uses)
    bytes += size
    guard bytes > capacity else { return }
    // Half at a time, so that there is a search for many answers and not for each.
    for (question, old) in answers.sorted(by: { $0.value.use < $1.value.use }) where bytes > capacity / 2 {
      bytes -= old.latent.shape.count * MemoryLayout<Float>.stride
      answers[question] = nil
    }
  }
}
