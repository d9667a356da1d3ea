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
    let last: (scale: [Float], shift: [Float])
  }

  /// The values that the changes depend on.
  private struct Key: Hashable {
    let timestep: UInt32
    let guidance: UInt32
    let context: ContextIdentity
  }

  private let width: Int
  private let time: (RowLinear, RowLinear)
  private let guidance: (RowLinear, RowLinear)?
  private let text: (RowLinear, RowLinear)
  private let double: [(image: RowLinear, text: RowLinear)]
  private let single: [RowLinear]
  private let last: (scale: RowLinear, shift: RowLinear)
  private let memory = ModulationMemory<Key, Rows>(capacity: 32)

  /// Creates the layers, whose weights stay in the file.
  init(_ w: WeightScope, _ configuration: Flux1Configuration) {
    let width = configuration.width
    self.width = width
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
    last = (layer("norm_out.scale", width, width), layer("norm_out.shift", width, width))
    w.register(memory, for: names)
  }

  /// The changes for an evaluation.
  ///
  /// - Parameters:
  ///   - timestep: 1000 times the noise level.
  ///   - scale: The guidance scale; ignored by networks that do not take it as an input.
  ///   - pooled: The pooled encoding of the text.
  ///   - context: The identity of the context that it belongs to.
  ///   - compute: The threads to use.
  /// - Returns: The changes of all blocks.
  /// - Throws: `WeightError`.
  func rows(
    _ timestep: Float, guidance scale: Float, pooled: [Float], of context: ContextIdentity, _ compute: Compute
  ) throws -> Rows {
    let key = Key(
      timestep: timestep.bitPattern, guidance: guidance == nil ? 0 : scale.bitPattern, context: context)
    return try memory.value(for: key) {
      func embedded(_ layers: (RowLinear, RowLinear), _ x: [Float]) throws -> [Float] {
        try layers.1.forward(silu(try layers.0.forward(x, compute)), compute)
      }
      func waves(_ number: Float) -> [Float] {
        SinusoidalEmbedding.waves(number, count: Flux1Configuration.timeWidth)
      }
      var sum = try embedded(time, waves(timestep))
      if let guidance { sum = zip(sum, try embedded(guidance, waves(1000 * scale))).map(+) }
      sum = zip(sum, try embedded(text, pooled)).map(+)
      let vector = silu(sum)
      return Rows(
        double: try double.map { image, text in
          (
            StreamChanges(try image.forward(vector, compute), width: width),
            StreamChanges(try text.forward(vector, compute), width: width)
          )
        },
        single: try single.map { ModulatedChange(try $0.forward(vector, compute), 0, width: width) },
        last: (try last.scale.forward(vector, compute).map { 1 + $0 }, try last.shift.forward(vector, compute)))
    }
  }
}
