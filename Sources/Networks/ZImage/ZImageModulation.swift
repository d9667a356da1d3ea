import Glibc
import Tensors
import Weights

/// The modulation of a Z-Image transformer's blocks, which depends on the noise level.
final class ZImageModulation {
  /// How a block is changed: norms are scaled by 1 + scale, and results by the tanh of their gates.
  struct Change {
    let attentionScale: [Float]
    let attentionGate: [Float]
    let feedForwardScale: [Float]
    let feedForwardGate: [Float]
  }

  /// The changes for a noise level.
  struct Rows {
    let refiner: [Change]
    let layers: [Change]
    /// The factor of the norm before the last layer.
    let last: [Float]
  }

  private let configuration: ZImageConfiguration
  private let time: RowEmbedding
  private let refiner: [RowLinear]
  private let layers: [RowLinear]
  private let last: RowLinear
  private let memory = ModulationMemory<Float, Rows>(capacity: 24)

  /// Creates the layers, whose weights stay in the file.
  init(_ w: WeightScope, _ configuration: ZImageConfiguration) {
    self.configuration = configuration
    var names: [String] = []
    func layer(_ name: String, _ inputs: Int, _ outputs: Int) -> RowLinear {
      names += ["\(name).weight", "\(name).bias"]
      return RowLinear(w[name], inputs: inputs, outputs: outputs, hasBias: true)
    }
    let (timeWidth, width) = (configuration.timeWidth, configuration.width)
    time = RowEmbedding(
      first: layer("t_embedder.mlp.0", ZImageConfiguration.waves, configuration.timeHiddenWidth),
      second: layer("t_embedder.mlp.2", configuration.timeHiddenWidth, timeWidth))
    refiner = (0..<configuration.refinerLayers).map {
      layer("noise_refiner.\($0).adaLN_modulation.0", timeWidth, 4 * width)
    }
    layers = (0..<configuration.layers).map { layer("layers.\($0).adaLN_modulation.0", timeWidth, 4 * width) }
    last = layer("all_final_layer.2-1.adaLN_modulation.1", timeWidth, width)
    w.register(memory, for: names)
  }

  /// Names noise levels to come, 1000 times each.
  func expect(_ timesteps: [Float]) { memory.expect(timesteps) }

  /// The changes of a noise level, which is given 1000 times itself. The network hears the rest up to 1.
  ///
  /// Throws `WeightError`.
  func rows(_ timestep: Float, _ compute: Compute) throws -> Rows {
    try memory.value(for: timestep) { try rows($0, compute) }
  }

  private func rows(_ timesteps: [Float], _ compute: Compute) throws -> [Rows] {
    let waves = timesteps.map {
      SinusoidalEmbedding.waves((1 - $0 / 1000) * configuration.timeScale, count: ZImageConfiguration.waves)
    }
    let vectors = try time.forward(waves, compute)
    func changes(_ layer: RowLinear) throws -> [Change] { try layer.forward(vectors, compute).map(change) }
    let (refiners, others) = (try refiner.map(changes), try layers.map(changes))
    // There is an activation before this one only.
    let last = try last.forward(silu(vectors), compute)
    return timesteps.indices.map { index in
      Rows(refiner: refiners.map { $0[index] }, layers: others.map { $0[index] }, last: last[index].map { 1 + $0 })
    }
  }

  private func change(_ rows: [Float]) -> Change {
    let width = configuration.width
    func row(_ part: Int) -> ArraySlice<Float> { rows[part * width..<(part + 1) * width] }
    return Change(
      attentionScale: row(0).map { 1 + $0 }, attentionGate: row(1).map { tanhf($0) },
      feedForwardScale: row(2).map { 1 + $0 }, feedForwardGate: row(3).map { tanhf($0) })
  }
}
