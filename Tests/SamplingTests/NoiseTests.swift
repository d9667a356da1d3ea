import Foundation
import Settings
import Testing

@testable import Sampling

@Suite struct NoiseTests {
  struct Index: Decodable {
    struct Draws: Decodable { let rng: NoiseSourceID, seed: Int64, draws: [Span] }
    struct Sequence: Decodable { let entropy: String, key: [UInt64], words: [UInt32] }
    let draws: [Draws]
    let sequences: [Sequence]
    let rounding: [[Double]]
  }

  let fixture: Fixture<Index>

  init() throws {
    fixture = try Fixture("noise", as: Index.self)
  }

  @Test func `both sources reproduce PyTorch's and the webui's numbers`() {
    for row in fixture.index.draws {
      var generator = row.rng.generator(seed: row.seed)
      for span in row.draws {
        let difference = maxDifference(generator.normals(span.count), fixture[span])
        print("\(row.rng.rawValue) seed \(row.seed), \(span.count) numbers: max difference \(difference)")
        // PyTorch's polynomials fuse some products, so allow two units in the last place; the webui's double precision
        // is matched exactly.
        #expect(difference <= (row.rng == .cpu ? 4.8e-7 : 0))
      }
    }
  }

  @Test func `nearly all of the numbers on the CPU have PyTorch's bits`() {
    let pairs = fixture.index.draws.filter { $0.rng == .cpu }.flatMap { row -> [(Float, Float)] in
      var generator = row.rng.generator(seed: row.seed)
      return row.draws.flatMap { zip(generator.normals($0.count), fixture[$0]) }
    }
    let equal = pairs.count { $0.0 == $0.1 }
    print("bit-equal to PyTorch: \(equal) of \(pairs.count)")
    #expect(Double(equal) > 0.97 * Double(pairs.count))
  }

  @Test func `the Mersenne Twister's words equal those of its authors' code`() {
    var words = MersenneTwister(seed: 0)
    #expect((0..<4).map { _ in words.next() } == [2_357_136_044, 2_546_248_239, 3_071_714_933, 3_626_093_760])
    // The standard's check value: the 10000th word of the default seed.
    var standard = MersenneTwister(seed: 5489)
    standard.skip(9999)
    #expect(standard.next() == 4_123_659_995)
  }

  @Test(arguments: [
    (
      10, [1.5410, -0.2934, -2.1788, 0.5684, -1.0845, -1.3986, 0.4033, 0.8380, -0.7193, -0.4033] as [Float]
    ),
    (
      16,
      [
        -1.1258, -1.1524, -0.2506, -0.4339, 0.8487, 0.6920, -0.3160, -2.1152, 0.3223, -1.2633, 0.3500, 0.3081, 0.1198,
        1.2377, 1.1168, -0.2473,
      ]
    ),
    (
      20,
      [
        -1.1258, -1.1524, -0.2506, -0.4339, 0.5988, -1.5551, -0.3414, 1.8530, 0.4681, -0.1577, 1.4437, 0.2660, 1.3894,
        1.5863, 0.9463, -0.8437, 0.9318, 1.2590, 2.0050, 0.0537,
      ]
    ),
  ])
  func `draws of fewer than 16 numbers and uneven tails follow PyTorch's rules`(count: Int, published: [Float]) {
    var noise = TorchNoise(seed: 0)
    #expect(maxDifference(noise.normals(count), published) < 6e-5)
  }

  @Test func `only the low 32 bits of a seed matter on the CPU`() {
    var low = TorchNoise(seed: 1)
    var high = TorchNoise(seed: 1 << 32 + 1)
    #expect(low.normals(32) == high.normals(32))
  }

  @Test func `Philox yields the published words`() {
    let (first, second) = PhiloxNoise.words(offset: 0, index: PhiloxNoise.Words(0, 1, 2, 3, 4, 5, 6, 7), key: 0)
    #expect(first[0] == 0x6627_E8D5)
    #expect(second[0] == 0xE169_C58D)
    #expect(first[1] == 0x8445_15E1)
    #expect(second[1] == 0xF08D_6EAA)
  }

  @Test func `Philox yields the webui's published numbers`() {
    var zero = PhiloxNoise(seed: 0)
    let first: [Float] = [
      -0.9246624, -0.425344, -2.643846, 0.1451839, -0.1208665, -0.5797257, -0.6228513, -0.3283871, -1.074542,
      -0.3631441, -1.67105, 2.265505,
    ]
    #expect(maxDifference(zero.normals(12), first) < 1e-6)
    #expect(maxDifference(zero.normals(4), [0.1808259, -0.5522627, 0.9238134, -0.7349703]) < 1e-6)
    var other = PhiloxNoise(seed: 12345)
    #expect(maxDifference(other.normals(4), [0.5786413, -0.5247555, -0.2919037, 0.01401389]) < 1e-6)
    var large = PhiloxNoise(seed: 1 << 32 + 7)
    #expect(maxDifference(large.normals(4), [-0.2827352, -1.012804, 0.009528826, 0.4470849]) < 1e-6)
  }

  @Test func `the first draw of an image of 512 pixels has the published numbers`() {
    var noise = ImageNoise(seed: 1234, source: .cpu, shape: LatentShape(channels: 4, height: 64, width: 64))
    let first = Array(noise.next().values.prefix(8))
    let published: [Float] = [
      -0.11171857, -0.49659011, 0.16307370, -0.88168776, 0.05390019, 0.66837370, -0.05965761, -0.46749794,
    ]
    #expect(maxDifference(first, published) < 1e-6)
    let second = Array(noise.next().values.prefix(4))
    #expect(maxDifference(second, [-0.87845635, -0.28831819, -0.22015348, -0.04029859]) < 1e-6)
  }

  @Test(arguments: [
    (
      NoiseSourceID.cpu, [-0.1117186, -0.4965901, 0.1630737, -0.8816878] as [Float],
      [-1.411251, 0.01997893, -0.411528, -0.3398294] as [Float]
    ),
    (
      .nv, [-1.61649, 0.5684552, -0.5102246, -0.9113394],
      [0.6330828, 1.635822, -0.3458629, 1.019553]
    ),
  ])
  func `an image's stream has the webui's published numbers`(source: NoiseSourceID, first: [Float], second: [Float]) {
    var noise = ImageNoise(seed: 1234, source: source, shape: LatentShape(channels: 4, height: 8, width: 8))
    let draw = noise.next().values
    #expect(maxDifference(Array(draw.prefix(4)), first) < 2e-6)
    if source == .cpu { #expect((draw.reduce(0, +) + 14.895519).magnitude < 1e-4) }
    #expect(maxDifference(Array(noise.next().values.prefix(4)), second) < 2e-6)
    #expect(noise.drawCount == 2)
  }

  @Test(arguments: NoiseSourceID.allCases, [[4, 8, 8], [4, 7, 9], [4, 1, 3], [1, 1, 1]])
  func `a restored stream continues where it was`(source: NoiseSourceID, sizes: [Int]) {
    let shape = LatentShape(sizes)
    var whole = ImageNoise(seed: 99, source: source, shape: shape)
    for drawCount in 0..<5 {
      var later = ImageNoise(seed: 99, source: source, shape: shape, drawCount: drawCount)
      #expect(later.next() == whole.next())
    }
  }

  @Test func `the noise functions are accurate to the last bits on their whole ranges`() {
    var worst = (log: 0.0, circle: 0.0, doubleLog: 0.0, doubleSine: 0.0)
    for block in 0..<12_500 {
      let fractions = SIMD8<Double>((1...8).map { Double(8 * block + $0) / 100_000 })
      let floats = SIMD8<Float>(fractions)
      let angles = SIMD8<Float>(2 * Double.pi * fractions)
      let turns = 2 * Double.pi * fractions
      let logs = NoiseMath.log(floats)
      let (sines, cosines) = NoiseMath.sineAndCosine(angles)
      let doubleLogs = NoiseMath.log(fractions)
      let doubleSines = NoiseMath.sine(turns)
      for lane in 0..<8 {
        let expected = log(Double(floats[lane]))
        let angle = Double(angles[lane])
        worst.log = max(worst.log, abs(Double(logs[lane]) - expected) / max(abs(expected), 1e-3))
        worst.circle = max(worst.circle, abs(Double(sines[lane]) - sin(angle)), abs(Double(cosines[lane]) - cos(angle)))
        let doubleLog = log(fractions[lane])
        worst.doubleLog = max(worst.doubleLog, abs(doubleLogs[lane] - doubleLog) / max(abs(doubleLog), 1e-9))
        worst.doubleSine = max(worst.doubleSine, abs(doubleSines[lane] - sin(turns[lane])))
      }
    }
    print("log \(worst.log), sine and cosine \(worst.circle), double log \(worst.doubleLog), sine \(worst.doubleSine)")
    #expect(worst.log < 2e-7)
    #expect(worst.circle < 1.2e-7)
    #expect(worst.doubleLog < 5e-16)
    #expect(worst.doubleSine < 2.5e-16)
  }

  @Test func `seed sequences equal NumPy's`() throws {
    for row in fixture.index.sequences {
      let entropy = try #require(UInt64(row.entropy))
      #expect(SeedSequence(entropy: entropy, spawnKey: row.key).generate(row.words.count) == row.words, "\(row)")
    }
    #expect(SeedSequence(entropy: 12345).generate(3) == [2_888_090_517, 4_151_165_838, 1_159_728_038])
    #expect(SeedSequence(entropy: 12345, spawnKey: [0, 0]).generate(2) == [3_924_261_748, 2_174_456_085])
  }

  @Test func `numbers round to six decimals as in Python`() {
    for pair in fixture.index.rounding {
      #expect(pair[0].roundedToSixDecimals() == pair[1], "\(pair[0])")
      #expect((-pair[0]).roundedToSixDecimals() == -pair[1], "\(-pair[0])")
    }
  }
}
