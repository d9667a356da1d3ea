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

/// Prompts of transformer families against transformers and the webui's rules (`Tests/Fixtures/PromptContexts`).
@Suite struct PromptContextTests {
  struct Case: Decodable, Sendable, CustomStringConvertible {
    let name: String
    let family: String
    let prompt: String
    let ids: [Int32]
    let rows: [Int]

    var description: String { name }
  }

  static let cases: [Case] = (try? Fixtures.decode(from: "PromptContexts/cases.json")) ?? []

  /// A folder as users have it: a checkpoint, and its text encoders in a folder next to it.
  private static func folder(_ encoders: [String: String]) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let manager = FileManager.default
    try manager.createDirectory(atPath: folder.path + "/models/diffusion_models", withIntermediateDirectories: true)
    try manager.createDirectory(atPath: folder.path + "/models/text_encoders", withIntermediateDirectories: true)
    try folder.write("models/diffusion_models/model.safetensors", [SyntheticTensor("x", [1])])
    for (name, file) in encoders {
      let weights = try RandomWeights(Fixtures.text("PromptContexts/\(name).weights"))
      try weights.write(to: folder.path + "/models/text_encoders/\(file)")
    }
    return folder
  }

  private static func copy(_ fixture: String, to path: String) throws {
    let url = URL(fileURLWithPath: path)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try? FileManager.default.removeItem(at: url)
    try FileManager.default.copyItem(atPath: Fixtures.path(fixture), toPath: path)
  }

  private let compute: Compute

  init() throws { compute = Compute(kernels: try Kernels.forThisMachine(), threadCount: 2) }

  private static func tokenizer() throws -> CLIPTokenizer {
    CLIPTokenizer(try Vocabulary(contentsOf: Fixtures.path("Tokenization/small/merges.txt")))
  }

  private static let all = ["clip_l": "clip_l.safetensors", "clip_g": "clip_g.safetensors", "t5": "t5xxl.safetensors"]

  private func search(_ folder: TemporaryFolder) -> PartSearch {
    PartSearch(
      model: folder.path + "/models/diffusion_models/model.safetensors", family: "a test", named: [], folders: [],
      shared: nil)
  }

  private func clip(_ need: TextEncoderNeed, _ role: ModelFamily.TextEncoder, _ search: PartSearch) throws
    -> TextEncoder
  {
    let archive = try #require(try search.encoder(need))
    var (configuration, weights) = try #require(try archive.clip(role))
    configuration.isPooledPlainly = configuration.projectionWidth == nil
    let model = PagedNetwork(
      bytes: 1 << 30, smallBytes: 0, profiler: compute.profiler, requireUnchanged: archive.requireUnchanged
    ) { [configuration, compute] in try CLIPTextModel(weights, configuration: configuration, compute: compute) }
    return TextEncoder(
      role: role, model: model, configuration: configuration, tokenizer: try Self.tokenizer(), compute: compute)
  }

  private func t5(_ search: PartSearch) throws -> T5Texts {
    let need = TextEncoderNeed.t5(number: 2, width: 224)
    let archive = try #require(try search.encoder(need))
    return T5Texts(
      tokenizer: try T5Tokenizer(contentsOf: Fixtures.path("Tokenizers/t5/tokenizer.json.gz")),
      encoder: try #require(archive.t5(compute)), requireUnchanged: archive.requireUnchanged)
  }

  private func joint(_ item: Case) throws -> JointEncoding {
    let folder = try Self.folder(Self.all)
    let search = search(folder)
    let settings = TextSettings(PassSettings())
    let texts = [(text: item.prompt, count: 1)]
    let left = try clip(.clipL, ModelFamily.clipL, search)
    if item.family == "flux" {
      let prompts = FluxPrompts<FakeNetwork>(
        clipL: left, t5: try t5(search), compute: compute
      ) { encoding, _ in FakeNetwork.Context(strength: Float(encoding.tokens.width)) }
      #expect(try prompts.chunkCount(of: item.prompt, .original) == item.ids.count)
      return try prompts.encode(texts, settings)[0]
    }
    let prompts = SD3Prompts<FakeNetwork>(
      clipL: left, clipG: try clip(.clipG, ModelFamily.clipG, search),
      t5: item.family == "sd3" ? try t5(search) : nil, width: 224, compute: compute
    ) { encoding, _ in FakeNetwork.Context(strength: Float(encoding.tokens.width)) }
    return try prompts.encode(texts, settings)[0]
  }

  private func qwen(_ item: Case) throws -> (ids: [Int32], encoding: QwenEncoding) {
    let folder = try Self.folder(["qwen3": "qwen_3_4b.safetensors"])
    try Self.copy("Tokenizers/qwen/tokenizer.json.gz", to: folder.path + "/models/text_encoders/tokenizer.json")
    let search = search(folder)
    let need = TextEncoderNeed.qwen3(width: 32)
    let archive = try #require(try search.encoder(need))
    let tokenizer = try #require(try search.qwenTokenizer(need, archive))
    try search.requireComplete()
    let prompts = QwenPrompts<FakeNetwork>(
      tokenizer: tokenizer, encoder: try #require(archive.qwen3(compute)), requireUnchanged: archive.requireUnchanged,
      reading: item.family == "klein" ? .klein : .zImage(archive), compute: compute
    ) { _, _ in FakeNetwork.Context(strength: 1) }
    let encoding = try prompts.encode([(text: item.prompt, count: 1)], TextSettings(PassSettings()))[0]
    return (prompts.tokens(item.prompt).ids, encoding)
  }

  @Test(arguments: cases)
  func `contexts agree with transformers`(item: Case) throws {
    let rows = try TensorFile(path: Fixtures.path("PromptContexts/rows.safetensors")).tensors
    func expected(_ name: String) throws -> [Float] { try #require(rows["\(item.name).\(name)"]).floats() }
    let context: Tensor
    if ["zimage", "klein"].contains(item.family) {
      let (ids, encoding) = try qwen(item)
      #expect(ids == item.ids)
      context = encoding.states
    } else {
      let encoding = try joint(item)
      context = encoding.tokens
      let pooled = try expected("pooled")
      #expect(difference(encoding.pooled, pooled) < 1e-4)
    }
    let found = item.rows.flatMap { row in
      Array(UnsafeBufferPointer(start: context.pixel(0, 0, row), count: context.channels))
    }
    #expect(difference(found, try expected("rows")) < 1e-4)
    let sums = (0..<context.width).map { row in
      Float(
        UnsafeBufferPointer(start: context.pixel(0, 0, row), count: context.channels).reduce(0.0) { $0 + Double($1) })
    }
    #expect(difference(sums, try expected("sums")) < 1e-4)
  }

  /// The largest difference, relative to the largest number.
  private func difference(_ found: [Float], _ expected: [Float]) -> Float {
    guard found.count == expected.count else { return .infinity }
    let largest = expected.reduce(1e-9) { max($0, abs($1)) }
    return zip(found, expected).reduce(0) { max($0, abs($1.0 - $1.1)) } / largest
  }

  @Test func `everything that is missing is named at once, with its usual names and the folders`() throws {
    let folder = try Self.folder(["clip_l": "clip_l.safetensors"])
    let search = search(folder)
    #expect(try search.encoder(.clipL) != nil)
    #expect(try search.encoder(.clipG) == nil)
    let need = TextEncoderNeed.t5(number: 3, width: 4096)
    #expect(try search.encoder(need) == nil)
    #expect(try search.t5Tokenizer(need, nil) == nil)
    #expect(try search.encoder(.t5(number: 3, width: 4096, isOptional: true)) == nil)
    let error = try #require(throws: MissingParts.self) { try search.requireComplete() }
    let message = "\(error)"
    for text in [
      "CLIP-G", "clip_g.safetensors", "t5xxl_fp16.safetensors", "spiece.model", "/models/text_encoders",
      "text_encoders:",
    ] {
      #expect(message.contains(text), "\(message)")
    }
    #expect(!message.contains("CLIP-L:"))
  }

  @Test func `parts that are searched in different folders are listed with theirs`() throws {
    let folder = try Self.folder([:])
    let search = search(folder)
    #expect(try search.encoder(.clipL) == nil)
    let vaes = VAESearch(model: search.model, folders: [folder.path + "/more"], channels: 16)
    let vae = MissingParts.Part(title: "the VAE", fileNames: ["ae.safetensors"], folders: vaes.searched, key: "vae:")
    let alone = "\(MissingParts(model: "m", family: "f", parts: [vae]))"
    #expect(alone.contains("\nlooked in\n") && alone.contains("/more/vae\n") && !alone.contains("text_encoders"))
    search.addMissing(vae)
    let both = "\(try #require(throws: MissingParts.self) { try search.requireComplete() })"
    let lines = both.split(separator: "\n").map(String.init)
    let (clip, found) = (
      try #require(lines.firstIndex { $0.hasPrefix("looked for CLIP-L") }),
      try #require(lines.firstIndex(of: "looked for the VAE in"))
    )
    #expect(lines[clip..<found].contains { $0.hasSuffix("/text_encoders") })
    #expect(!lines[found...].contains { $0.hasSuffix("/text_encoders") })
    #expect(lines[found...].contains { $0.hasSuffix("/more/vae") })
  }

  @Test func `an encoder of another size is named with its size`() throws {
    let folder = try Self.folder(["qwen3": "qwen_3_4b.safetensors"])
    let search = search(folder)
    #expect(try search.encoder(.qwen3(width: 2560)) == nil)
    let error = try #require(throws: MissingParts.self) { try search.requireComplete() }
    #expect("\(error)".contains("its states are 32 wide, expected 2560"))
  }

  @Test func `what a file holds is decided by its tensors`() throws {
    let folder = try Self.folder(["clip_l": "one.safetensors", "clip_g": "two.safetensors", "t5": "three.sft"])
    let search = search(folder)
    #expect(try search.encoder(.clipL)?.path.hasSuffix("one.safetensors") == true)
    #expect(try search.encoder(.clipG)?.path.hasSuffix("two.safetensors") == true)
    #expect(try search.encoder(.t5(number: 3, width: 224))?.path.hasSuffix("three.sft") == true)
  }

  @Test func `a tokenizer json is taken for the encoder whose model it has`() throws {
    let folder = try Self.folder(["qwen3": "q.safetensors", "t5": "t.safetensors"])
    let places = folder.path + "/models"
    try Self.copy("Tokenizers/t5/tokenizer.json.gz", to: places + "/text_encoders/tokenizer.json")
    try Self.copy("Tokenizers/qwen/tokenizer.json.gz", to: places + "/diffusion_models/tokenizer.json")
    try Self.copy("Tokenization/small/merges.txt", to: places + "/text_encoders/merges.txt")
    let search = search(folder)
    let (qwen, t5) = (TextEncoderNeed.qwen3(width: 32), TextEncoderNeed.t5(number: 2, width: 224))
    #expect(try search.qwenTokenizer(qwen, search.encoder(qwen))?.path.contains("diffusion_models") == true)
    #expect(try search.t5Tokenizer(t5, search.encoder(t5))?.path.contains("text_encoders") == true)
  }

  @Test func `a pair of files is Qwen's only without the ends of words that CLIP has`() throws {
    let folder = try Self.folder(["qwen3": "q.safetensors"])
    let places = folder.path + "/models"
    for name in ["merges.txt", "vocab.json"] {
      try Self.copy("Tokenization/small/\(name)", to: places + "/text_encoders/\(name)")
      try Self.copy("Tokenizers/qwen/\(name)", to: places + "/diffusion_models/\(name)")
    }
    let search = search(folder)
    let need = TextEncoderNeed.qwen3(width: 32)
    #expect(try search.qwenTokenizer(need, search.encoder(need))?.path.contains("diffusion_models") == true)
  }

  @Test func `a GGUF encoder brings its vocabulary`() throws {
    let folder = try Self.folder([:])
    try Self.copy("TextEncoders/qwen3.gguf", to: folder.path + "/models/text_encoders/qwen3.gguf")
    let search = search(folder)
    let need = TextEncoderNeed.qwen3(width: 64)
    let archive = try #require(try search.encoder(need))
    let tokenizer = try #require(try search.qwenTokenizer(need, archive))
    #expect(tokenizer.encode("fox<|im_end|>") == [257, 260])
  }

  @Test func `a named file comes first`() throws {
    let folder = try Self.folder(["t5": "a.safetensors"])
    let other = folder.path + "/other.safetensors"
    try RandomWeights(Fixtures.text("PromptContexts/t5.weights")).write(to: other)
    let search = PartSearch(
      model: folder.path + "/models/diffusion_models/model.safetensors", family: "a test", named: [other], folders: [],
      shared: nil)
    #expect(try search.encoder(.t5(number: 2, width: 224))?.path == other)
  }

  @Test func `texts that were repaired at first have another identity, all others keep theirs`() throws {
    let folder = try Self.folder(Self.all)
    let places = folder.path + "/models"
    for name in ["merges.txt", "vocab.json"] {
      try Self.copy("Tokenization/small/\(name)", to: places + "/diffusion_models/\(name)")
    }
    try Self.copy("Tokenizers/t5/tokenizer.json.gz", to: places + "/text_encoders/tokenizer.json")
    let parts = try #require(
      try JointParts(
        search(folder), VocabularyLocator(environment: [:]), clips: [.clipL, .clipG], t5: .t5(number: 3, width: 224)))
    for text in ["don’t", "ﬁne", "ＡＢＣ", "&eacute;"] { #expect(parts.textRepair(of: text) == 0, "\(text)") }
    for text in ["a red fox, don't", "zürich", "雪の狐"] { #expect(parts.textRepair(of: text) == nil, "\(text)") }
  }
}
