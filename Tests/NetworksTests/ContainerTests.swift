import Foundation
import Testing
import TestSupport

@testable import Networks
@testable import TensorFiles

/// One complete model in every container; the networks get the same weights from each.
struct ContainerTests {
  @Test func `a checkpoint has the same networks as an archive of PyTorch and as GGUF`() throws {
    let path = RandomModels.path("model.safetensors")
    let tensors = try SafetensorsFile(path: path).tensors.values.sorted { $0.name < $1.name }
    let folder = try TemporaryFolder()
    let expected = try ModelArchive.open(path: path)
    for copy in [
      try folder.write("model.ckpt", Self.archive(tensors)), try folder.write("model.gguf", Self.gguf(tensors)),
    ] {
      let model = try ModelArchive.open(path: copy)
      try model.audit().check()
      #expect(model.unet.configuration == expected.unet.configuration && model.vae != nil)
      try expectSame(model.unet, expected.unet)
      try expectSame(model.textEncoders[0], expected.textEncoders[0])
      try expectSame(try #require(model.vae), try #require(expected.vae))
      #expect(try model.sha256(DigestCache(environment: [:])) == FileDigest.sha256(ofFileAt: copy))
      #expect(try ModelArchive.openVAE(path: copy).audit().isClean)
    }
  }

  private func expectSame<Configuration>(
    _ found: ModelArchive.Network<Configuration>, _ expected: ModelArchive.Network<Configuration>
  ) throws {
    for tensor in expected.configuration.expectedTensors {
      let numbers = try found.weights.tensor(tensor.name, shape: tensor.shape).floats()
      #expect(try numbers == expected.weights.tensor(tensor.name, shape: tensor.shape).floats(), "\(tensor.name)")
    }
  }

  /// As Lightning saves it: the tensors under `state_dict`, each with its own storage.
  private static func archive(_ tensors: [StoredTensor]) throws -> [UInt8] {
    var pickle = PickleBytes()
    var entries: [ZipBytes.Entry] = []
    pickle.raw("}")
    pickle.string("state_dict")
    pickle.raw("}(")
    for (index, tensor) in tensors.enumerated() {
      let strides = tensor.shape.indices.map { tensor.shape[($0 + 1)...].reduce(1, *) }
      pickle.string(tensor.name)
      pickle.tensor(
        storage: "HalfStorage", key: "\(index)", count: tensor.elementCount, shape: tensor.shape, strides: strides)
      entries.append(ZipBytes.Entry("model/data/\(index)", try tensor.withRawBytes { Array($0) }))
    }
    pickle.raw("us.")
    return ZipBytes([ZipBytes.Entry("model/data.pkl", pickle.bytes)] + entries).bytes
  }

  private static func gguf(_ tensors: [StoredTensor]) throws -> [UInt8] {
    var file = GGUFBytes()
    for tensor in tensors {
      file.tensor(tensor.name, type: 1, shape: tensor.shape.map(UInt64.init), offset: UInt64(file.data.count))
      file.data += try tensor.withRawBytes { Array($0) }
      file.data += Array(repeating: 0, count: (32 - file.data.count % 32) % 32)
    }
    return file.bytes
  }
}
