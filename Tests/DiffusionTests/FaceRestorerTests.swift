import Foundation
import Imaging
import Networks
import Tensors
import Testing
import TestSupport
import TensorFiles

@testable import Diffusion

/// The whole of face restoration against the reference in Python (`Tests/FixtureScripts/make_faces.py`).
struct FaceRestorerTests {
  private struct Case: Decodable {
    var faces: Int
    var landmarks: [[Float]]
    var scores: [Float]
    var matrices: [[Double]]
  }

  private let folder: TemporaryFolder
  private let cases: [String: Case]
  private let cartoon: RGBImage

  init() throws {
    folder = try TemporaryFolder()
    cases = try Fixtures.decode(from: "Faces/pictures.json")
    cartoon = try Self.image("cartoon")
    try RandomFaces.writeModels(to: folder(""), heads: Self.heads())
  }

  /// The tensors that make the random detector find the cartoon's faces.
  static func heads() throws -> [SyntheticTensor] {
    try TensorFile(path: Fixtures.path("Faces/heads.safetensors")).tensors.values.sorted { $0.name < $1.name }.map {
      SyntheticTensor($0.name, $0.shape, floats: try $0.floats())
    }
  }

  private static func image(_ name: String) throws -> RGBImage {
    try PNGFile(decoding: Array(Fixtures.data("Faces/\(name).png"))).image
  }

  private func files(_ restorer: String) throws -> FaceRestorerFiles {
    try FaceRestorerFiles(
      restorer: folder(
        restorer == "gfpgan" ? "GFPGAN/GFPGANv1.4.safetensors" : "Codeformer/codeformer-v0.1.0.safetensors"),
      detector: folder("GFPGAN/detection_Resnet50_Final.safetensors"),
      parser: folder("GFPGAN/parsing_parsenet.safetensors"))
  }

  private func restorer(_ name: String, threads: Int = 2) throws -> FaceRestorer {
    try FaceRestorer(try files(name), threads: threads)
  }

  /// The noise with which the reference drew GFPGAN's faces: the maps in the file, for each face.
  private func storedNoise() throws -> (Int) -> [Float] {
    let file = try TensorFile(path: folder("GFPGAN/GFPGANv1.4.safetensors")).tensors
    let maps = try GFPGAN.noiseSides.indices.map {
      try #require(file["stylegan_decoder.noises.noise\($0)"]).floats()
    }
    var next = 0
    return { count in
      defer { next = (next + 1) % maps.count }
      return maps[next].count == count ? maps[next] : []
    }
  }

  /// Every third pixel of every third row.
  private func sampled(_ image: RGBImage) -> [UInt8] {
    var bytes: [UInt8] = []
    for y in stride(from: 0, to: image.height, by: 3) {
      for x in stride(from: 0, to: image.width, by: 3) {
        bytes += image.pixels[(y * image.width + x) * 3..<(y * image.width + x) * 3 + 3]
      }
    }
    return bytes
  }

  /// How many bytes differ by more than one, and how many differ in total.
  private func differences(_ one: [UInt8], _ other: [UInt8]) -> (large: Int, all: Int) {
    #expect(one.count == other.count)
    let sizes = zip(one, other).map { abs(Int($0) - Int($1)) }
    return (sizes.count { $0 > 1 }, sizes.count { $0 > 0 })
  }

  @Test func `faces are found where the reference finds them, the surest first`() throws {
    let compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 2, elementType: .fp32)
    let detector = FaceDetector(network: try files("codeformer").detector.readDetector(compute), compute: compute)
    let expected = try #require(cases["codeformer"])
    let faces = detector.faces(cartoon)
    #expect(faces.count == expected.faces)
    for (face, landmarks) in zip(faces, expected.landmarks) {
      let points = face.points.flatMap { [$0.x, $0.y] }
      #expect(zip(points, landmarks).allSatisfy { abs($0 - $1) < 0.001 }, "\(points)")
    }
    #expect(zip(faces.map(\.score), expected.scores).allSatisfy { abs($0 - $1) < 1e-4 })
  }

  @Test(arguments: [("codeformer", Float(0.5)), ("plain", 0), ("gfpgan", 0.5)])
  func `an image is restored as by the reference`(name: String, weight: Float) throws {
    let noise = try storedNoise()
    let result = try restorer(name).restored(
      cartoon, FaceRestorer.Options(codeFormerWeight: weight, noise: noise))
    #expect(result.faces == 2)
    let expected = try Self.image(name).pixels
    let found = differences(sampled(result.image), expected)
    // A code of CodeFormer, or the class of a pixel, may be decided by the last digit.
    #expect(found.large < expected.count / 1000, "\(found) of \(expected.count)")
    // Truncation turns a difference in the last digit into one of a whole step.
    #expect(found.all < expected.count / 10, "\(found) of \(expected.count)")
  }

  @Test func `stages are those of the reference`() throws {
    let compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 2, elementType: .fp32)
    let files = try files("codeformer")
    let network = try files.restorer.readRestorer(compute)
    let mask = FaceMask(network: try files.parser.readParser(compute), compute: compute)
    for (number, m) in try #require(cases["codeformer"]).matrices.enumerated() {
      let map = AffineMap(xx: m[0], xy: m[1], x0: m[2], yx: m[3], yy: m[4], y0: m[5])
      let crop = cartoon.warped(by: map, width: 512, height: 512, border: (132, 133, 135))
      #expect(try sampled(crop) == Self.image("crop\(number)").pixels)
      let face = FaceTensor.image(
        network.restored(FaceTensor.tensor(crop, compute), weight: 0.5) { _ in [] })
      let expected = try Self.image("restored\(number)").pixels
      #expect(differences(sampled(face), expected).large < expected.count / 1000)
      let soft = try Self.image("mask\(number)").pixels
      let plane = mask.mask(face)
      let found = RGBImage(
        width: 512, height: 512,
        pixels: plane.values.flatMap { value in
          let byte = UInt8((value * 255).rounded(.toNearestOrEven))
          return [byte, byte, byte]
        })
      #expect(differences(sampled(found), soft).large < soft.count / 1000)
    }
  }

  @Test func `any number of threads restores to the same bytes`() throws {
    func restored(_ threads: Int) throws -> RGBImage {
      try restorer("codeformer", threads: threads).restored(
        cartoon, FaceRestorer.Options(codeFormerWeight: 0.5) { _ in [] }
      ).image
    }
    #expect(try restored(1) == restored(3))
  }

  @Test(arguments: [(64, 64), (8, 8), (3, 200), (512, 640), (1, 1), (90, 2)])
  func `an image without faces stays unchanged`(width: Int, height: Int) throws {
    var generator = SplitMix64(state: 20)
    let grey = RGBImage(
      width: width, height: height, pixels: generator.bytes(width * height).flatMap { [$0 / 4, $0 / 4, $0 / 4] })
    let result = try restorer("codeformer").restored(grey, FaceRestorer.Options(codeFormerWeight: 0.5) { _ in [] })
    // Noise may look like a face to a random network, but not in an image with one value.
    let flat = RGBImage(width: width, height: height, pixels: Array(repeating: 127, count: width * height * 3))
    let second = try restorer("codeformer").restored(flat, FaceRestorer.Options(codeFormerWeight: 0.5) { _ in [] })
    #expect(second.faces == 0 && second.image == flat)
    #expect(result.faces > 0 || result.image == grey)
  }

  @Test func `work can be stopped before each face`() throws {
    struct Stop: Error {}
    var seen: [FaceRestorer.Progress] = []
    let restorer = try restorer("codeformer")
    #expect(throws: Stop.self) {
      try restorer.restored(cartoon, FaceRestorer.Options(codeFormerWeight: 0.5) { _ in [] }) {
        seen.append($0)
        if seen.count == 3 { throw Stop() }
      }
    }
    #expect(seen == [.detecting, .restoring(face: 0, of: 2), .restoring(face: 1, of: 2)])
  }
}
