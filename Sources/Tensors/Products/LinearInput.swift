/// Activations that several linear layers read, such as those of queries, keys and values: layers in 8 bits quantise them once.
public final class LinearInput {
  /// The activations, `[batch, height, width, channels]` without a border. They must not change while layers read them.
  public let tensor: Tensor
  private var bytes: QuantizedTensor?

  /// The input of some layers.
  public init(_ tensor: Tensor) { self.tensor = tensor }

  /// The activations in 8 bits, made when the first layer asks for them.
  func quantized(_ compute: Compute) -> QuantizedTensor {
    if let bytes { return bytes }
    let made = compute.quantizedByPixel(tensor)
    bytes = made
    return made
  }
}
