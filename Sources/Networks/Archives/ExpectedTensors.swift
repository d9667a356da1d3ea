import Weights

/// The sizes of a network, from which follows what tensors it has.
public protocol NetworkConfiguration: Hashable, Sendable {
  /// All tensors of the network by diffusers names, which loading is audited against.
  var expectedTensors: [ExpectedTensor] { get }
}

extension NetworkConfiguration {
  /// Numbers in all tensors.
  public var parameterCount: Int { expectedTensors.reduce(0) { $0 + $1.shape.reduce(1, *) } }
}

private struct TensorList {
  private(set) var tensors: [ExpectedTensor] = []

  mutating func convolution(_ name: String, _ inChannels: Int, _ outChannels: Int, kernel: Int = 3) {
    add("\(name).weight", outChannels, inChannels, kernel, kernel)
    add("\(name).bias", outChannels)
  }

  mutating func linear(_ name: String, _ inWidth: Int, _ outWidth: Int) {
    matrix(name, inWidth, outWidth)
    add("\(name).bias", outWidth)
  }

  /// A linear layer without bias, or a table with a row for each of `outWidth` numbers.
  mutating func matrix(_ name: String, _ inWidth: Int, _ outWidth: Int) {
    add("\(name).weight", outWidth, inWidth)
  }

  mutating func norm(_ name: String, _ channels: Int) {
    add("\(name).weight", channels)
    add("\(name).bias", channels)
  }

  mutating func resnet(_ name: String, _ inChannels: Int, _ outChannels: Int, timeWidth: Int? = nil) {
    norm("\(name).norm1", inChannels)
    convolution("\(name).conv1", inChannels, outChannels)
    if let timeWidth { linear("\(name).time_emb_proj", timeWidth, outChannels) }
    norm("\(name).norm2", outChannels)
    convolution("\(name).conv2", outChannels, outChannels)
    if inChannels != outChannels { convolution("\(name).conv_shortcut", inChannels, outChannels, kernel: 1) }
  }

  /// The middle block of both halves of a VAE.
  mutating func vaeMiddle(_ name: String, _ channels: Int, hasAttention: Bool) {
    resnet("\(name).resnets.0", channels, channels)
    if hasAttention {
      norm("\(name).attentions.0.group_norm", channels)
      for layer in ["to_q", "to_k", "to_v", "to_out.0"] {
        linear("\(name).attentions.0.\(layer)", channels, channels)
      }
    }
    resnet("\(name).resnets.1", channels, channels)
  }

  private mutating func add(_ name: String, _ shape: Int...) {
    tensors.append(ExpectedTensor(name, shape))
  }
}

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
        if hasAttention[block] { transformer("\(name).attentions.\(layer)", block: block, &list) }
      }
      if block < count - 1 { list.convolution("\(name).downsamplers.0.conv", channels, channels) }
    }

    let inner = blockOutChannels[count - 1]
    list.resnet("mid_block.resnets.0", inner, inner, timeWidth: timeEmbeddingWidth)
    transformer("mid_block.attentions.0", block: count - 1, &list)
    list.resnet("mid_block.resnets.1", inner, inner, timeWidth: timeEmbeddingWidth)

    for block in (0..<count).reversed() {
      let name = "up_blocks.\(count - 1 - block)"
      let channels = blockOutChannels[block]
      for layer in 0...layersPerBlock {
        let from = layer == 0 ? blockOutChannels[min(block + 1, count - 1)] : channels
        // Each layer also takes what a downward layer left: the last one what came into the downward block.
        let skipped = layer == layersPerBlock ? blockOutChannels[max(block - 1, 0)] : channels
        list.resnet("\(name).resnets.\(layer)", from + skipped, channels, timeWidth: timeEmbeddingWidth)
        if hasAttention[block] { transformer("\(name).attentions.\(layer)", block: block, &list) }
      }
      if block > 0 { list.convolution("\(name).upsamplers.0.conv", channels, channels) }
    }
    list.norm("conv_norm_out", blockOutChannels[0])
    list.convolution("conv_out", blockOutChannels[0], outChannels)
    return list.tensors
  }

  private func transformer(_ name: String, block: Int, _ list: inout TensorList) {
    let channels = blockOutChannels[block]
    func projection(_ name: String, _ list: inout TensorList) {
      if usesLinearProjection {
        list.linear(name, channels, channels)
      } else {
        list.convolution(name, channels, channels, kernel: 1)
      }
    }
    list.norm("\(name).norm", channels)
    projection("\(name).proj_in", &list)
    for index in 0..<transformerDepths[block] {
      let inner = "\(name).transformer_blocks.\(index)"
      for (attention, keyWidth) in [("attn1", channels), ("attn2", crossAttentionWidth)] {
        list.matrix("\(inner).\(attention).to_q", channels, channels)
        list.matrix("\(inner).\(attention).to_k", keyWidth, channels)
        list.matrix("\(inner).\(attention).to_v", keyWidth, channels)
        list.linear("\(inner).\(attention).to_out.0", channels, channels)
      }
      for norm in ["norm1", "norm2", "norm3"] { list.norm("\(inner).\(norm)", channels) }
      // GEGLU: half of the first layer's outputs gate the other half.
      list.linear("\(inner).ff.net.0.proj", channels, 8 * channels)
      list.linear("\(inner).ff.net.2", 4 * channels, channels)
    }
    projection("\(name).proj_out", &list)
  }
}

extension VAEConfiguration: NetworkConfiguration {
  /// All tensors of the decoder and of what precedes it.
  public var expectedTensors: [ExpectedTensor] {
    var list = TensorList()
    let count = blockOutChannels.count
    let inner = blockOutChannels[count - 1]
    if usesPostQuantConvolution { list.convolution("post_quant_conv", latentChannels, latentChannels, kernel: 1) }
    list.convolution("decoder.conv_in", latentChannels, inner)
    list.vaeMiddle("decoder.mid_block", inner, hasAttention: hasMiddleAttention)
    for block in (0..<count).reversed() {
      let name = "decoder.up_blocks.\(count - 1 - block)"
      let channels = blockOutChannels[block]
      for layer in 0...layersPerBlock {
        let from = layer == 0 ? blockOutChannels[min(block + 1, count - 1)] : channels
        list.resnet("\(name).resnets.\(layer)", from, channels)
      }
      if block > 0 { list.convolution("\(name).upsamplers.0.conv", channels, channels) }
    }
    list.norm("decoder.conv_norm_out", blockOutChannels[0])
    list.convolution("decoder.conv_out", blockOutChannels[0], outChannels)
    return list.tensors
  }
}

extension VAEEncoderConfiguration {
  /// All tensors of the encoder and of what follows it.
  public var expectedTensors: [ExpectedTensor] {
    var list = TensorList()
    let widths = vae.blockOutChannels
    let inner = widths[widths.count - 1]
    list.convolution("encoder.conv_in", vae.outChannels, widths[0])
    for (block, channels) in widths.enumerated() {
      let name = "encoder.down_blocks.\(block)"
      for layer in 0..<vae.layersPerBlock {
        list.resnet("\(name).resnets.\(layer)", layer == 0 ? widths[max(block - 1, 0)] : channels, channels)
      }
      if block < widths.count - 1 { list.convolution("\(name).downsamplers.0.conv", channels, channels) }
    }
    list.vaeMiddle("encoder.mid_block", inner, hasAttention: vae.hasMiddleAttention)
    list.norm("encoder.conv_norm_out", inner)
    list.convolution("encoder.conv_out", inner, 2 * vae.latentChannels)
    if vae.usesQuantConvolution {
      list.convolution("quant_conv", 2 * vae.latentChannels, 2 * vae.latentChannels, kernel: 1)
    }
    return list.tensors
  }
}

extension CLIPConfiguration: NetworkConfiguration {
  /// All tensors of the network.
  public var expectedTensors: [ExpectedTensor] {
    var list = TensorList()
    list.matrix("embeddings.token_embedding", width, vocabularySize)
    list.matrix("embeddings.position_embedding", width, positionCount)
    for layer in 0..<layerCount {
      let name = "encoder.layers.\(layer)"
      for part in ["q_proj", "k_proj", "v_proj", "out_proj"] { list.linear("\(name).self_attn.\(part)", width, width) }
      list.norm("\(name).layer_norm1", width)
      list.norm("\(name).layer_norm2", width)
      list.linear("\(name).mlp.fc1", width, mlpWidth)
      list.linear("\(name).mlp.fc2", mlpWidth, width)
    }
    list.norm("final_layer_norm", width)
    if let projectionWidth { list.matrix("text_projection", width, projectionWidth) }
    return list.tensors
  }
}
