import Foundation
import Testing
import TestSupport
import TensorFiles

@testable import Networks
@testable import Weights

/// The UNets of published distilled models in full size, whose names and shapes diffusers lists; see
/// `Tests/FixtureScripts/make_distilled_fixtures.py`.
struct DistilledLayoutTests {
  struct Layout: Decodable {
    let tensors: Int
    let parameters: Int
    /// The digest of the names and shapes in diffusers, and in a single file.
    let diffusers: String
    let single: String
  }

  private static let families: [(name: String, family: ModelFamily)] = [
    ("SSD-1B", .sdxl), ("Segmind-Vega", .sdxl), ("BK-SDM-Base", .sd1), ("BK-SDM-Small", .sd1), ("BK-SDM-Tiny", .sd1),
    ("SDXS-512", .sd2),
  ]

  private static func digest(_ tensors: [ExpectedTensor]) -> String {
    let lines = tensors.map { "\($0.name) \($0.shape.map(String.init).joined(separator: "x"))\n" }
    return TestSupport.digest(
      Data(lines.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.joined().utf8))
  }

  @Test(arguments: families)
  func `a published UNet is read from its configuration, and from the shapes in both namings`(
    name: String, family: ModelFamily
  ) throws {
    let folder = try TemporaryFolder()
    let layout = try #require(try Fixtures.decode([String: Layout].self, from: "Distilled/layouts.json")[name])
    let all =
      try JSONSerialization.jsonObject(with: Fixtures.data("Distilled/layouts.json")) as? [String: [String: Any]]
    let path = try folder.write(
      "config.json", [UInt8](try JSONSerialization.data(withJSONObject: try #require(all?[name]?["config"]))))
    let configured = try UNetConfiguration(
      ModelFiles.Network(
        store: WeightStore(path: path, tensors: [:], keyMap: .diffusersUNet()),
        configuration: try ConfigurationFile(path: path)), family: family)
    let tensors = configured.expectedTensors
    #expect(tensors.count == layout.tensors && configured.parameterCount == layout.parameters)
    #expect(Self.digest(tensors) == layout.diffusers)
    let keyMap = KeyMap.ldmUNet(configured.structure, prefix: "")
    let single = tensors.map { ExpectedTensor(keyMap.fileName($0.name), $0.shape) }
    #expect(Self.digest(single) == layout.single)

    for (names, prefix) in [(tensors, ""), (tensors, "unet."), (single, ""), (single, "model.diffusion_model.")] {
      // The files contain holes, which take no space.
      let path = try folder.write("unet.safetensors", names.map { SyntheticTensor(prefix + $0.name, $0.shape) })
      let file = try TensorFile(path: path)
      let found = try #require(UNetNames(file.tensors.keys))
      let store = WeightStore(path: path, tensors: file.tensors, keyMap: found.keyMap)
      let measured = try UNetConfiguration(
        ModelFiles.Network(store: store, structure: found.structure), family: family)
      #expect(measured == configured, "\(prefix)")
      #expect(store.audit(expecting: measured.expectedTensors).isClean)
    }
  }

  @Test func `a middle block that the configuration denies and the weights have is refused`() throws {
    let folder = try TemporaryFolder()
    let fixture = try ModelFixture("one-layer")
    let path = try fixture.writeFolder(to: folder, as: "model")
    let text = try fixture.configuration("unet")
      .replacingOccurrences(of: #""mid_block_type": "UNetMidBlock2DCrossAttn""#, with: #""mid_block_type": null"#)
    try folder.write("model/unet/config.json", text)
    let error = #expect(throws: WeightError.self) { try ModelArchive.open(path: path) }
    #expect("\(try #require(error))".contains("mid_block_type is null"))
    try folder.write(
      "model/unet/diffusion_pytorch_model.safetensors",
      fixture.diffusers("unet").filter { !$0.name.hasPrefix("mid_block.") })
    let archive = try ModelArchive.open(path: path)
    #expect(archive.unet.configuration.middle == .none && archive.audit().isClean)
  }
}
