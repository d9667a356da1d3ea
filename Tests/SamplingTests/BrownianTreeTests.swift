import Foundation
import Settings
import Testing

@testable import Sampling

@Suite struct BrownianTreeTests {
  struct Index: Decodable {
    struct Tree: Decodable {
      struct Query: Decodable { let from: Span, to: Span, noise: Span }
      let rng: NoiseSourceID, seed: Int64, shape: [Int], sigmaMin: Span, sigmaMax: Span, queries: [Query]
    }
    let trees: [Tree]
  }

  @Test func `noise equals torchsde's`() throws {
    let fixture = try Fixture("noise", as: Index.self)
    for row in fixture.index.trees {
      var tree = BrownianTree(
        seed: row.seed, source: row.rng, shape: LatentShape(row.shape), sigmaMin: fixture[row.sigmaMin][0],
        sigmaMax: fixture[row.sigmaMax][0])
      var largest: Float = 0
      for query in row.queries {
        let from = fixture[query.from][0]
        let to = fixture[query.to][0]
        let difference = maxDifference(tree.noise(from: from, to: to).values, fixture[query.noise])
        largest = max(largest, difference)
        // Up to fifty increments, whose draws agree to 5e-7, are added and divided by the square root of a width: two
        // queries 2e-6 apart divide differences of increments near 1 by 1.4e-3.
        #expect(difference < ((from - to).magnitude < 1e-5 ? 1e-3 : 5e-6), "\(from) to \(to)")
      }
      print("Brownian tree \(row.rng.rawValue) of seed \(row.seed): max difference \(largest)")
    }
  }

  @Test func `noise has the published numbers`() {
    var tree = Self.publishedTree
    let sigmas = Self.publishedSigmas
    let increment = tree.increment(from: sigmas[19], to: sigmas[0]).values
    #expect(maxDifference(Array(increment.prefix(4)), [1.8358644, -2.0563166, -1.7463242, 1.7431576]) < 2e-6)
    let published: [(Int, [Float])] = [
      (0, [-0.0227752, -0.1139709, -0.2288979, 0.1036573]),
      (1, [-0.6983067, -1.2693909, -0.3092018, 0.1273788]),
      (18, [-0.5250816, 0.1168022, 0.5698174, -0.9505129]),
    ]
    for (i, numbers) in published {
      let noise = Array(tree.noise(from: sigmas[i], to: sigmas[i + 1]).values.prefix(4))
      #expect(maxDifference(noise, numbers) < 5e-6, "from sigma \(i)")
    }
  }

  @Test func `noise does not depend on the order of the queries`() {
    let sigmas = Self.publishedSigmas
    var forward = Self.publishedTree
    let expected = (0..<19).map { forward.noise(from: sigmas[$0], to: sigmas[$0 + 1]) }
    var backward = Self.publishedTree
    for i in (0..<19).reversed() { #expect(backward.noise(from: sigmas[i], to: sigmas[i + 1]) == expected[i]) }
    for i in [3, 17, 0, 11] {
      var single = Self.publishedTree
      #expect(single.noise(from: sigmas[i], to: sigmas[i + 1]) == expected[i])
    }
  }

  @Test func `adjacent increments add up and the opposite direction has the opposite sign`() {
    var tree = Self.publishedTree
    var sum = tree.increment(from: 1, to: 3)
    sum.add(1, tree.increment(from: 3, to: 7.5))
    #expect(maxDifference(sum.values, tree.increment(from: 1, to: 7.5).values) < 2e-5)
    let up = tree.noise(from: 1, to: 3).values
    #expect(tree.noise(from: 3, to: 1).values == up.map { -$0 })
  }

  @Test func `queries are clamped to the tree and an empty interval has no increment`() {
    var tree = Self.publishedTree
    let sigmas = Self.publishedSigmas
    #expect(tree.increment(from: 0, to: 20) == tree.increment(from: sigmas[19], to: sigmas[0]))
    #expect(tree.increment(from: 2, to: 2).values.allSatisfy { $0 == 0 })
    #expect(tree.increment(from: 1, to: 1.0000001).values.allSatisfy { $0 == 0 })
    #expect(tree.increment(from: 15, to: 20).values.allSatisfy { $0 == 0 })
  }

  @Test func `the cache stays bounded for schedules of any length`() {
    var tree = Self.publishedTree
    var largest = 0
    var sigma: Float = 14.6
    while sigma > 0.05 {
      _ = tree.noise(from: sigma, to: sigma * 0.98)
      sigma *= 0.98
      largest = max(largest, tree.cacheCount)
    }
    print("increments in the cache: \(largest)")
    #expect(largest < 4 * 25)
  }

  /// Karras' schedule between the rounded ends of the published numbers, without its 0.
  private static let publishedSigmas = {
    let high = pow(14.614642, 1.0 / 7)
    let span = Float(pow(0.0291675, 1.0 / 7) - high)
    return SigmaSchedule.linspace(0, 1, 20).map { Float.pow(Float(high) + $0 * span, 7) }
  }()
  private static let publishedTree = BrownianTree(
    seed: 12345, source: .cpu, shape: LatentShape(channels: 4, height: 8, width: 8), sigmaMin: publishedSigmas[19],
    sigmaMax: publishedSigmas[0])
}
