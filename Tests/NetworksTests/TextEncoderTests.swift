import Foundation
import Networks
import TensorFiles
import Tensors
import Testing
import TestSupport

/// Language models against transformers (`Tests/Fixtures/TextEncoders`).
@Suite struct TextEncoderTests {
  /// The largest error of fp32 states, relative to the largest state.
  static let bound: Float = 1e-4
  /// The same in bf16, where transformers itself rounds every operation to 8 bits.
  static let bf16Bound: Float = 0.06

  private let states: [String: [Float]]

  init() throws {
    states = try TensorFile(path: Fixtures.path("TextEncoders/states.safetensors")).tensors.mapValues {
      try $0.floats()
    }
  }

  private func state(_ name: String) throws -> [Float] { try #require(states[name], "\(name)") }

  private func ids(_ name: String) throws -> [Int32] { try state("\(name).ids").map { Int32($0) } }

  /// The largest difference, relative to the largest number.
  private func error(_ found: [Float], _ expected: [Float]) -> Float {
    guard found.count == expected.count else { return .infinity }
    let largest = expected.reduce(0) { max($0, abs($1)) }
    return zip(found, expected).reduce(0) { max($0, abs($1.0 - $1.1)) } / largest
  }

  /// A random model of the fixtures in a separate folder, as diffusers stores it.
  private func withFolder(_ model: String, _ body: (String) throws -> Void) throws {
    let folder = try TemporaryFolder()
    let weights = try RandomWeights(Fixtures.text("TextEncoders/\(model).weights"))
    try weights.write(to: folder.path + "/model.safetensors")
    try Fixtures.data("TextEncoders/\(model).json").write(to: URL(fileURLWithPath: folder.path + "/config.json"))
    try withExtendedLifetime(folder) { try body(folder.path) }
  }

  private func checkQwen(_ archive: TextEncoderArchive, _ name: String, _ compute: Compute, bound: Float) throws {
    #expect(archive.kind == .qwen3)
    try archive.audit(layers: 3).check()
    let encoder = try #require(archive.qwen3(compute))
    let texts = ["short", "filled", "long", "one"]
    let sequences = try texts.map { text in
      let numbers = try ids("\(name).\(text)")
      var sequence = TokenSequence(Array(numbers.dropLast()))
      sequence.count = Int(numbers[numbers.count - 1])
      return sequence
    }
    // All texts at once, because they share the layers.
    for (text, found) in zip(texts, try encoder.encode(sequences, layers: [1, 3])) {
      #expect(found.count == 2)
      for (layer, tensor) in zip([1, 3], found) {
        let difference = error(tensor.values, try state("\(name).\(text).\(layer)"))
        #expect(difference < bound, "\(text), layer \(layer)")
      }
    }
  }

  private func checkT5(_ archive: TextEncoderArchive, _ name: String, _ compute: Compute, bound: Float) throws {
    #expect(archive.kind == .t5)
    try archive.audit().check()
    let encoder = try #require(archive.t5(compute))
    let texts = ["short", "filled", "long", "one"]
    for (text, found) in zip(texts, try encoder.encode(texts.map { try ids("\(name).\($0)") })) {
      let difference = error(found.values, try state("\(name).\(text)"))
      #expect(difference < bound, "\(text)")
    }
  }

  @Test(arguments: Kernels.available)
  func `Qwen3 agrees with transformers`(kernels: Kernels) throws {
    try withFolder("qwen3") { path in
      let archive = try #require(try TextEncoderArchive.open(path: path).first)
      #expect(archive.prefix == "model.")
      try checkQwen(archive, "qwen3", Compute(kernels: kernels, threadCount: 2), bound: Self.bound)
      try checkQwen(
        archive, "qwen3", Compute(kernels: kernels, threadCount: 2, elementType: .bf16), bound: Self.bf16Bound)
    }
  }

  @Test(arguments: Kernels.available)
  func `T5 agrees with transformers`(kernels: Kernels) throws {
    try withFolder("t5") { path in
      let archive = try #require(try TextEncoderArchive.open(path: path).first)
      try checkT5(archive, "t5", Compute(kernels: kernels, threadCount: 2), bound: Self.bound)
      try checkT5(archive, "t5", Compute(kernels: kernels, threadCount: 2, elementType: .bf16), bound: Self.bf16Bound)
    }
  }

  @Test func `states do not depend on the number of threads`() throws {
    try withFolder("t5") { path in
      let archive = try #require(try TextEncoderArchive.open(path: path).first)
      let values = try [1, 2].map { threads in
        let compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: threads, elementType: .bf16)
        return try #require(archive.t5(compute)).encode([try ids("t5.long")])[0].values
      }
      #expect(values[0] == values[1])
    }
  }

  @Test func `a GGUF file with the names of llama cpp is read`() throws {
    let compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 2)
    let qwen = try TextEncoderArchive.open(path: Fixtures.path("TextEncoders/qwen3.gguf"))
    try checkQwen(try #require(qwen.first), "qwen3-gguf", compute, bound: Self.bound)
    let t5 = try TextEncoderArchive.open(path: Fixtures.path("TextEncoders/t5.gguf"))
    try checkT5(try #require(t5.first), "t5-gguf", compute, bound: Self.bound)
    #expect(qwen.count == 1 && t5.count == 1)
  }

  @Test func `a scaled FP8 encoder inside the file of a whole model is read`() throws {
    let compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 2)
    let found = try TextEncoderArchive.open(path: Fixtures.path("TextEncoders/t5-fp8.safetensors"))
    #expect(found.map(\.prefix) == ["text_encoders.t5xxl.transformer."])
    try checkT5(try #require(found.first), "t5-fp8", compute, bound: Self.bound)
  }

  @Test func `the vocabulary of a GGUF file is in its metadata`() throws {
    let vocabulary = try #require(try GGUFVocabulary(path: Fixtures.path("TextEncoders/qwen3.gguf")))
    #expect(vocabulary.model == "gpt2")
    #expect(vocabulary.split == "qwen2")
    #expect(vocabulary.tokens.count == 262)
    #expect(vocabulary.types.suffix(5) == [1, 3, 3, 3, 4])
    #expect(vocabulary.merges == ["f o", "fo x"])
    #expect(try GGUFVocabulary(path: Fixtures.path("TextEncoders/t5.gguf")) == nil)
  }

  @Test(arguments: [
    (-200, 15), (-128, 15), (-91, 15), (-64, 14), (-16, 10), (-11, 8), (-8, 8), (-7, 7), (-1, 1), (0, 0), (1, 17),
    (7, 23), (8, 24), (16, 26), (64, 30), (128, 31),
  ])
  func `distances have the buckets of T5`(distance: Int, bucket: Int) {
    #expect(T5Configuration().bucket(distance) == bucket)
  }

  @Test func `an id that the table lacks is refused`() throws {
    try withFolder("t5") { path in
      let archive = try #require(try TextEncoderArchive.open(path: path).first)
      let compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 1)
      let encoder = try #require(archive.t5(compute))
      #expect(throws: (any Error).self) { _ = try encoder.encode([[80]]) }
    }
  }

  @Test func `the memory of one layer is not the memory of all`() {
    #expect(Qwen3Configuration().parameterCount > 4_000_000_000)
    #expect(T5Configuration().parameterCount > 4_700_000_000)
  }
}
