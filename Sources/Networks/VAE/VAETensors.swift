import Weights

extension VAEConfiguration: NetworkConfiguration {
  /// All tensors of the decoder and of the layers before it.
  public var expectedTensors: [ExpectedTensor] {
    var list = TensorList()
    let count = blockOutChannels.count
    let inner = blockOutChannels[count - 1]
    if packing != nil {
      list.vector("bn.running_mean", sampledChannels)
      list.vector("bn.running_var", sampledChannels)
    }
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
  /// All tensors of the encoder and of the layers after it.
  public var expectedTensors: [ExpectedTensor] {
    var list = TensorList()
    let widths = blockOutChannels
    let inner = widths[widths.count - 1]
    if vae.packing != nil {
      list.vector("bn.running_mean", vae.sampledChannels)
      list.vector("bn.running_var", vae.sampledChannels)
    }
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

extension TensorList {
  /// The middle block of both halves of a VAE.
  fileprivate mutating func vaeMiddle(_ name: String, _ channels: Int, hasAttention: Bool) {
    resnet("\(name).resnets.0", channels, channels)
    if hasAttention {
      norm("\(name).attentions.0.group_norm", channels)
      for layer in ["to_q", "to_k", "to_v", "to_out.0"] {
        linear("\(name).attentions.0.\(layer)", channels, channels)
      }
    }
    resnet("\(name).resnets.1", channels, channels)
  }
}
