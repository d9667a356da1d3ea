import Tensors
import Weights

/// Creates the layers that the three kinds of blocks consist of.
struct UNetParts {
  let configuration: UNetConfiguration
  let compute: Compute

  func resnet(_ w: WeightScope, inputs: Int, outputs: Int) throws -> ResnetBlock {
    try ResnetBlock(
      w, inputs: inputs, outputs: outputs, timeWidth: configuration.timeEmbeddingWidth,
      groups: configuration.normGroups,
      epsilon: configuration.normEpsilon, compute: compute)
  }

  /// A transformer of a block at level `index`; level 0 has the full resolution. Nil if `depth` is 0.
  func transformer(
    _ w: WeightScope, index: Int, depth: Int, isMiddle: Bool = false
  ) throws -> SpatialTransformer? {
    guard depth > 0 else { return nil }
    return try SpatialTransformer(
      w, channels: configuration.blockOutChannels[index], contextWidth: configuration.crossAttentionWidth,
      heads: configuration.headCounts[index], depth: depth, groups: configuration.normGroups,
      attendsToTextOnly: configuration.attendsToTextOnly[index] && !isMiddle, compute: compute)
  }
}

/// ResNet blocks, most of them followed by a transformer, then half the resolution.
final class UNetDownBlock {
  private let resnets: [ResnetBlock]
  /// One for each ResNet block; nil if no transformer follows it.
  let transformers: [SpatialTransformer?]
  private let downsample: Downsample?

  init(_ w: WeightScope, index: Int, inputs: Int, isLast: Bool, parts: UNetParts) throws {
    let configuration = parts.configuration
    let outputs = configuration.blockOutChannels[index]
    let depths = configuration.downDepths[index]
    resnets = try depths.indices.map {
      try parts.resnet(w["resnets.\($0)"], inputs: $0 == 0 ? inputs : outputs, outputs: outputs)
    }
    transformers = try depths.enumerated().map {
      try parts.transformer(w["attentions.\($0)"], index: index, depth: $1)
    }
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
      if let transformer = transformers[index] {
        x = transformer.forward(x, contexts: cursor.take(for: transformer, compute), merging: cursor.merging, compute)
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

/// Two ResNet blocks with a transformer between them, at the lowest resolution. Distilled models have only a part of it, or
/// none.
final class UNetMiddleBlock {
  private let resnet0: ResnetBlock?
  let transformer: SpatialTransformer?
  private let resnet1: ResnetBlock?

  init(_ w: WeightScope, index: Int, channels: Int, parts: UNetParts) throws {
    let middle = parts.configuration.middle
    func resnet(_ name: String) throws -> ResnetBlock {
      try parts.resnet(w[name], inputs: channels, outputs: channels)
    }
    resnet0 = try middle == .none ? nil : resnet("resnets.0")
    transformer = try parts.transformer(w["attentions.0"], index: index, depth: middle.depth, isMiddle: true)
    resnet1 = try middle.depth == 0 ? nil : resnet("resnets.1")
  }

  func forward(_ x: Tensor, time: Tensor, _ cursor: inout ContextCursor, _ compute: Compute) -> Tensor {
    var x = resnet0?.forward(x, time: time, compute) ?? x
    if let transformer {
      x = transformer.forward(x, contexts: cursor.take(for: transformer, compute), merging: cursor.merging, compute)
    }
    return resnet1?.forward(x, time: time, compute) ?? x
  }
}

/// ResNet blocks that also read the feature maps from the way down, transformers, then twice the resolution.
final class UNetUpBlock {
  private let name: String
  let resnets: [ResnetBlock]
  /// One for each ResNet block; nil if no transformer follows it.
  let transformers: [SpatialTransformer?]
  private let upsample: Upsample?

  init(_ w: WeightScope, index: Int, inputs: Int, skips: [Int], isLast: Bool, parts: UNetParts) throws {
    name = w.path
    let outputs = parts.configuration.blockOutChannels[index]
    resnets = try skips.enumerated().map { position, skip in
      try parts.resnet(
        w["resnets.\(position)"], inputs: (position == 0 ? inputs : outputs) + skip, outputs: outputs)
    }
    let configuration = parts.configuration
    transformers = try configuration.upDepths[configuration.upDepths.count - 1 - index].enumerated().map {
      try parts.transformer(w["attentions.\($0)"], index: index, depth: $1)
    }
    upsample = isLast ? nil : try Upsample(w["upsamplers.0"], channels: outputs, compute: parts.compute)
  }

  /// In the last block, the first of the two layers that read the outputs of `conv_in` and of the first block's first layer.
  /// All layers from this one on are shallow.
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
      if let transformer = transformers[index] {
        x = transformer.forward(x, contexts: cursor.take(for: transformer, compute), merging: cursor.merging, compute)
      }
    }
    guard layers.upperBound == resnets.count, let upsample, let skip = skips.last else { return x }
    // The next feature map from the way down has the size to produce, because an odd size may have been halved.
    return upsample.forward(x, height: skip.height, width: skip.width, compute)
  }
}
