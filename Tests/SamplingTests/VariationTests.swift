import Settings
import Testing

@testable import Sampling

/// The published vectors of the webui's per-image generator: seed 1234, shape (4, 8, 8), first four values of two
/// draws.
@Suite struct VariationTests {
  struct Published: Sendable, CustomTestStringConvertible {
    let name: String
    let variation: NoiseVariation
    let rng: NoiseSourceID
    let first: [Float]
    let second: [Float]
    var testDescription: String { "\(name), \(rng)" }
  }

  static let plainCPU: [Float] = [-0.1117186, -0.4965901, 0.1630737, -0.8816878]
  static let plainNV: [Float] = [-1.61649, 0.5684552, -0.5102246, -0.9113394]
  static let secondCPU: [Float] = [-1.411251, 0.01997893, -0.411528, -0.3398294]
  static let secondNV: [Float] = [0.6330828, 1.635822, -0.3458629, 1.019553]
  static let subseed = NoiseVariation(subseed: 777, subseedStrength: 0.3)
  static let resize = NoiseVariation(resizeFrom: NoiseVariation.Size(width: 6, height: 12))
  static let delta = NoiseVariation(seedDelta: 31337)

  @Test(arguments: [
    Published(name: "plain", variation: NoiseVariation(), rng: .cpu, first: plainCPU, second: secondCPU),
    Published(name: "plain", variation: NoiseVariation(), rng: .nv, first: plainNV, second: secondNV),
    Published(
      name: "subseed", variation: subseed, rng: .cpu, first: [-0.01820628, -0.5369653, -0.1225041, -0.9902301],
      second: secondCPU),
    Published(
      name: "subseed", variation: subseed, rng: .nv, first: [-1.966182, 0.7797723, -0.6238539, -1.260032],
      second: secondNV),
    Published(
      name: "resize", variation: resize, rng: .cpu, first: [-0.1117186, -0.3423936, -1.401972, 0.320648],
      second: secondCPU),
    Published(
      name: "resize", variation: resize, rng: .nv, first: [-1.61649, 0.7446934, -0.2394855, 0.2737151],
      second: secondNV),
    Published(
      name: "ENSD", variation: delta, rng: .cpu, first: plainCPU,
      second: [0.1345922, -0.3516241, -0.5950787, -1.222827]),
    Published(
      name: "ENSD", variation: delta, rng: .nv, first: plainNV, second: [0.1224015, -0.559437, 1.017172, 0.9040467]),
  ])
  func `variations have their published noise`(published: Published) {
    let shape = LatentShape(channels: 4, height: 8, width: 8)
    var noise = ImageNoise(seed: 1234, source: published.rng, shape: shape, variation: published.variation)
    let first = noise.next()
    let second = noise.next()
    #expect(maxDifference(Array(first.values[..<4]), published.first) < 2e-6)
    #expect(maxDifference(Array(second.values[..<4]), published.second) < 2e-6)
    for drawCount in 1...2 {
      var resumed = ImageNoise(
        seed: 1234, source: published.rng, shape: shape, variation: published.variation, drawCount: drawCount)
      #expect(resumed.next() == (drawCount == 1 ? second : noise.next()))
    }
  }

  @Test func `noises are mixed along the arc of each column`() {
    let shape = LatentShape(channels: 1, height: 2, width: 2)
    let mixed = SphericalMix.mixed(
      Latent(shape: shape, values: [1, 2, 3, 4]), Latent(shape: shape, values: [2, -1, 0.5, 1]), strength: 0.25)
    #expect(maxDifference(mixed.values, [1.3994303, 1.3746455, 2.5789928, 3.7207792]) < 1e-6)
  }

  @Test func `larger noise is cropped to its middle, and smaller noise is centred`() {
    let shape = LatentShape(channels: 2, height: 5, width: 6)
    var plain = ImageNoise(seed: 9, source: .nv, shape: shape)
    let background = plain.next()
    // 4 wide and 8 high: one column free on both sides; of the rows, two missing at the top and one at the bottom.
    let size = LatentShape(channels: 2, height: 8, width: 4)
    var other = ImageNoise(seed: 9, source: .nv, shape: size)
    let small = other.next()
    var resized = ImageNoise(
      seed: 9, source: .nv, shape: shape,
      variation: NoiseVariation(resizeFrom: NoiseVariation.Size(width: 4, height: 8)))
    let result = resized.next()
    for c in 0..<2 {
      for row in 0..<5 {
        for column in 0..<6 {
          let value = result.values[(c * 5 + row) * 6 + column]
          // (5 − 8) halved and rounded down is −2, which leaves 8 − 4 = 4 rows.
          let isInside = row < 4 && (1..<5).contains(column)
          #expect(
            value
              == (isInside
                ? small.values[(c * 8 + row + 2) * 4 + column - 1] : background.values[(c * 5 + row) * 6 + column]))
        }
      }
    }
  }

  @Test func `calls omit the negative prompt as requested`() throws {
    var job = PassSettings()
    job.sampler = .heun
    job.steps = 10
    #expect((0..<20).allSatisfy { !GuidanceSkips(job).skips(call: $0, level: 0.5) })
    job.sMinUncond = 1
    #expect((0..<6).map { GuidanceSkips(job).skips(call: $0, level: 0.5) } == [false, true, false, true, false, true])
    #expect(!GuidanceSkips(job).skips(call: 1, level: 1))
    job.sMinUncondAll = true
    #expect((0..<6).allSatisfy { GuidanceSkips(job).skips(call: $0, level: 0.5) })
    job.sMinUncond = 0
    job.skipEarlyCond = 0.25
    // Of the twenty planned calls, the first six are early.
    #expect((0..<20).filter { GuidanceSkips(job).skips(call: $0, level: 5) } == Array(0...5))
    #expect(GuidanceSkips(job).changes.map(\.call) == [0, 6])
    job.guidanceInterval = try #require(PassInterval(0.2, 0.8))
    #expect((0..<20).filter { GuidanceSkips(job).skips(call: $0, level: 5) } == Array(0...5) + Array(16..<20))
    #expect(GuidanceSkips(job).changes.map(\.call) == [0, 6, 16])
    job.skipEarlyCond = 0
    #expect((0..<22).filter { GuidanceSkips(job).skips(call: $0, level: 5) } == Array(0..<4) + Array(16..<22))
    // A few samplers make more calls than planned: an interval up to 1 includes them.
    job.guidanceInterval = try #require(PassInterval(0.5, 1))
    #expect((0..<30).filter { GuidanceSkips(job).skips(call: $0, level: 5) } == Array(0..<10))
    #expect(PassInterval(0.8, 0.2) == nil && PassInterval("0.2 to 0.8") == PassInterval(0.2, 0.8))
  }
}
