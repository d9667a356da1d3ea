import Weights

/// The tensors of a network, added layer by layer under diffusers names.
struct TensorList {
  private(set) var tensors: [ExpectedTensor] = []

  mutating func convolution(_ name: String, _ inChannels: Int, _ outChannels: Int, kernel: Int = 3) {
    add("\(name).weight", outChannels, inChannels, kernel, kernel)
    add("\(name).bias", outChannels)
  }

  mutating func linear(_ name: String, _ inWidth: Int, _ outWidth: Int, hasBias: Bool = true) {
    matrix(name, inWidth, outWidth)
    if hasBias { add("\(name).bias", outWidth) }
  }

  /// A linear layer without bias, or a table with `outWidth` rows.
  mutating func matrix(_ name: String, _ inWidth: Int, _ outWidth: Int) {
    add("\(name).weight", outWidth, inWidth)
  }

  mutating func norm(_ name: String, _ channels: Int) {
    add("\(name).weight", channels)
    add("\(name).bias", channels)
  }

  /// The scale of a norm without a shift.
  mutating func scale(_ name: String, _ channels: Int) { vector("\(name).weight", channels) }

  /// A vector; `name` is the whole name.
  mutating func vector(_ name: String, _ count: Int) { add(name, count) }

  /// A tensor of any shape; `name` is the whole name.
  mutating func tensor(_ name: String, _ shape: [Int]) { tensors.append(ExpectedTensor(name, shape)) }

  /// A table; `name` is the whole name.
  mutating func table(_ name: String, _ rows: Int, _ width: Int) { add(name, rows, width) }

  mutating func resnet(_ name: String, _ inChannels: Int, _ outChannels: Int, timeWidth: Int? = nil) {
    norm("\(name).norm1", inChannels)
    convolution("\(name).conv1", inChannels, outChannels)
    if let timeWidth { linear("\(name).time_emb_proj", timeWidth, outChannels) }
    norm("\(name).norm2", outChannels)
    convolution("\(name).conv2", outChannels, outChannels)
    if inChannels != outChannels { convolution("\(name).conv_shortcut", inChannels, outChannels, kernel: 1) }
  }

  private mutating func add(_ name: String, _ shape: Int...) {
    tensors.append(ExpectedTensor(name, shape))
  }
}
