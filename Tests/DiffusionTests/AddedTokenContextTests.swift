import Foundation
import Networks
import Settings
import TensorFiles
import Tensors
import Testing
import TestSupport
import Tokenization
import Weights

@testable import Diffusion

/// Tokens that the tokenizers of a Stable Diffusion 3 or Flux.1 folder add, against transformers
/// (`Tests/Fixtures/PromptContexts/added`).
@Suite struct AddedTokenContextTests {
  struct Case: Decodable, Sendable, CustomStringConvertible {
    let name: String
    /// The vocabularies of `tokenizer` and `tokenizer_2`.
    let left: String
    let right: String
    /// The `eos_token_id` of both configurations.
    let end: Int
    let prompt: String
    let rows: [Int]

    var description: String { "\(left), \(right), \(end), \(prompt.prefix(40))" }
  }

  static let cases: [Case] = (try? Fixtures.decode(from: "PromptContexts/added/cases.json")) ?? []

  private let compute: Compute

  init() throws { compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 2) }

  /// A diffusers folder of two text encoders with their tokenizers.
  private static func folder(_ left: String, _ right: String, end: Int) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for (number, name, vocabulary) in [("", "clip_l", left), ("_2", "clip_g", right)] {
      let encoder = "model/text_encoder\(number)"
      let configuration = try Fixtures.text("PromptContexts/added/\(name).json")
      try folder.write(
        "\(encoder)/config.json",
        configuration.replacing(#/"eos_token_id": \d+/#, with: "\"eos_token_id\": \(end)"))
      try RandomWeights(Fixtures.text("PromptContexts/added/\(name).weights"))
        .write(to: folder("\(encoder)/model.safetensors"))
      try FileManager.default.copyItem(
        atPath: Fixtures.path("Tokenization/\(vocabulary)"), toPath: folder("model/tokenizer\(number)"))
    }
    return folder
  }

  private static func parts(_ folder: TemporaryFolder, _ needs: [TextEncoderNeed]) throws -> JointParts {
    let search = PartSearch(model: folder("model"), family: "a test", named: [], folders: [], shared: nil)
    let parts = try JointParts(
      search, VocabularyLocator(environment: [:]), clips: needs, t5: .t5(number: 3, width: 192, isOptional: true))
    try search.requireComplete()
    return try #require(parts)
  }

  private func prompts(_ parts: JointParts) -> SD3Prompts<FakeNetwork> {
    let encoders = parts.encoders(compute, smallBytes: 1 << 30)
    return SD3Prompts(clipL: encoders[0], clipG: encoders[1], t5: nil, width: 192, compute: compute) { encoding, _ in
      FakeNetwork.Context(strength: Float(encoding.tokens.width))
    }
  }

  @Test(arguments: cases)
  func `contexts with added tokens agree with transformers`(item: Case) throws {
    let rows = try TensorFile(path: Fixtures.path("PromptContexts/added/rows.safetensors")).tensors
    func expected(_ name: String) throws -> [Float] { try #require(rows["\(item.name).\(name)"]).floats() }
    let folder = try Self.folder(item.left, item.right, end: item.end)
    let parts = try Self.parts(folder, [.clipL, .clipG])
    try parts.check()
    #expect(parts.remarks == [])
    let prompts = prompts(parts)
    let encoding = try prompts.encode([(text: item.prompt, count: 1)], TextSettings(PassSettings()))[0]
    let length = try expected("sums").count
    #expect(try prompts.chunkCount(of: item.prompt, .original) * 77 == length)
    #expect(try parts.chunkCount(of: item.prompt, .original) * 77 == length)
    func row(_ number: Int) -> [Float] {
      Array(UnsafeBufferPointer(start: encoding.tokens.pixel(0, 0, number), count: encoding.tokens.channels))
    }
    #expect(difference(item.rows.flatMap(row), try expected("rows")) < 1e-4)
    #expect(difference((0..<length).map { Float(row($0).reduce(0) { $0 + Double($1) }) }, try expected("sums")) < 1e-4)
    #expect(difference(encoding.pooled, try expected("pooled")) < 1e-4)

    // Flux.1 reads the pooled encoding of CLIP-L alone.
    let flux = try Self.parts(folder, [.clipL]).encoders(compute, smallBytes: 1 << 30)[0]
    let chunk = try PromptChunks(item.prompt, tokenizer: flux.tokenizer, cleaning: JointParts.cleaning).chunks[0]
    let pooled = flux.forward(try flux.model.get(), chunk, clipSkip: 1) { _ in [] }.pooled?.values ?? []
    #expect(difference(pooled, try expected("flux")) < 1e-4)
  }

  /// The greatest difference, relative to the greatest number.
  private func difference(_ found: [Float], _ expected: [Float]) -> Float {
    guard found.count == expected.count else { return .infinity }
    let largest = expected.reduce(1e-9) { max($0, abs($1)) }
    return zip(found, expected).reduce(0) { max($0, abs($1.0 - $1.1)) } / largest
  }

  @Test func `identities name the added tokens that a text uses, for each tokenizer that differs`() throws {
    let both = try Self.parts(try Self.folder("added/plain", "added/plain", end: 2), [.clipL, .clipG])
    let one = try Self.parts(try Self.folder("added/plain", "small", end: 2), [.clipL, .clipG])
    let none = try Self.parts(try Self.folder("small", "small", end: 2), [.clipL, .clipG])
    #expect(both.addsTokens && one.addsTokens && !none.addsTokens)
    #expect(both.vocabulary == none.vocabulary && one.vocabulary == none.vocabulary)
    for parts in [both, one, none] { #expect(parts.addedTokenBytes(in: ["a red fish", ""]) == []) }
    let bytes = both.addedTokenBytes(in: ["a <cat-toy>"])
    #expect(!bytes.isEmpty && one.addedTokenBytes(in: ["a <cat-toy>"]) != bytes)
    #expect(none.addedTokenBytes(in: ["a <cat-toy>"]) == [])
    #expect(both.addedTokenBytes(in: ["a <bird>"]) != bytes)
  }

  @Test func `tokens for which a text encoder has no rows are reported, and read as other words`() throws {
    let folder = try Self.folder("added/plain", "added/plain", end: 2)
    let path = folder("model/tokenizer_2/added_tokens.json")
    let first = try Vocabulary(contentsOf: Fixtures.path("Tokenization/small/merges.txt")).count
    try Data(#"{"<cat-toy>": \#(first), "<late>": \#(first + 5)}"#.utf8).write(to: URL(fileURLWithPath: path))
    let parts = try Self.parts(folder, [.clipL, .clipG])
    #expect(parts.remarks.count == 1, "\(parts.remarks)")
    let remark = try #require(parts.remarks.first)
    #expect(remark.hasPrefix(folder("model/tokenizer_2/merges.txt")) && remark.contains("<late>"))
    #expect(parts.clips[1].tokenizer.encode("<late>").count > 1)
    #expect(parts.clips[1].tokenizer.encode("<cat-toy>") == [Int32(first)])
    #expect(parts.clips[0].tokenizer.encode("<bird>").count == 1)
  }
}
