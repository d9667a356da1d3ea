import Tensors
import Weights

/// The modulation of a Flux.1 transformer's blocks, which depends on the noise level, the guidance scale and the pooled text.
final class Flux1Modulation {
  /// The changes for one evaluation.
  struct Rows {
    /// The changes of image and text in each double block.
    let double: [(image: StreamChanges, text: StreamChanges)]
    /// The change of each single block.
    let single: [ModulatedChange]
    /// The change before the last layer.
    let last: ModulatedChange
  }

  private let width: Int
  private let time: RowEmbedding
  private let guidance: RowEmbedding?
  private let text: RowEmbedding
  private let double: [(image: RowLinear, text: RowLinear)]
  private let single: [RowLinear]
  private let last: RowScaleShift
  private let memory = ModulationMemory<ModulationKey, Rows>(capacity: 32)

  /// Creates the layers, whose weights stay in the file.
  init(_ w: WeightScope, _ configuration: Flux1Configuration) {
    let width = configuration.width
    self.width = width
    var names: [String] = []
    func layer(_ name: String, _ inputs: Int, _ outputs: Int) -> RowLinear {
      names += ["\(name).weight", "\(name).bias"]
      return RowLinear(w[name], inputs: inputs, outputs: outputs, hasBias: true)
    }
    func embedder(_ name: String, _ inputs: Int) -> RowEmbedding {
      RowEmbedding(
        first: layer("time_text_embed.\(name).linear_1", inputs, width),
        second: layer("time_text_embed.\(name).linear_2", width, width))
    }
    time = embedder("timestep_embedder", Flux1Configuration.timeWidth)
    guidance = configuration.hasGuidance ? embedder("guidance_embedder", Flux1Configuration.timeWidth) : nil
    text = embedder("text_embedder", configuration.pooledWidth)
    double = (0..<configuration.doubleBlocks).map { block in
      (
        layer("transformer_blocks.\(block).norm1.linear", width, 6 * width),
        layer("transformer_blocks.\(block).norm1_context.linear", width, 6 * width)
      )
    }
    single = (0..<configuration.singleBlocks).map {
      layer("single_transformer_blocks.\($0).norm.linear", width, 3 * width)
    }
    last = RowScaleShift(
      scale: layer("norm_out.scale", width, width), shift: layer("norm_out.shift", width, width))
    w.register(memory, for: names)
  }

  /// Names evaluations to come.
  func expect(_ calls: [ExpectedCall<Flux1Context>], guidance: Float) {
    memory.expect(calls.map { key($0.timestep, guidance: guidance, $0.context) })
  }

  /// The changes of an evaluation.
  ///
  /// - Parameters:
  ///   - timestep: 1000 times the noise level.
  ///   - guidance: The guidance; ignored by networks that do not read it.
  ///   - context: The prompt, of which the encoding of the text as a whole is read.
  ///   - compute: The threads.
  /// - Returns: The changes of all blocks.
  /// - Throws: `WeightError`, and what the machine's interruption throws.
  func rows(_ timestep: Float, guidance: Float, _ context: Flux1Context, _ compute: Compute) throws -> Rows {
    try memory.value(for: key(timestep, guidance: guidance, context)) { try rows($0, compute) }
  }

  private func key(_ timestep: Float, guidance scale: Float, _ context: Flux1Context) -> ModulationKey {
    ModulationKey(
      timestep: timestep, guidance: guidance == nil ? 0 : scale, pooled: context.pooled, context: context.identity)
  }

  private func rows(_ keys: [ModulationKey], _ compute: Compute) throws -> [Rows] {
    func waves(_ numbers: [Float]) -> [[Float]] {
      numbers.map { SinusoidalEmbedding.waves($0, count: Flux1Configuration.timeWidth) }
    }
    var vectors = try time.forward(waves(keys.map(\.timestep)), compute)
    if let guidance { vectors = sums(vectors, try guidance.forward(waves(keys.map { 1000 * $0.guidance }), compute)) }
    vectors = silu(sums(vectors, try text.forward(keys.map(\.pooled), compute)))
    func changes(_ layer: RowLinear) throws -> [StreamChanges] {
      try layer.forward(vectors, compute).map { StreamChanges($0, width: width) }
    }
    let images = try double.map { try changes($0.image) }
    let texts = try double.map { try changes($0.text) }
    let singles = try single.map { try $0.forward(vectors, compute).map { ModulatedChange($0, 0, width: width) } }
    let ends = try last.forward(vectors, compute)
    return keys.indices.map { key in
      Rows(
        double: zip(images, texts).map { ($0[key], $1[key]) }, single: singles.map { $0[key] },
        last: ends[key])
    }
  }
}
