import Testing
import TestSupport

@testable import TensorFiles
@testable import Weights

struct WeightStoreTests {
  private let keyMap = KeyMap(
    prefix: "net.",
    rules: [
      KeyRule("block.0", "b.7", inside: [KeyRule("norm", "n"), KeyRule("conv", "c.2")]),
      KeyRule("conv_out", "out.2"),
    ], unused: ["net.old."])

  private func store(_ folder: TemporaryFolder, _ tensors: [SyntheticTensor]) throws -> WeightStore {
    let file = try SafetensorsFile(path: try folder.write("net.safetensors", tensors))
    return WeightStore(path: file.path, tensors: file.tensors, keyMap: keyMap)
  }

  @Test(arguments: [
    ("block.0.norm.weight", "net.b.7.n.weight"), ("block.0.conv.bias", "net.b.7.c.2.bias"), ("block.0", "net.b.7"),
    ("block.0.other.norm", "net.b.7.other.norm"), ("block.01.norm", "net.block.01.norm"),
    ("block.1.norm", "net.block.1.norm"), ("conv_out.weight", "net.out.2.weight"), ("conv_outer", "net.conv_outer"),
  ])
  func `rules rename whole components, from the left`(name: String, fileName: String) {
    #expect(keyMap.fileName(name) == fileName)
  }

  @Test func `a scope returns the tensors below it by their names in code`() throws {
    let folder = try TemporaryFolder()
    let store = try store(
      folder,
      [
        SyntheticTensor("net.b.7.n.weight", [2], floats: [1, 2]), SyntheticTensor("net.out.2.weight", [1], floats: [3]),
        SyntheticTensor("elsewhere.out.2.weight", [1], floats: [4]),
      ])
    let scope = store.root["block"][0]
    #expect(scope.path == "block.0")
    #expect(scope.contains("norm.weight"))
    #expect(scope["norm"].contains("weight"))
    #expect(!scope.contains("norm.bias"))
    #expect(scope["norm"].shape(of: "weight") == [2])
    #expect(try scope["norm"].tensor("weight", shape: [2]).floats() == [1, 2])
    #expect(try scope.tensor("norm.weight", shape: [2]).name == "net.b.7.n.weight")
    #expect(try store.root.tensor("conv_out.weight", shape: [1]).floats() == [3])
  }

  @Test func `a missing tensor, a wrong shape and a wrong type are errors with the name in the file`() throws {
    let folder = try TemporaryFolder()
    let store = try store(
      folder,
      [SyntheticTensor("net.out.2.weight", [3, 4]), SyntheticTensor("net.out.2.bias", [3], type: "I64")])
    let path = folder("net.safetensors")
    let scope = store.root["conv_out"]
    #expect(throws: WeightError.missing(path: path, name: "net.out.2.gain", shape: [1])) {
      try scope.tensor("gain", shape: [1])
    }
    for shape in [[4, 3], [12], [3, 4, 1], [3, 4, 1, 2], [1, 3, 4], [3, 4, 3, 3], []] {
      #expect(throws: WeightError.misshapen(path: path, name: "net.out.2.weight", found: [3, 4], expected: shape)) {
        try scope.tensor("weight", shape: shape)
      }
    }
    #expect(throws: WeightError.file(.elementType(path: path, name: "net.out.2.bias", found: "I64"))) {
      try scope.tensor("bias", shape: [3])
    }
  }

  @Test func `a matrix and a 1×1 convolution are equivalent`() throws {
    let folder = try TemporaryFolder()
    let numbers = (0..<6).map { Float($0) }
    let store = try store(
      folder,
      [
        SyntheticTensor("net.matrix", [2, 3], floats: numbers),
        SyntheticTensor("net.convolution", [2, 3, 1, 1], floats: numbers),
      ])
    let convolution = try store.root.tensor("matrix", shape: [2, 3, 1, 1])
    #expect(convolution.shape == [2, 3, 1, 1])
    #expect(try convolution.floats() == numbers)
    let matrix = try store.root.tensor("convolution", shape: [2, 3])
    #expect(matrix.shape == [2, 3])
    #expect(try matrix.floats() == numbers)
  }

  @Test func `an audit finds everything that is wrong at once`() throws {
    let folder = try TemporaryFolder()
    let store = try store(
      folder,
      [
        SyntheticTensor("net.b.7.n.weight", [2]), SyntheticTensor("net.b.7.c.2.weight", [2, 2, 3, 3]),
        SyntheticTensor("net.b.7.c.2.bias", [2], type: "I64"), SyntheticTensor("net.junk", [5]),
        SyntheticTensor("net.old.thing", [1]), SyntheticTensor("elsewhere.junk", [5]),
      ])
    let audit = store.audit(expecting: [
      ExpectedTensor("block.0.norm.weight", [2]), ExpectedTensor("block.0.norm.bias", [2]),
      ExpectedTensor("block.0.conv.weight", [2, 2, 1, 1]), ExpectedTensor("block.0.conv.bias", [2]),
      ExpectedTensor("conv_out.weight", [7]),
    ])
    #expect(
      audit.findings == [
        .missing(name: "net.b.7.n.bias", shape: [2]), .missing(name: "net.out.2.weight", shape: [7]),
        .misshapen(name: "net.b.7.c.2.weight", found: [2, 2, 3, 3], expected: [2, 2, 1, 1]),
        .elementType(name: "net.b.7.c.2.bias", found: "I64"), .unread(name: "net.junk", shape: [5]),
      ])
    #expect(!audit.isClean)
    #expect(throws: WeightError.audit(audit)) { try audit.check() }
    for finding in audit.findings { #expect(audit.description.contains(finding.name)) }
    #expect(audit.description.contains("2 missing, 1 of a wrong shape, 1 of a wrong type, 1 not read by anything"))
  }

  @Test func `a long audit shows twenty tensors and counts the rest`() throws {
    let folder = try TemporaryFolder()
    let store = try store(folder, (0..<57).map { SyntheticTensor("net.junk.\($0)", [1]) })
    let lines = store.audit(expecting: []).description.split(separator: "\n")
    #expect(lines.count == 22)
    #expect(lines.last == "  ... and 37 more")
  }

  @Test func `tensors that were not taken are listed`() throws {
    let folder = try TemporaryFolder()
    let store = try store(folder, [SyntheticTensor("net.out.2.weight", [1]), SyntheticTensor("net.out.2.bias", [1])])
    let expected = [ExpectedTensor("conv_out.weight", [1]), ExpectedTensor("conv_out.bias", [1])]
    #expect(store.audit(expecting: expected).isClean)
    #expect(store.untaken(of: expected) == expected)
    _ = try store.root["conv_out"].tensor("weight", shape: [1])
    #expect(store.untaken(of: expected) == [expected[1]])
    _ = try store.root["conv_out"].tensor("bias", shape: [1])
    #expect(store.untaken(of: expected).isEmpty)
  }
}
