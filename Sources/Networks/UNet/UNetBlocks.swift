import Tensors
import Weights

/// Makes the layers that the three kinds of blocks are built from.
struct UNetParts {
  let configuration: UNetConfiguration
  let compute: Compute

  func resnet(_ w: WeightScope, inputs: Int, outputs: Int) throws -> ResnetBlock {
    try ResnetBlock(
      w, inputs: inputs, outputs: outputs, timeWidth: configuration.timeEmbeddingWidth,
      groups: configuration.normGroups,
      epsilon: configuration.normEpsilon, compute: compute)
  }

  /// The transformer of a block at level `index`; level 0 has the full resolution.
  func transformer(_ w: WeightScope, index: Int) throws -> SpatialTransformer {
    try SpatialTransformer(
      w, channels: configuration.blockOutChannels[index], contextWidth: configuration.crossAttentionWidth,
      heads: configuration.headCounts[index], depth: configuration.transformerDepths[index],
      groups: configuration.normGroups, compute: compute)
  }
}

/// ResNet blocks, each followed by a transformer if the level has them, then half the resolution.
final class UNetDownBlock {
  private let resnets: [ResnetBlock]
  let transformers: [SpatialTransformer]
  private let downsample: Downsample?

  init(_ w: WeightScope, index: Int, inputs: Int, isLast: Bool, parts: UNetParts) throws {
    let configuration = parts.configuration
    let outputs = configuration.blockOutChannels[index]
    resnets = try (0..<configuration.layersPerBlock).map {
      try parts.resnet(w["resnets.\($0)"], inputs: $0 == 0 ? inputs : outputs, outputs: outputs)
    }
    transformers =
      try configuration.hasAttention[index]
      ? (0..<configuration.layersPerBlock).map { try parts.transformer(w["attentions.\($0)"], index: index) } : []
    downsample = isLast ? nil : try Downsample(w["downsamplers.0"], channels: outputs, compute: parts.compute)
  }

  /// Applies the block, or only its first layers, at the full resolution.
  func forward(
    _ x: Tensor, time: Tensor, _ cursor: inout ContextCursor, skips: inout [Tensor], layers: Int? = nil,
    _ compute: Compute
  ) -> Tensor {
    var x = x
    for (index, resnet) in resnets.enumerated().prefix(layers ?? resnets.count) {
      x = resnet.forward(x, time: time, compute)
      if !transformers.isEmpty {
        x = transformers[index].forward(x, contexts: cursor.take(), merging: cursor.merging, compute)
      }
      skips.append(x)
    }
    if let downsample, layers == nil {
      x = downsample.forward(x, compute)
      skips.append(x)
    }
    return x
  }
}

/// A transformer between two ResNet blocks, at the lowest resolution.
final class UNetMiddleBlock {
  private let resnet0: ResnetBlock
  let transformer: SpatialTransformer
  private let resnet1: ResnetBlock

  init(_ w: WeightScope, index: Int, channels: Int, parts: UNetParts) throws {
    resnet0 = try parts.resnet(w["resnets.0"], inputs: channels, outputs: channels)
    transformer = try parts.transformer(w["attentions.0"], index: index)
    resnet1 = try parts.resnet(w["resnets.1"], inputs: channels, outputs: channels)
  }

  func forward(_ x: Tensor, time: Tensor, _ cursor: inout ContextCursor, _ compute: Compute) -> Tensor {
    let h = transformer.forward(
      resnet0.forward(x, time: time, compute), contexts: cursor.take(), merging: cursor.merging, compute)
    return resnet1.forward(h, time: time, compute)
  }
}

/// ResNet blocks that also read the maps of the way down, transformers, then twice the resolution.
final class UNetUpBlock {
  private let name: String
  let resnets: [ResnetBlock]
  let transformers: [SpatialTransformer]
  private let upsample: Upsample?

  init(_ w: WeightScope, index: Int, inputs: Int, skips: [Int], isLast: Bool, parts: UNetParts) throws {
    name = w.path
    let outputs = parts.configuration.blockOutChannels[index]
    resnets = try skips.enumerated().map { position, skip in
      try parts.resnet(
        w["resnets.\(position)"], inputs: (position == 0 ? inputs : outputs) + skip, outputs: outputs)
    }
    transformers =
      try parts.configuration.hasAttention[index]
      ? skips.indices.map { try parts.transformer(w["attentions.\($0)"], index: index) } : []
    upsample = isLast ? nil : try Upsample(w["upsamplers.0"], channels: outputs, compute: parts.compute)
  }

  /// In the last block, the first of the two layers that read the outputs of `conv_in` and of the first block's first layer.
  /// From here on all layers are shallow.
  var firstShallowLayer: Int { max(resnets.count - 2, 0) }

  /// Applies the block, or only some of its layers.
  func forward(
    _ x: Tensor, time: Tensor, _ cursor: inout ContextCursor, skips: inout [Tensor], layers: Range<Int>? = nil,
    _ compute: Compute
  ) -> Tensor {
    var x = x
    let layers = layers ?? resnets.indices
    for (index, resnet) in zip(layers, resnets[layers]) {
      let skip = compute.repeated(skips.removeLast(), x.batch)
      let joined = compute.measured(name, .copy, x) { compute.concatenatedChannels(x, skip) }
      x = resnet.forward(joined, time: time, compute)
      if !transformers.isEmpty {
        x = transformers[index].forward(x, contexts: cursor.take(), merging: cursor.merging, compute)
      }
    }
    guard layers.upperBound == resnets.count, let upsample, let skip = skips.last else { return x }
    // The next map of the way down has the size to join: an odd size may have been halved.
    return upsample.forward(x, height: skip.height, width: skip.width, compute)
  }
}
