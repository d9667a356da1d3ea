import Diffusion
import Foundation
import Imaging
import Infotext
import Settings
import Testing
import TestSupport

/// Whole images in 8 bits, measured against the same images in fp32, which agree with PyTorch.
@Suite struct Int8ImageTests {
  private static let cases = ImageCase.cases(in: "cases.json")

  private static func generate(_ parameters: JobParameters, threads: Int = 2) throws -> RGBImage {
    try Engine.forTests(threads: threads).generate(parameters) { _ in }
  }

  /// Peak signal to noise, in decibels.
  private static func psnr(_ a: RGBImage, _ b: RGBImage) throws -> Double {
    try #require((a.width, a.height) == (b.width, b.height))
    let squares = zip(a.pixels, b.pixels).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
    return 10 * log10(255 * 255 * Double(a.pixels.count) / squares)
  }

  /// The demo model in 20 steps, measured over three seeds: 49 to 53 dB, and 55 in bf16; at 40 dB nobody sees a difference.
  @Test func `a picture of the demo model is the one of fp32 to 40 dB`() throws {
    let testCase = try #require(Self.cases.first { $0.model == "folder" })
    var parameters = testCase.parameters
    parameters.sampler = .dpmPP2M
    parameters.steps = 20
    for seed in [1, 2] as [Int64] {
      parameters.seed = seed
      parameters.precision = .fp32
      let expected = try Self.generate(parameters)
      parameters.precision = .int8
      let psnr = try Self.psnr(Self.generate(parameters), expected)
      #expect(psnr > 40, "seed \(seed): \(psnr) dB")
    }
  }

  /// The small model's random weights magnify what rounding leaves: bf16 itself differs from fp32.
  @Test(arguments: [(64, 64), (520, 392), (64, 2048)])
  func `sizes that nobody trained for work in 8 bits, with the same bytes on any number of threads`(
    width: Int, height: Int
  ) throws {
    var parameters = Self.cases[0].parameters
    parameters.sampler = .euler
    (parameters.width, parameters.height, parameters.steps) = (width, height, 2)
    let expected = try Self.generate(parameters)
    parameters.precision = .int8
    let found = try Self.generate(parameters, threads: 1)
    let psnr = try Self.psnr(found, expected)
    #expect(psnr > 25, "\(psnr) dB")
    #expect(found != expected)
    for threads in [2, 3, 7] { #expect(try Self.generate(parameters, threads: threads) == found, "\(threads) threads") }
  }

  @Test func `adapters change quantised weights, and leave none of it behind`() throws {
    let adapters = ImageCase.cases(in: "adapters/cases.json")
    func parameters(_ index: Int, _ precision: PrecisionChoice) -> JobParameters {
      var parameters = adapters[index].parameters
      parameters.adapterPlaces = [Fixtures.path("Engine/adapters")]
      parameters.precision = precision
      return parameters
    }
    let engine = try Engine.forTests()
    let plain = try engine.generate(parameters(0, .int8)) { _ in }
    for index in [1, 8] {
      let expected = try Self.generate(parameters(index, .fp32))
      let found = try engine.generate(parameters(index, .int8)) { _ in }
      // What the adapter changes is more than what 8 bits do.
      let (near, far) = (try Self.psnr(found, expected), try Self.psnr(plain, expected))
      #expect(near > 25 && near > far + 3, "case \(index): \(near) dB, without the adapter \(far) dB")
      #expect(try Self.generate(parameters(index, .int8)) == found)
    }
    #expect(try engine.generate(parameters(0, .int8)) { _ in } == plain)
  }

  @Test func `a job in 8 bits has an identity of its own, and auto never chooses it`() throws {
    let engine = try Engine.forTests()
    var parameters = Self.cases[0].parameters
    var ids: Set<JobID> = []
    for precision in PrecisionChoice.allCases where precision != .auto {
      parameters.precision = precision
      let ingredients = try engine.ingredients(for: parameters)
      #expect(ingredients.precision == precision.rawValue)
      #expect(
        Infotext(parameters, ingredients, version: "1").extras.contains {
          $0.key == "Precision" && $0.value.text == precision.rawValue
        })
      ids.insert(JobID(parameters, ingredients))
    }
    #expect(ids.count == 3)
    #expect(engine.engine.precision != "int8")
    parameters.precision = .auto
    #expect(try engine.ingredients(for: parameters).precision != "int8")
  }
}
