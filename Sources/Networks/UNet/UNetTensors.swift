import Weights

extension UNetConfiguration: NetworkConfiguration {
  /// All tensors of the network.
  public var expectedTensors: [ExpectedTensor] {
    var list = TensorList()
    let count = blockOutChannels.count
    list.linear("time_embedding.linear_1", blockOutChannels[0], timeEmbeddingWidth)
    list.linear("time_embedding.linear_2", timeEmbeddingWidth, timeEmbeddingWidth)
    if let guidanceWidth { list.matrix("time_embedding.cond_proj", guidanceWidth, blockOutChannels[0]) }
    if let vectorWidth {
      list.linear("add_embedding.linear_1", vectorWidth, timeEmbeddingWidth)
      list.linear("add_embedding.linear_2", timeEmbeddingWidth, timeEmbeddingWidth)
    }
    list.convolution("conv_in", inChannels, blockOutChannels[0])

    for block in 0..<count {
      let name = "down_blocks.\(block)"
      let channels = blockOutChannels[block]
      for layer in 0..<layersPerBlock {
        let inChannels = layer == 0 ? blockOutChannels[max(block - 1, 0)] : channels
        list.resnet("\(name).resnets.\(layer)", inChannels, channels, timeWidth: timeEmbeddingWidth)
        transformer("\(name).attentions.\(layer)", block: block, depth: downDepths[block][layer], &list)
      }
      if block < count - 1 { list.convolution("\(name).downsamplers.0.conv", channels, channels) }
    }

    let inner = blockOutChannels[count - 1]
    if middle != .none { list.resnet("mid_block.resnets.0", inner, inner, timeWidth: timeEmbeddingWidth) }
    if case .transformer(let depth) = middle {
      transformer("mid_block.attentions.0", block: count - 1, depth: depth, isMiddle: true, &list)
      list.resnet("mid_block.resnets.1", inner, inner, timeWidth: timeEmbeddingWidth)
    }

    for block in (0..<count).reversed() {
      let name = "up_blocks.\(count - 1 - block)"
      let channels = blockOutChannels[block]
      for layer in 0...layersPerBlock {
        let from = layer == 0 ? blockOutChannels[min(block + 1, count - 1)] : channels
        // Each layer also reads the output of a downward layer; the last one reads the input of the downward block.
        let skipped = layer == layersPerBlock ? blockOutChannels[max(block - 1, 0)] : channels
        list.resnet("\(name).resnets.\(layer)", from + skipped, channels, timeWidth: timeEmbeddingWidth)
        let depth = upDepths[count - 1 - block][layer]
        transformer("\(name).attentions.\(layer)", block: block, depth: depth, &list)
      }
      if block > 0 { list.convolution("\(name).upsamplers.0.conv", channels, channels) }
    }
    list.norm("conv_norm_out", blockOutChannels[0])
    list.convolution("conv_out", blockOutChannels[0], outChannels)
    return list.tensors
  }

  /// A transformer with this many blocks; nothing if it is 0.
  private func transformer(
    _ name: String, block: Int, depth: Int, isMiddle: Bool = false, _ list: inout TensorList
  ) {
    guard depth > 0 else { return }
    let channels = blockOutChannels[block]
    let ownWidth = attendsToTextOnly[block] && !isMiddle ? crossAttentionWidth : channels
    func projection(_ name: String, _ list: inout TensorList) {
      if usesLinearProjection {
        list.linear(name, channels, channels)
      } else {
        list.convolution(name, channels, channels, kernel: 1)
      }
    }
    list.norm("\(name).norm", channels)
    projection("\(name).proj_in", &list)
    for index in 0..<depth {
      let inner = "\(name).transformer_blocks.\(index)"
      for (attention, keyWidth) in [("attn1", ownWidth), ("attn2", crossAttentionWidth)] {
        list.matrix("\(inner).\(attention).to_q", channels, channels)
        list.matrix("\(inner).\(attention).to_k", keyWidth, channels)
        list.matrix("\(inner).\(attention).to_v", keyWidth, channels)
        list.linear("\(inner).\(attention).to_out.0", channels, channels)
      }
      for norm in ["norm1", "norm2", "norm3"] { list.norm("\(inner).\(norm)", channels) }
      // GEGLU: half of the first layer's outputs are gates for the other half.
      list.linear("\(inner).ff.net.0.proj", channels, 8 * channels)
      list.linear("\(inner).ff.net.2", 4 * channels, channels)
    }
    projection("\(name).proj_out", &list)
  }
}
