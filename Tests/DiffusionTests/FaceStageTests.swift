import Foundation
import Imaging
import Settings
import TensorFiles
import Tensors
import Testing
import TestSupport

@testable import Diffusion
@testable import Networks

/// The stages of face restoration at full width, written for `Tests/FixtureScripts/compare_faces.py`, which compares them with
/// facexlib, spandrel and OpenCV. It makes the folder that `SDBATCH_FACE_STAGES` names, and starts this suite.
struct FaceStageTests {
  /// What the script writes as `case.json` beside `models/`, `picture.png` and, for each face, `crop0.png` and `restored0.png`.
  private struct Case: Decodable {
    var model: FaceRestorationModel
    var weight: Float
    /// The maps of the script from the picture to the faces.
    var matrices: [[Double]]
    /// The seed and source of GFPGAN's noise.
    var seed: Int64
    var rng: NoiseSourceID
  }

  private static let root = ProcessInfo.processInfo.environment["SDBATCH_FACE_STAGES"]

  @Test(.enabled(if: root != nil))
  func `stages at full width are written for comparison`() throws {
    let root = try #require(Self.root)
    for name in try FileManager.default.contentsOfDirectory(atPath: root).sorted() {
      let folder = "\(root)/\(name)"
      guard let text = FileManager.default.contents(atPath: "\(folder)/case.json") else { continue }
      let test = try JSONDecoder().decode(Case.self, from: text)
      try stages(of: test, in: folder).write(to: "\(folder)/stages.safetensors")
    }
  }

  private func stages(of test: Case, in folder: String) throws -> [SyntheticTensor] {
    let files = try FaceFolders(roots: ["\(folder)/models"]).files(for: test.model)
    let compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 2, elementType: .fp32)
    var made: [SyntheticTensor] = []
    func add(_ name: String, _ values: [Float], _ shape: [Int]? = nil) {
      made.append(SyntheticTensor(name, shape ?? [values.count], floats: values))
    }
    func add(_ name: String, _ tensor: Tensor) {
      add(name, tensor.values, [tensor.height, tensor.width, tensor.channels])
    }
    func add(_ name: String, _ image: RGBImage) {
      made.append(SyntheticTensor(name, [image.height, image.width, 3], type: "U8", bytes: image.pixels))
    }
    func image(_ name: String) throws -> RGBImage {
      try PNGFile(decoding: Array(Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name).png")))).image
    }
    let picture = try image("picture")
    let detector = FaceDetector(network: try files.detector.readDetector(compute), compute: compute)
    let output = detector.look(at: picture).output
    add("boxes", output.boxes)
    add("scores", output.scores)
    add("landmarks", output.landmarks)
    let faces = detector.faces(picture)
    add("points", faces.flatMap { $0.points.flatMap { [$0.x, $0.y] } })
    add("face-scores", faces.map(\.score))
    for (number, face) in faces.enumerated() {
      let map = try #require(AffineMap.similarity(from: face.points, to: FaceRestorer.template))
      add("own-crop\(number)", picture.warped(by: map, width: 512, height: 512, border: FaceRestorer.border))
      let corners = [(0.0, 0.0), (Double(picture.width), 0), (0, Double(picture.height))].map { map($0, $1) }
      add("corners\(number)", corners.flatMap { [Float($0.x), Float($0.y)] })
    }
    let network = try files.restorer.readRestorer(compute)
    let mask = FaceMask(network: try files.parser.readParser(compute), compute: compute)
    let options = FaceRestorer.Options(codeFormerWeight: Double(test.weight), seed: test.seed, source: test.rng)
    for (number, m) in test.matrices.enumerated() {
      let map = AffineMap(xx: m[0], xy: m[1], x0: m[2], yx: m[3], yy: m[4], y0: m[5])
      add("crop\(number)", picture.warped(by: map, width: 512, height: 512, border: FaceRestorer.border))
      let input = FaceTensor.tensor(try image("crop\(number)"), compute)
      if let network = network as? CodeFormer {
        let stages = network.stages(input, weight: test.weight)
        add("features\(number)", stages.features)
        add("codes\(number)", stages.codes.map { Float($0) })
      }
      let drawn = network.restored(input, weight: test.weight, noise: options.noise)
      add("drawn\(number)", drawn)
      add("restored\(number)", FaceTensor.image(drawn))
      let restored = try image("restored\(number)")
      add("classes\(number)", mask.network.forward(FaceTensor.tensor(restored, compute)))
      add("mask\(number)", mask.mask(restored).values.map { Float($0) })
    }
    let result = try FaceRestorer(files, threads: 2).restored(
      picture, FaceRestorer.Options(codeFormerWeight: Double(test.weight), seed: test.seed, source: test.rng))
    add("result", result.image)
    return made
  }
}
