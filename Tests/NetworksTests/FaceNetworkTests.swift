import Foundation
import Tensors
import Testing
import TestSupport
import TensorFiles
import Weights

@testable import Networks

/// The networks of face restoration against PyTorch with the same weights (`Tests/FixtureScripts/make_faces.py`).
struct FaceNetworkTests {
  private let folder: TemporaryFolder
  private let expected: [String: StoredTensor]

  init() throws {
    folder = try TemporaryFolder()
    expected = try TensorFile(path: Fixtures.path("Faces/networks.safetensors")).tensors
  }

  private func numbers(_ name: String) throws -> [Float] { try #require(expected[name]).floats() }

  private func input(
    _ name: String, height: Int, width: Int, deviation: Double = 0.4, _ compute: Compute
  ) -> Tensor {
    compute.tensor(
      channelsFirst: RandomWeights.floats(
        seed: "20-inputs", name: name, shape: [3, height, width], deviation: deviation),
      batch: 1, channels: 3, height: height, width: width)
  }

  private func compute(_ kernels: Kernels) -> Compute { Compute(kernels: kernels, threadCount: 2) }

  /// A network's file; the detector's has the heads that find the cartoon's faces.
  private func archive(_ name: String, _ kind: FaceNetworkKind) throws -> FaceArchive {
    var path = RandomFaces.path(name)
    if kind == .detector {
      let heads = try TensorFile(path: Fixtures.path("Faces/heads.safetensors")).tensors.values.map {
        SyntheticTensor($0.name, $0.shape, floats: try $0.floats())
      }
      path = folder("detector.safetensors")
      try RandomFaces.detector(heads: heads).write(to: path)
    }
    let archive = try FaceArchive(path: path)
    #expect(archive.kind == kind)
    return archive
  }

  /// The largest difference, relative to the largest number.
  private func difference(_ a: [Float], _ b: [Float]) -> Float {
    #expect(a.count == b.count)
    return (zip(a, b).map { ($0 - $1).magnitude }.max() ?? .infinity) / (b.map(\.magnitude).max() ?? 1)
  }

  /// Every eighth value of every eighth row, channels first.
  private func sampled(_ tensor: Tensor) -> [Float] {
    var values: [Float] = []
    for c in 0..<tensor.channels {
      for y in stride(from: 0, to: tensor.height, by: 8) {
        for x in stride(from: 0, to: tensor.width, by: 8) { values.append(tensor.pixel(0, y, x)[c]) }
      }
    }
    return values
  }

  @Test(arguments: Kernels.available)
  func `a detector agrees with PyTorch at sizes that are odd at every level`(kernels: Kernels) throws {
    let compute = compute(kernels)
    let network = try archive("retinaface", .detector).readDetector(compute)
    let output = network.forward(input("photo", height: 90, width: 150, deviation: 60, compute))
    #expect(output.scores.count == 2 * (12 * 19 + 6 * 10 + 3 * 5))
    #expect(difference(output.boxes, try numbers("boxes")) < 2e-5)
    #expect(difference(output.landmarks, try numbers("landmarks")) < 2e-5)
    #expect(difference(output.scores, try numbers("scores")) < 1e-4)
  }

  @Test(arguments: Kernels.available)
  func `a parser agrees with PyTorch`(kernels: Kernels) throws {
    let compute = compute(kernels)
    let network = try archive("parsenet", .parser).readParser(compute)
    let output = network.forward(input("face-part", height: 32, width: 48, compute))
    #expect(output.channels == 19)
    #expect(difference(output.channelsFirst(image: 0), try numbers("classes")) < 2e-5)
  }

  @Test(arguments: Kernels.available)
  func `CodeFormer agrees with PyTorch at any weight`(kernels: Kernels) throws {
    let compute = compute(kernels)
    let network = try #require(try archive("codeformer", .codeFormer).readRestorer(compute) as? CodeFormer)
    let face = input("face", height: 512, width: 512, compute)
    for (weight, name) in [(Float(0), "0"), (0.5, "0.5"), (1, "1")] {
      let stages = network.stages(face, weight: weight)
      #expect(difference(stages.features.channelsFirst(image: 0), try numbers("features")) < 2e-5)
      #expect(try stages.codes == numbers("codes").map { Int($0) })
      #expect(difference(sampled(stages.drawn), try numbers("codeformer-\(name)")) < 5e-5)
    }
  }

  @Test(arguments: Kernels.available)
  func `GFPGAN agrees with PyTorch over the same noise`(kernels: Kernels) throws {
    let compute = compute(kernels)
    let network = try #require(try archive("gfpgan", .gfpgan).readRestorer(compute) as? GFPGAN)
    let file = try TensorFile(path: RandomFaces.path("gfpgan")).tensors
    let noise = try GFPGAN.noiseSides.indices.map {
      try #require(file["stylegan_decoder.noises.noise\($0)"]).floats()
    }
    let drawn = network.forward(input("face", height: 512, width: 512, compute), noise: noise)
    #expect(difference(sampled(drawn), try numbers("gfpgan")) < 5e-5)
  }

  @Test func `any number of threads gives the same bits`() throws {
    let kernels = try Kernels.forThisMachine()
    func drawn(_ threads: Int) throws -> [[Float]] {
      let compute = Compute(kernels: kernels, threadCount: threads)
      let face = input("face", height: 512, width: 512, compute)
      let detected = try archive("retinaface", .detector).readDetector(compute)
        .forward(input("photo", height: 90, width: 150, deviation: 60, compute))
      var calls = 0
      let restored = try archive("gfpgan", .gfpgan).readRestorer(compute).restored(face, weight: 0) { count in
        calls += 1
        return (0..<count).map { Float($0 % 7 + calls) / 10 }
      }
      return [
        detected.boxes, detected.scores, detected.landmarks, restored.values,
        try archive("codeformer", .codeFormer).readRestorer(compute).restored(face, weight: 0.5) { _ in [] }.values,
        try archive("parsenet", .parser).readParser(compute)
          .forward(input("face-part", height: 32, width: 48, compute)).values,
      ]
    }
    let one = try drawn(1)
    #expect(try one == drawn(3))
  }
}
