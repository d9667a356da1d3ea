import Tensors
import Weights

/// The modulation of a Stable Diffusion 3 transformer's blocks, which depends on the noise level and the pooled text.
final class SD3Modulation {
  /// The changes for one evaluation.
  struct Rows {
    /// The changes of image and text in each block.
    let blocks: [(image: StreamChanges, text: StreamChanges)]
    /// The change before the last layer.
    let last: ModulatedChange
  }

  private let configuration: SD3Configuration
  private let time: RowEmbedding
  private let text: RowEmbedding
  private let image: [RowLinear]
  private let context: [RowLinear]
  private let contextEnd: RowScaleShift
  private let last: RowScaleShift
  private let memory = ModulationMemory<ModulationKey, Rows>(capacity: 64)

  /// Creates the layers, whose weights stay in the file.
  init(_ w: WeightScope, _ configuration: SD3Configuration) {
    self.configuration = configuration
    let (width, layers) = (configuration.width, configuration.layers)
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
    time = embedder("timestep_embedder", SD3Configuration.timeWidth)
    text = embedder("text_embedder", configuration.pooledWidth)
    image = (0..<layers).map { block in
      layer(
        "transformer_blocks.\(block).norm1.linear", width,
        (configuration.dualLayers.contains(block) ? 9 : 6) * width)
    }
    context = (0..<layers - 1).map { layer("transformer_blocks.\($0).norm1_context.linear", width, 6 * width) }
    let end = "transformer_blocks.\(layers - 1).norm1_context"
    contextEnd = RowScaleShift(scale: layer("\(end).scale", width, width), shift: layer("\(end).shift", width, width))
    last = RowScaleShift(
      scale: layer("norm_out.scale", width, width), shift: layer("norm_out.shift", width, width))
    w.register(memory, for: names)
  }

  /// Names evaluations to come.
  func expect(_ calls: [ExpectedCall<SD3Context>]) {
    memory.expect(calls.map { key($0.timestep, $0.context) })
  }

  /// The changes of an evaluation.
  ///
  /// - Parameters:
  ///   - timestep: 1000 times the noise level.
  ///   - context: The prompt, of which the encoding of the text as a whole is read.
  ///   - compute: The threads.
  /// - Returns: The changes of all blocks.
  /// - Throws: `WeightError`, and what the machine's interruption throws.
  func rows(_ timestep: Float, _ context: SD3Context, _ compute: Compute) throws -> Rows {
    try memory.value(for: key(timestep, context)) { try rows($0, compute) }
  }

  private func key(_ timestep: Float, _ context: SD3Context) -> ModulationKey {
    ModulationKey(timestep: timestep, guidance: 0, pooled: context.pooled, context: context.identity)
  }

  private func rows(_ keys: [ModulationKey], _ compute: Compute) throws -> [Rows] {
    let width = configuration.width
    let waves = keys.map { SinusoidalEmbedding.waves($0.timestep, count: SD3Configuration.timeWidth) }
    let vectors = silu(sums(try time.forward(waves, compute), try text.forward(keys.map(\.pooled), compute)))
    func changes(_ layer: RowLinear) throws -> [StreamChanges] {
      try layer.forward(vectors, compute).map { StreamChanges($0, width: width) }
    }
    let texts =
      try context.map(changes) + [try contextEnd.forward(vectors, compute).map { StreamChanges(keysAndValues: $0) }]
    let images = try image.map(changes)
    let last = try last.forward(vectors, compute)
    return keys.indices.map { key in
      Rows(blocks: zip(images, texts).map { ($0[key], $1[key]) }, last: last[key])
    }
  }
}
