import Diffusion
import Networks
import Tensors
import Testing
import TestSupport
import Weights

@Suite struct ProfileTests {
  @Test func `every layer is counted under its name in the model's files, with the operations of its shape`() throws {
    let settings = EngineTests.cases[0].settings
    let engine = try Engine.forTests()
    let plain = try engine.generate(settings) { _ in }
    #expect(engine.profiler.rows.isEmpty && engine.profiler.stageSeconds.isEmpty)
    engine.profiler.isOn = true
    #expect(try engine.generate(settings) { _ in } == plain)

    let rows = engine.profiler.rows
    let archive = try ModelArchive.open(path: RandomModels.path("model.safetensors"))
    let vae = try #require(archive.vae)
    for row in rows {
      let weights = row.stage == "sampling" ? archive.unet.weights : vae.weights
      // Prompts are cached, so nothing is encoded the second time.
      #expect(["sampling", "decoding"].contains(row.stage), "\(row)")
      switch row.kind {
      case .convolution, .linear, .groupNorm, .layerNorm: #expect(weights.contains(row.layer + ".weight"), "\(row)")
      case .attention, .packing: #expect(weights.contains(row.layer + ".to_q.weight"), "\(row)")
      case .activation, .copy: #expect(!row.layer.isEmpty)
      }
      #expect(row.calls > 0 && row.seconds > 0)
      #expect((row.operations > 0) == [.convolution, .linear, .attention].contains(row.kind), "\(row)")
    }
    #expect(Set(rows.map { [$0.stage, $0.layer, $0.kind.rawValue, $0.shape] }).count == rows.count)

    let convOut = try #require(rows.first { $0.layer == "decoder.conv_out" })
    let shape = try #require(vae.weights.shape(of: "decoder.conv_out.weight"))
    let pixels = settings.width * settings.height
    #expect(convOut.calls == 1)
    #expect(convOut.operations == Double(2 * shape.reduce(1, *) * pixels))
    let size = "1x\(settings.height)x\(settings.width)x"
    #expect(convOut.shape == "\(size)\(shape[1])->\(size)\(shape[0])")
    let calls = try #require(rows.first { $0.layer == "conv_out" }).calls
    // The outputs of the first two calls are remembered as well.
    #expect(calls == settings.steps - 2)
    let attention = try #require(rows.first { $0.layer == "mid_block.attentions.0.transformer_blocks.0.attn2" })
    // Every pixel attends to each token of its prompt in two products; one prompt has one chunk of 77 tokens, the other
    // two.
    let queries = attention.shape.split(separator: "->")[0].split(separator: "x").compactMap { Double($0) }
    #expect(attention.operations == 4 * (77 + 154) / 2 * queries.reduce(1, *) * Double(attention.calls))

    // The layers' time is part of the stage's.
    for (name, seconds) in engine.profiler.stageSeconds {
      #expect(rows.filter { $0.stage == name }.reduce(0) { $0 + $1.seconds } <= seconds)
    }
  }
}
