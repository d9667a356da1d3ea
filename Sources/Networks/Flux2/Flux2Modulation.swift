import Tensors
import Weights

/// The modulation of a FLUX.2 transformer's blocks, which depends on the noise level: shifts, scales and gates. All double
/// blocks share one, and so do all single blocks.
final class Flux2Modulation {
  /// The changes for a noise level.
  struct Rows {
    /// The changes of image and text in double blocks.
    let double: (image: StreamChanges, text: StreamChanges)
    /// The change of single blocks.
    let single: ModulatedChange
    /// The change before the last layer.
    let last: ModulatedChange
  }

  private let width: Int
  private let time: RowEmbedding
  private let image: RowLinear
  private let text: RowLinear
  private let single: RowLinear
  private let last: RowScaleShift
  private let memory = ModulationMemory<Float, Rows>(capacity: 256)

  /// Creates the layers, whose weights stay in the file.
  init(_ w: WeightScope, width: Int) {
    self.width = width
    var names: [String] = []
    func layer(_ name: String, _ inputs: Int, _ outputs: Int) -> RowLinear {
      names.append("\(name).weight")
      return RowLinear(w[name], inputs: inputs, outputs: outputs, hasBias: false)
    }
    let embedder = "time_guidance_embed.timestep_embedder"
    time = RowEmbedding(
      first: layer("\(embedder).linear_1", Flux2Configuration.timeWidth, width),
      second: layer("\(embedder).linear_2", width, width))
    image = layer("double_stream_modulation_img.linear", width, 6 * width)
    text = layer("double_stream_modulation_txt.linear", width, 6 * width)
    single = layer("single_stream_modulation.linear", width, 3 * width)
    last = RowScaleShift(
      scale: layer("norm_out.scale", width, width), shift: layer("norm_out.shift", width, width))
    w.register(memory, for: names)
  }

  /// Names noise levels to come, 1000 times each.
  func expect(_ timesteps: [Float]) { memory.expect(timesteps) }

  /// The changes of a noise level, which is 1000 times itself.
  ///
  /// Throws `WeightError`.
  func rows(_ timestep: Float, _ compute: Compute) throws -> Rows {
    try memory.value(for: timestep) { try rows($0, compute) }
  }

  private func rows(_ timesteps: [Float], _ compute: Compute) throws -> [Rows] {
    let waves = timesteps.map { SinusoidalEmbedding.waves($0, count: Flux2Configuration.timeWidth) }
    let vectors = silu(try time.forward(waves, compute))
    func changes(_ layer: RowLinear) throws -> [StreamChanges] {
      try layer.forward(vectors, compute).map { StreamChanges($0, width: width) }
    }
    let (images, texts) = (try changes(image), try changes(text))
    let singles = try single.forward(vectors, compute).map { ModulatedChange($0, 0, width: width) }
    let ends = try last.forward(vectors, compute)
    return timesteps.indices.map {
      Rows(double: (images[$0], texts[$0]), single: singles[$0], last: ends[$0])
    }
  }
}
