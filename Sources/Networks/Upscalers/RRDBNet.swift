import Tensors
import Weights

/// Enlarges images with residual in residual dense blocks: Wang et al. 2018, "ESRGAN: Enhanced Super-Resolution Generative
/// Adversarial Networks", arXiv:1809.00219; Real-ESRGAN, arXiv:2107.10833, for factors other than 4.
final class RRDBNet: UpscalingNetwork {
  let scale: Int
  let multiple: Int
  private let convFirst: Convolution2D
  private let body: [[DenseBlock]]
  private let convBody: Convolution2D
  private let up: [Convolution2D]
  private let convHR: Convolution2D
  private let convLast: Convolution2D
  private let compute: Compute

  init(_ w: WeightScope, configuration: RRDBConfiguration, compute: Compute) throws {
    self.compute = compute
    (multiple, scale) = (configuration.unshuffling, configuration.scale)
    let features = configuration.features
    func convolution(_ name: String, _ inputs: Int, _ outputs: Int) throws -> Convolution2D {
      try Convolution2D(w[name], inputs: inputs, outputs: outputs, compute: compute)
    }
    convFirst = try convolution("conv_first", configuration.inputs, features)
    body = try (0..<configuration.blocks).map { block in
      try (1...3).map {
        try DenseBlock(w["body.\(block).rdb\($0)"], configuration, compute: compute)
      }
    }
    convBody = try convolution("conv_body", features, features)
    up = try (0..<configuration.upsamplings).map { try convolution("conv_up\($0 + 1)", features, features) }
    convHR = try convolution("conv_hr", features, features)
    convLast = try convolution("conv_last", features, 3)
  }

  func forward(_ image: Tensor) -> Tensor {
    let input = multiple > 1 ? compute.pixelUnshuffled(image, factor: multiple) : image
    let first = convFirst.forward(compute.bordered(input), compute)
    var x = first
    for blocks in body {
      let inner = blocks.reduce(x) { $1.forward($0, compute) }
      x = compute.add(inner, scaledBy: 0.2, x)
    }
    x = convBody.forward(compute.bordered(x), residual: first, compute)
    for convolution in up {
      x = convolution.forward(
        compute.resizedNearest(x, height: 2 * x.height, width: 2 * x.width, border: 1), compute)
      compute.applyLeakyReLU(x, slopes: [0.2])
    }
    x = convHR.forward(compute.bordered(x), compute)
    compute.applyLeakyReLU(x, slopes: [0.2])
    return convLast.forward(compute.bordered(x), compute)
  }
}

/// Five convolutions; each reads the outputs of all earlier ones.
private final class DenseBlock {
  private let convolutions: [Convolution2D]
  /// The shortcut of ESRGAN+: Rakotonirina and Rasoanaivo 2020, arXiv:2001.08073.
  private let shortcut: Linear?

  init(_ w: WeightScope, _ configuration: RRDBConfiguration, compute: Compute) throws {
    let (features, growth) = (configuration.features, configuration.growth)
    convolutions = try (0..<5).map {
      try Convolution2D(
        w["conv\($0 + 1)"], inputs: features + $0 * growth, outputs: $0 == 4 ? features : growth, compute: compute)
    }
    shortcut =
      configuration.hasShortcuts
      ? try Linear(w["conv1x1"], inputs: features, outputs: growth, hasBias: false, compute: compute) : nil
  }

  func forward(_ x: Tensor, _ compute: Compute) -> Tensor {
    var seen = x
    var second: Tensor?
    for (number, convolution) in convolutions.dropLast().enumerated() {
      var y = convolution.forward(compute.bordered(seen), compute)
      compute.applyLeakyReLU(y, slopes: [0.2])
      // With shortcuts, the input is added to the second output, and the second output to the fourth.
      if let shortcut, number == 1 {
        y = shortcut.forward(x, residual: y, compute)
        second = y
      } else if let second, number == 3 {
        y = compute.add(y, second)
      }
      seen = compute.concatenatedChannels(seen, y)
    }
    return compute.add(convolutions[4].forward(compute.bordered(seen), compute), scaledBy: 0.2, x)
  }
}

/// The sizes of an RRDBNet.
struct RRDBConfiguration: UpscalerConfiguration {
  /// Input channels: 3 for each pixel of a square.
  var inputs: Int
  /// Channels between the blocks.
  var features: Int
  /// Channels that each convolution of a dense block adds.
  var growth: Int
  /// The number of blocks; each has three dense blocks.
  var blocks: Int
  /// How many times the size is doubled.
  var upsamplings: Int
  /// The side of the square in pixels.
  var unshuffling: Int
  /// Whether the dense blocks have the shortcuts of ESRGAN+.
  var hasShortcuts: Bool

  var scale: Int { (1 << upsamplings) / unshuffling }

  var sizes: [(name: String, values: [Int])] {
    [
      ("scale", [scale]), ("num_in_ch", [inputs]), ("num_feat", [features]), ("num_block", [blocks]),
      ("num_grow_ch", [growth]),
    ]
  }

  /// At the large size: the input of a convolution, with and without a border, and its output. At the small size: the same for
  /// the widest convolution. The larger of both counts.
  var valuesPerPixel: Int { max(4 * features * scale * scale, 4 * (features + 5 * growth)) }

  func network(_ w: WeightScope, compute: Compute) throws -> any UpscalingNetwork {
    try RRDBNet(w, configuration: self, compute: compute)
  }

  init(_ file: UpscalerFile, _ names: RRDBNetNames) throws(WeightError) {
    let root = file.store.root
    guard let first = root.shape(of: "conv_first.weight"), first.count == 4,
      let dense = root.shape(of: "body.0.rdb1.conv1.weight"), dense.count == 4
    else { throw .file(.damaged(path: file.path, reason: "the first convolutions of its upscaler are missing")) }
    (features, inputs, growth) = (first[0], first[1], dense[0])
    (blocks, upsamplings) = (names.blocks, names.upsamplings)
    hasShortcuts = root.contains("body.0.rdb1.conv1x1.weight")
    guard let unshuffling = [1, 2, 4].first(where: { 3 * $0 * $0 == first[1] }) else {
      throw .configuration(
        path: file.path, key: "channels that go into the upscaler", found: "\(first[1])",
        expected: "3, 12 or 48: red, green and blue of squares of 1, 2 or 4 pixels")
    }
    self.unshuffling = unshuffling
    guard NetworkLimit.channels.contains(features), NetworkLimit.channels.contains(growth), (1...256).contains(blocks),
      (0...4).contains(upsamplings)
    else {
      throw .configuration(
        path: file.path, key: "size of the upscaler",
        found: "\(features) channels, \(blocks) blocks, \(upsamplings) doublings",
        expected: "1 to \(NetworkLimit.channels.upperBound) channels, 1 to 256 blocks and 0 to 4 doublings")
    }
    guard 1 << upsamplings >= unshuffling else {
      throw .configuration(
        path: file.path, key: "size of the upscaler",
        found: "squares of \(unshuffling)x\(unshuffling) pixels that are doubled \(upsamplings) times",
        expected: "an image that is at least as large as the original")
    }
  }

  var expectedTensors: [ExpectedTensor] {
    var list: [ExpectedTensor] = []
    func convolution(_ name: String, _ inputs: Int, _ outputs: Int) {
      list += [ExpectedTensor("\(name).weight", [outputs, inputs, 3, 3]), ExpectedTensor("\(name).bias", [outputs])]
    }
    convolution("conv_first", inputs, features)
    for block in 0..<blocks {
      for dense in 1...3 {
        for number in 0..<5 {
          convolution(
            "body.\(block).rdb\(dense).conv\(number + 1)", features + number * growth, number == 4 ? features : growth)
        }
        if hasShortcuts { list.append(ExpectedTensor("body.\(block).rdb\(dense).conv1x1.weight", [growth, features])) }
      }
    }
    convolution("conv_body", features, features)
    for number in 0..<upsamplings { convolution("conv_up\(number + 1)", features, features) }
    convolution("conv_hr", features, features)
    convolution("conv_last", features, 3)
    return list
  }
}
