import Settings

/// A Brownian motion over sigma that depends only on its seed: the noise between two sigmas is the same in whatever order noise
/// is requested.
///
/// The interval of all sigmas is a binary tree. The root's increment is drawn. Halving a node draws the increment of its left
/// half from the Brownian bridge, with a generator seeded for that node; the right half is the rest. Edges are rounded to six
/// decimals, so a new edge costs about 24 draws.
///
/// Source: Li et al. 2020, "Scalable Gradients for Stochastic Differential Equations", arXiv:2001.01328; torchsde 0.2.6
/// (`BrownianTree`) and k-diffusion (`BrownianTreeNoiseSampler`).
struct BrownianTree: NoiseSampler {
  /// The size of each draw.
  let shape: LatentShape
  private let seed: Int64
  private let source: NoiseSourceID
  private let start: Double
  private let end: Double
  private let root: Latent
  /// The increments of left halves that recent queries used, by the node that was halved.
  private var leftHalves: [Node.ID: Entry] = [:]
  private var queryCount = 0

  /// Always 0: the noise depends only on the seed and the sigmas.
  var drawCount: Int { 0 }

  /// The number of increments in the cache.
  var cacheCount: Int { leftHalves.count }

  private struct Entry: Sendable {
    var increment: Latent
    var lastQuery: Int
  }

  /// One interval of the tree and the motion's increment over it.
  private struct Node {
    struct ID: Hashable {
      var depth: UInt64 = 0
      var key: UInt64 = 0

      var leftHalf: ID { ID(depth: depth + 1, key: 2 * key) }
      var rightHalf: ID { ID(depth: depth + 1, key: 2 * key + 1) }
    }

    var id: ID
    var start: Double
    var end: Double
    var increment: Latent
  }

  /// Creates the motion over sigmaMin...sigmaMax.
  init(seed: Int64, source: NoiseSourceID, shape: LatentShape, sigmaMin: Float, sigmaMax: Float) {
    self.seed = seed
    self.source = source
    self.shape = shape
    start = Double(sigmaMin).roundedToSixDecimals()
    end = Double(sigmaMax).roundedToSixDecimals()
    let words = SeedSequence(entropy: UInt64(bitPattern: seed)).generate(1)
    var increment = Self.draw(words[0], source, shape)
    increment.scale(by: Float((Double(sigmaMax) - Double(sigmaMin)).squareRoot()))
    root = increment
  }

  /// The increment between two sigmas, scaled to unit variance. From a higher sigma to a lower one it is negated.
  mutating func noise(from sigma: Float, to nextSigma: Float) -> Latent {
    var noise = increment(from: min(sigma, nextSigma), to: max(sigma, nextSigma))
    let deviation = (nextSigma - sigma).magnitude.squareRoot()
    noise.divide(by: sigma > nextSigma ? -deviation : deviation)
    return noise
  }

  /// The motion's increment over lower...upper, both clamped to the tree.
  mutating func increment(from lower: Float, to upper: Float) -> Latent {
    let from = min(max(Double(lower), start), end).roundedToSixDecimals()
    let to = min(max(Double(upper), start), end).roundedToSixDecimals()
    guard from < to else { return Latent(shape: shape, repeating: 0) }
    queryCount += 1
    var sum: Latent?
    let rootNode = Node(id: Node.ID(), start: start, end: end, increment: root)
    collect(from, to, in: rootNode, into: &sum)
    forgetOldIncrements()
    return sum ?? Latent(shape: shape, repeating: 0)
  }

  /// Adds up the increments of the largest nodes that cover from...to, left to right.
  private mutating func collect(_ from: Double, _ to: Double, in node: Node, into sum: inout Latent?) {
    if from == node.start && to == node.end {
      if sum == nil { sum = node.increment } else { sum?.add(1, node.increment) }
      return
    }
    let middle = (0.5 * (node.end + node.start)).roundedToSixDecimals()
    let leftIncrement = leftIncrement(of: node, middle: middle)
    if from < middle {
      let left = Node(id: node.id.leftHalf, start: node.start, end: middle, increment: leftIncrement)
      collect(from, min(to, middle), in: left, into: &sum)
    }
    if to > middle {
      let rest = node.increment.difference(from: leftIncrement)
      let right = Node(id: node.id.rightHalf, start: middle, end: node.end, increment: rest)
      collect(max(from, middle), to, in: right, into: &sum)
    }
  }

  private mutating func leftIncrement(of node: Node, middle: Double) -> Latent {
    if let known = leftHalves[node.id]?.increment {
      leftHalves[node.id]?.lastQuery = queryCount
      return known
    }
    let spawnKey = [node.id.key, node.id.depth]
    let words = SeedSequence(entropy: UInt64(bitPattern: seed), spawnKey: spawnKey).generate(1)
    let toLeft = middle - node.start
    let toRight = node.end - middle
    let reciprocal = 1 / (node.end - node.start)
    var increment = node.increment
    increment.scale(by: Float(toLeft))
    increment.scale(
      by: Float(reciprocal), adding: Float((toLeft * toRight * reciprocal).squareRoot()),
      Self.draw(words[0], source, shape))
    leftHalves[node.id] = Entry(increment: increment, lastQuery: queryCount)
    return increment
  }

  /// Keeps only what the last three queries used: the next step starts where one of them ended.
  private mutating func forgetOldIncrements() {
    let oldest = queryCount - 2
    leftHalves = leftHalves.filter { $0.value.lastQuery >= oldest }
  }

  private static func draw(_ word: UInt32, _ source: NoiseSourceID, _ shape: LatentShape) -> Latent {
    var generator = source.generator(seed: Int64(word))
    return Latent(shape: shape, values: generator.normals(shape.count))
  }
}
