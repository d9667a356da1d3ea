import Weights

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
