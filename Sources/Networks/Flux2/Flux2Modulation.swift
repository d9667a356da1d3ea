import Tensors
import Weights

/// What the noise level changes in every block of a FLUX.2 transformer: shifts, scales and gates, which all double blocks share,
/// and so do all single blocks.
final class Flux2Modulation {
  /// How one half of a block is changed.
  struct Change {
    /// Added after the norm.
    let shift: [Float]
    /// What the norm is multiplied by: 1 + scale.
    let scale: [Float]
    /// What the result is multiplied by before it is added.
    let gate: [Float]
  }

  /// The changes of a noise level.
  struct Rows {
    /// Of the image's attention and feed-forward layer in double blocks.
    let image: (attention: Change, feedForward: Change)
    /// Of the text's.
    let text: (attention: Change, feedForward: Change)
    /// Of single blocks.
    let single: Change
    /// Before the last layer.
    let last: (scale: [Float], shift: [Float])
  }

  private let width: Int
  private let time: (RowLinear, RowLinear)
  private let image: RowLinear
  private let text: RowLinear
  private let single: RowLinear
  private let last: (scale: RowLinear, shift: RowLinear)
  private let memory = ModulationMemory<UInt32, Rows>(capacity: 256)

  /// Layers that stay in the file.
  init(_ w: WeightScope, width: Int) {
    self.width = width
    var names: [String] = []
    func layer(_ name: String, _ inputs: Int, _ outputs: Int) -> RowLinear {
      names.append("\(name).weight")
      return RowLinear(w[name], inputs: inputs, outputs: outputs, hasBias: false)
    }
    let embedder = "time_guidance_embed.timestep_embedder"
    time = (
      layer("\(embedder).linear_1", Flux2Configuration.timeWidth, width), layer("\(embedder).linear_2", width, width)
    )
    image = layer("double_stream_modulation_img.linear", width, 6 * width)
    text = layer("double_stream_modulation_txt.linear", width, 6 * width)
    single = layer("single_stream_modulation.linear", width, 3 * width)
    last = (layer("norm_out.scale", width, width), layer("norm_out.shift", width, width))
    w.register(memory, for: names)
  }

  /// The changes of a noise level, which is 1000 times itself.
  ///
  /// Throws `WeightError`.
  func rows(_ timestep: Float, _ compute: Compute) throws -> Rows {
    try memory.value(for: timestep.bitPattern) {
      let waves = SinusoidalEmbedding.waves(timestep, count: Flux2Configuration.timeWidth)
      let embedding = silu(try time.1.forward(silu(try time.0.forward(waves, compute)), compute))
      let (image, text) = (try image.forward(embedding, compute), try text.forward(embedding, compute))
      return Rows(
        image: (change(image, 0), change(image, 1)), text: (change(text, 0), change(text, 1)),
        single: change(try single.forward(embedding, compute), 0),
        last: (try last.scale.forward(embedding, compute).map { 1 + $0 }, try last.shift.forward(embedding, compute)))
    }
  }

  private func change(_ rows: [Float], _ index: Int) -> Change {
    func row(_ part: Int) -> ArraySlice<Float> {
      rows[(3 * index + part) * width..<(3 * index + part + 1) * width]
    }
    return Change(shift: Array(row(0)), scale: row(1).map { 1 + $0 }, gate: Array(row(2)))
  }
}
