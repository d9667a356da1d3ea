import TensorFiles
import TestSupport
import Testing

@testable import Networks
@testable import Tensors
@testable import Weights

/// Linear layers whose weights stay as the file stores them, compared with PyTorch's products of the decoded weights
/// (`Tests/FixtureScripts/make_stored_linears.py`) and with packed layers.
@Suite struct StoredLinearTests {
  private static let blocks = ["q4_0", "q8_0", "q4_k", "q5_k", "q6_k"]
  private static let plain = ["fp8", "fp8_range", "half", "bfloat", "by_tensor", "by_row", "by_square"]
  private static let (outputs, inputs, rows) = (36, 512, 11)

  private static func store(_ layer: String) throws -> WeightStore {
    let path = Fixtures.path("Weights/stored/linears.\(blocks.contains(layer) ? "gguf" : "safetensors")")
    let tensors = try TensorFile(path: path).tensors
    return WeightStore(path: path, tensors: tensors, keyMap: KeyMap(prefix: "", rules: [], unused: []))
  }

  private static func expected(_ name: String) throws -> [Float] {
    let file = try TensorFile(path: Fixtures.path("Weights/stored/expected.safetensors"))
    return try #require(file.tensors[name]).floats()
  }

  private func result(_ layer: String, _ compute: Compute) throws -> [Float] {
    let linear = try Linear(
      Self.store(layer).root[layer], inputs: Self.inputs, outputs: Self.outputs, hasBias: false, compute: compute)
    let x = compute.tensor(batch: 1, height: 1, width: Self.rows, channels: Self.inputs, elementType: .fp32)
    for (index, value) in try Self.expected("x").enumerated() { x.base[index] = value }
    let y = linear.forward(compute.converted(x), as: .fp32, compute)
    return (0..<y.count).map { y.base[$0] }
  }

  @Test(arguments: blocks + plain)
  func `a layer that keeps its weights agrees with PyTorch and has the bits of a packed one`(layer: String) throws {
    let expected = try Self.expected(layer)
    let scale = expected.map(\.magnitude).max() ?? 0
    for kernels in Kernels.available {
      for (precision, bound) in [(Precision.fp32, Float(1e-5)), (.bf16, 1e-2), (.int8, 3e-2)] {
        let packed = Compute(kernels: kernels, threadCount: 2, precision: precision)
        let found = try result(layer, packed.with(WeightStorage.kept))
        let worst = zip(found, expected).map { ($0 - $1).magnitude }.max() ?? .infinity
        #expect(worst <= bound * scale, "\(kernels.name) \(precision): off by \(worst / scale)")
        #expect(try found == result(layer, packed), "\(kernels.name) \(precision)")
      }
    }
  }

  @Test func `weights stay as they are only if that is smaller than packing them`() throws {
    func bytes(_ layer: String, _ precision: Precision) throws -> Int {
      let compute = Compute(kernels: Kernels.available[0], threadCount: 1, precision: precision)
      return try Self.store(layer).root[layer].matrix(
        "weight", shape: [Self.outputs, Self.inputs], bias: nil, layer: .linear, compute: compute.with(.kept)
      ).bytes
    }
    let packed = (Self.outputs + 15) / 16 * 16 * Self.inputs
    #expect(try bytes("q8_0", .bf16) == Self.outputs * Self.inputs / 32 * 34)
    #expect(try bytes("q8_0", .int8) == packed)
    #expect(try bytes("q6_k", .int8) == Self.outputs * Self.inputs / 256 * 210)
    #expect(try bytes("fp8", .bf16) == Self.outputs * Self.inputs)
    #expect(try bytes("fp8", .int8) == packed)
    #expect(try bytes("bfloat", .bf16) == 2 * packed)
    #expect(try bytes("bfloat", .fp32) == 2 * Self.outputs * Self.inputs)
  }

  @Test func `the memory plan counts what the layers hold`() throws {
    for layer in Self.blocks + Self.plain {
      let store = try Self.store(layer)
      for precision in Precision.allCases {
        let compute = Compute(kernels: Kernels.available[0], threadCount: 1, precision: precision).with(.kept)
        let matrix = try store.root[layer].matrix(
          "weight", shape: [Self.outputs, Self.inputs], bias: nil, layer: .linear, compute: compute)
        let planned = store.weightBytes(
          of: [ExpectedTensor(layer + ".weight", [Self.outputs, Self.inputs])], precision, .kept)
        #expect(planned >= matrix.bytes && planned <= matrix.bytes * 3 / 2 + 4096, "\(layer) \(precision): \(planned)")
      }
    }
  }
}
