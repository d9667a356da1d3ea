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

  private struct Key: Hashable {
    let timestep: UInt32
    let context: ContextIdentity
  }

  private let configuration: SD3Configuration
  private let time: (RowLinear, RowLinear)
  private let text: (RowLinear, RowLinear)
  private let image: [RowLinear]
  private let context: [RowLinear]
  private let contextEnd: (scale: RowLinear, shift: RowLinear)
  private let last: (scale: RowLinear, shift: RowLinear)
  private let memory = ModulationMemory<Key, Rows>(capacity: 64)

  /// Creates the layers, whose weights stay in the file.
  init(_ w: WeightScope, _ configuration: SD3Configuration) {
    self.configuration = configuration
    let (width, layers) = (configuration.width, configuration.layers)
    var names: [String] = []
    func layer(_ name: String, _ inputs: Int, _ outputs: Int) -> RowLinear {
      names += ["\(name).weight", "\(name).bias"]
      return RowLinear(w[name], inputs: inputs, outputs: outputs, hasBias: true)
    }
    func embedder(_ name: String, _ inputs: Int) -> (RowLinear, RowLinear) {
      (
        layer("time_text_embed.\(name).linear_1", inputs, width),
        layer("time_text_embed.\(name).linear_2", width, width)
      )
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
    contextEnd = (layer("\(end).scale", width, width), layer("\(end).shift", width, width))
    last = (layer("norm_out.scale", width, width), layer("norm_out.shift", width, width))
    w.register(memory, for: names)
  }

  /// The changes for an evaluation.
  ///
  /// - Parameters:
  ///   - timestep: 1000 times the noise level.
  ///   - pooled: The pooled encoding of the text.
  ///   - identity: The identity of the context that it belongs to.
  ///   - compute: The threads to use.
  /// - Returns: The changes of all blocks.
  /// - Throws: `WeightError`.
  func rows(_ timestep: Float, pooled: [Float], of identity: ContextIdentity, _ compute: Compute) throws -> Rows {
    try memory.value(for: Key(timestep: timestep.bitPattern, context: identity)) {
      func embedded(_ layers: (RowLinear, RowLinear), _ x: [Float]) throws -> [Float] {
        try layers.1.forward(silu(try layers.0.forward(x, compute)), compute)
      }
      let width = configuration.width
      let waves = SinusoidalEmbedding.waves(timestep, count: SD3Configuration.timeWidth)
      let vector = silu(zip(try embedded(time, waves), try embedded(text, pooled)).map(+))
      func end(_ layers: (scale: RowLinear, shift: RowLinear)) throws -> ModulatedChange {
        ModulatedChange(
          scale: try layers.scale.forward(vector, compute).map { 1 + $0 },
          shift: try layers.shift.forward(vector, compute))
      }
      let texts =
        try context.map { StreamChanges(try $0.forward(vector, compute), width: width) }
        + [StreamChanges(keysAndValues: try end(contextEnd))]
      let images = try image.map { StreamChanges(try $0.forward(vector, compute), width: width) }
      return Rows(blocks: zip(images, texts).map { ($0, $1) }, last: try end(last))
    }
  }
}
