import Foundation
import Testing
import TestSupport
import TensorFiles
import Weights

@testable import Networks

/// Files of face restoration networks in every wrapping, and other files.
struct FaceFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func renamed(_ tensors: [SyntheticTensor], _ prefix: String) -> [SyntheticTensor] {
    tensors.map { SyntheticTensor(prefix + $0.name, $0.shape, type: $0.type, bytes: $0.bytes) }
  }

  @Test(
    arguments: RandomFaces.names,
    [
      "", "module.", "params_ema.", "params-ema.", "params.", "state_dict.", "model_state_dict.", "model.", "net.",
      "params_ema.module.", "netG.", "weights.",
    ])
  func `a network is found in every wrapping`(name: String, prefix: String) throws {
    let path = try folder.write("\(name).safetensors", renamed(try holes(name), prefix))
    let kinds: [String: FaceNetworkKind] = [
      "retinaface": .detector, "parsenet": .parser, "codeformer": .codeFormer, "gfpgan": .gfpgan,
    ]
    #expect(try FaceArchive(path: path).kind == kinds[name])
  }

  /// The tensors without their numbers.
  private func holes(_ name: String) throws -> [SyntheticTensor] {
    try RandomFaces.tensors(name).map { SyntheticTensor($0.name, $0.shape, type: $0.type) }
  }

  @Test func `averaged weights are preferred to the trained ones`() throws {
    let tensors = try RandomFaces.tensors("gfpgan")
    let zeros = tensors.map { SyntheticTensor("params.\($0.name)", $0.shape, type: $0.type) }
    let path = try folder.write("both.safetensors", zeros + renamed(tensors, "params_ema."))
    let file = try FaceFile(path: path)
    #expect(file.store.root.shape(of: "toRGB.0.weight") != nil && file.unread.isEmpty)
    #expect(try file.store.root.floats("final_linear.bias", shape: [512]).contains { $0 != 0 })
  }

  @Test func `counts of batches are not needed`() throws {
    let counters = ["body.bn1", "ssh1.conv3X3.1"].map {
      SyntheticTensor("\($0).num_batches_tracked", [], type: "I64")
    }
    let path = try folder.write("detector.safetensors", try holes("retinaface") + counters)
    #expect(try FaceArchive(path: path).kind == .detector)
  }

  @Test(arguments: RandomFaces.names)
  func `a missing tensor, a wrong shape and one too many are named`(name: String) throws {
    let tensors = try holes(name)
    let last = try #require(tensors.last { $0.shape.count == 1 })
    func audit(_ tensors: [SyntheticTensor]) throws -> [WeightAudit.Finding] {
      let path = try folder.write("damaged.safetensors", tensors)
      do {
        _ = try FaceArchive(path: path)
        return []
      } catch WeightError.audit(let audit) {
        return audit.findings
      }
    }
    #expect(try audit(tensors.filter { $0.name != last.name }) == [.missing(name: last.name, shape: last.shape)])
    let longer = tensors.map { $0.name == last.name ? SyntheticTensor($0.name, [last.shape[0] + 1], type: "F32") : $0 }
    #expect(
      try audit(longer) == [.misshapen(name: last.name, found: [last.shape[0] + 1], expected: last.shape)])
    let more = tensors + [SyntheticTensor("something.else", [3], type: "F32")]
    #expect(try audit(more) == [.unread(name: "something.else", shape: [3])])
  }

  @Test func `another network is refused with its name`() throws {
    let path = RandomFaces.path("parsenet")
    let error = #expect(throws: WeightError.self) { try FaceArchive(path: path, expecting: [.codeFormer]) }
    let text = "\(try #require(error))"
    #expect(text.contains("ParseNet") && text.contains("CodeFormer"))
    let model = RandomModels.path("taesd_decoder.safetensors")
    let other = #expect(throws: WeightError.self) { try FaceArchive(path: model) }
    #expect("\(try #require(other))".contains("no network of face restoration"))
  }

  @Test func `the first GFPGAN is refused with advice`() throws {
    let path = try folder.write(
      "GFPGANv1.safetensors",
      [
        SyntheticTensor("toRGB.0.weight", [3, 4, 1, 1]),
        SyntheticTensor("stylegan_decoder.style_mlp.1.weight", [4, 4]),
        SyntheticTensor("conv_body_first.0.weight", [4, 3]),
      ])
    let error = #expect(throws: WeightError.self) { try FaceArchive(path: path) }
    #expect("\(try #require(error))".contains("GFPGANv1.4.pth"))
  }

  @Test func `sizes that no network has are refused, and allocate nothing`() throws {
    let tensors = try holes("codeformer").filter { $0.name != "position_emb" }
    let path = try folder.write(
      "huge.safetensors", tensors + [SyntheticTensor("position_emb", [256, 9000], type: "F32")])
    let error = #expect(throws: WeightError.self) { try FaceArchive(path: path) }
    #expect("\(try #require(error))".contains("position_emb"))
  }
}
