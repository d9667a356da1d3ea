import Tensors
import Weights

/// The sizes of a CodeFormer.
struct CodeFormerConfiguration: FaceConfiguration {
  static let groups = 32
  static let epsilon: Float = 1e-6
  /// The number of positions of a face; each gets a code: 16 in each of 16 rows.
  static let tokens = 256
  /// The sides of the image at the encoder's resolutions.
  private static let sides = [512, 256, 128, 64, 32, 16]

  /// One block of the encoder or the generator.
  struct Block: Hashable, Sendable {
    enum Kind { case convolution, residual, attention, resampling, norm }

    var kind: Kind
    var inputs: Int
    var outputs: Int
    /// The approximate side of the image in the block.
    var side: Int

    /// On small images, Winograd's algorithm is not worth its larger weights.
    func packing(_ compute: Compute) -> Compute { side >= 64 ? compute : compute.with(.small) }
  }

  /// A point where the encoder's features adjust those of the generator.
  struct Fusion: Hashable, Sendable {
    /// The side of the image at that point.
    var side: Int
    var encoderBlock: Int
    var generatorBlock: Int
    var channels: Int
  }

  /// Channels at each of the encoder's resolutions.
  var widths: [Int]
  /// Channels of a code.
  var embedding: Int
  /// The number of codes to choose from.
  var codes: Int
  /// Channels of the transformer.
  var width: Int
  /// Channels inside the transformer's layers.
  var inner: Int
  /// The number of layers of the transformer.
  var layers: Int

  init(_ w: WeightScope) throws(WeightError) {
    widths = []
    for index in [1, 4, 7, 10, 13, 16] { widths.append(try w.size("encoder.blocks.\(index).conv1.weight")) }
    embedding = try w.size("quantize.embedding.weight", 1)
    codes = try w.size("quantize.embedding.weight")
    width = try w.size("position_emb", 1)
    inner = try w.size("ft_layers.0.linear1.weight")
    layers = w["ft_layers"].count(having: "linear1.weight")
    guard widths.allSatisfy({ $0.isMultiple(of: Self.groups) }), width.isMultiple(of: 8) else {
      throw .configuration(
        path: w.store.path, key: "channels of CodeFormer", found: "\(widths), and \(width) in its transformer",
        expected: "multiples of \(Self.groups), and of 8 in its transformer")
    }
  }

  /// The blocks of the encoder, in order.
  var encoder: [Block] {
    var list = [Block(kind: .convolution, inputs: 3, outputs: widths[0], side: 512)]
    var channels = widths[0]
    for (level, width) in widths.enumerated() {
      let side = Self.sides[level]
      for _ in 0..<2 {
        list.append(Block(kind: .residual, inputs: channels, outputs: width, side: side))
        channels = width
        if side == 16 { list.append(Block(kind: .attention, inputs: width, outputs: width, side: side)) }
      }
      if side > 16 { list.append(Block(kind: .resampling, inputs: width, outputs: width, side: side)) }
    }
    return list + Self.middle(channels) + Self.end(channels, embedding, side: 16)
  }

  /// The blocks of the generator, in order.
  var generator: [Block] {
    var channels = widths[widths.count - 1]
    var list = [Block(kind: .convolution, inputs: embedding, outputs: channels, side: 16)] + Self.middle(channels)
    for (level, width) in widths.enumerated().reversed() {
      let side = Self.sides[level]
      for _ in 0..<2 {
        list.append(Block(kind: .residual, inputs: channels, outputs: width, side: side))
        channels = width
        if side == 16 { list.append(Block(kind: .attention, inputs: width, outputs: width, side: side)) }
      }
      if side < 512 { list.append(Block(kind: .resampling, inputs: width, outputs: width, side: 2 * side)) }
    }
    return list + Self.end(channels, 3, side: 512)
  }

  private static func middle(_ channels: Int) -> [Block] {
    [Block.Kind.residual, .attention, .residual].map {
      Block(kind: $0, inputs: channels, outputs: channels, side: 16)
    }
  }

  private static func end(_ channels: Int, _ outputs: Int, side: Int) -> [Block] {
    [
      Block(kind: .norm, inputs: channels, outputs: channels, side: side),
      Block(kind: .convolution, inputs: channels, outputs: outputs, side: side),
    ]
  }

  /// From the smallest image to the largest.
  var fusions: [Fusion] {
    [
      Fusion(side: 32, encoderBlock: 14, generatorBlock: 9, channels: widths[4]),
      Fusion(side: 64, encoderBlock: 11, generatorBlock: 12, channels: widths[3]),
      Fusion(side: 128, encoderBlock: 8, generatorBlock: 15, channels: widths[2]),
      Fusion(side: 256, encoderBlock: 5, generatorBlock: 18, channels: widths[1]),
    ]
  }

  var sizes: [(name: String, values: [Int])] {
    [
      ("channels", widths), ("codes", [codes]), ("code_width", [embedding]), ("hidden_size", [width]),
      ("num_hidden_layers", [layers]),
    ]
  }

  func network(_ w: WeightScope, compute: Compute) throws -> FaceNetwork {
    .restorer(try CodeFormer(w, configuration: self, compute: compute))
  }

  var expectedTensors: [ExpectedTensor] {
    var list = FaceTensorList()
    func residual(_ name: String, _ inputs: Int, _ outputs: Int) {
      list.norm("\(name).norm1", inputs)
      list.convolution("\(name).conv1", inputs, outputs)
      list.norm("\(name).norm2", outputs)
      list.convolution("\(name).conv2", outputs, outputs)
      if inputs != outputs { list.convolution("\(name).conv_out", inputs, outputs, kernel: 1) }
    }
    for (part, blocks) in [("encoder", encoder), ("generator", generator)] {
      for (index, block) in blocks.enumerated() {
        let name = "\(part).blocks.\(index)"
        switch block.kind {
        case .convolution: list.convolution(name, block.inputs, block.outputs)
        case .residual: residual(name, block.inputs, block.outputs)
        case .attention:
          list.norm("\(name).norm", block.inputs)
          for part in ["q", "k", "v", "proj_out"] {
            list.convolution("\(name).\(part)", block.inputs, block.inputs, kernel: 1)
          }
        case .resampling: list.convolution("\(name).conv", block.inputs, block.outputs)
        case .norm: list.norm(name, block.inputs)
        }
      }
    }
    list.add("position_emb", Self.tokens, width)
    list.linear("feat_emb", embedding, width)
    for layer in 0..<layers {
      let name = "ft_layers.\(layer)"
      list.add("\(name).self_attn.in_proj_weight", 3 * width, width)
      list.add("\(name).self_attn.in_proj_bias", 3 * width)
      list.linear("\(name).self_attn.out_proj", width, width)
      list.linear("\(name).linear1", width, inner)
      list.linear("\(name).linear2", inner, width)
      list.norm("\(name).norm1", width)
      list.norm("\(name).norm2", width)
    }
    list.norm("idx_pred_layer.0", width)
    list.linear("idx_pred_layer.1", width, codes, hasBias: false)
    list.add("quantize.embedding.weight", codes, embedding)
    for fusion in fusions {
      let name = "fuse_convs_dict.\(fusion.side)"
      residual("\(name).encode_enc", 2 * fusion.channels, fusion.channels)
      for part in ["scale", "shift"] {
        list.convolution("\(name).\(part).0", fusion.channels, fusion.channels)
        list.convolution("\(name).\(part).2", fusion.channels, fusion.channels)
      }
    }
    return list.tensors
  }
}
