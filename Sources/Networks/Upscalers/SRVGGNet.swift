import Tensors
import Weights

/// Enlarges images with a sequence of convolutions at the small size and one pixel shuffle at the end; the result is added to
/// the image with repeated pixels. These are the compact networks of Real-ESRGAN, arXiv:2107.10833.
final class SRVGGNet: UpscalingNetwork {
  let multiple = 1
  let scale: Int
  private let convolutions: [Convolution2D]
  /// Slopes after each convolution except the last.
  private let slopes: [[Float]]
  private let compute: Compute

  init(_ w: WeightScope, configuration: SRVGGConfiguration, compute: Compute) throws {
    self.compute = compute
    scale = configuration.scale
    let body = w["body"]
    convolutions = try configuration.widths.enumerated().map { number, width in
      try Convolution2D(body[2 * number], inputs: width.inputs, outputs: width.outputs, compute: compute)
    }
    slopes = try configuration.widths.dropLast().enumerated().map { number, width in
      try body[2 * number + 1].tensor("weight", shape: [width.outputs]).floats()
    }
  }

  func forward(_ image: Tensor) -> Tensor {
    var x = image
    for (number, convolution) in convolutions.enumerated() {
      x = convolution.forward(compute.bordered(x), compute)
      if number < slopes.count { compute.applyLeakyReLU(x, slopes: slopes[number]) }
    }
    let large = compute.pixelShuffled(x, factor: scale)
    let repeated = compute.resizedNearest(image, height: large.height, width: large.width, border: 0)
    return compute.add(large, repeated)
  }
}

/// The sizes of an SRVGGNet.
struct SRVGGConfiguration: UpscalerConfiguration {
  struct Width: Hashable, Sendable {
    var inputs: Int
    var outputs: Int
  }

  /// Channels of each convolution.
  var widths: [Width]

  var scale: Int

  var sizes: [(name: String, values: [Int])] {
    [("scale", [scale]), ("num_feat", [widths[0].outputs]), ("num_conv", [widths.count - 2])]
  }

  /// The input of the widest convolution, with and without a border, and its output.
  var valuesPerPixel: Int { 4 * (widths.map { max($0.inputs, $0.outputs) }.max() ?? 0) }

  func network(_ w: WeightScope, compute: Compute) throws -> any UpscalingNetwork {
    try SRVGGNet(w, configuration: self, compute: compute)
  }

  init(_ file: UpscalerFile, _ names: SRVGGNetNames) throws(WeightError) {
    let layers = names.layers
    let body = file.store.root["body"]
    guard !layers.isMultiple(of: 2), (3...513).contains(layers),
      let first = body.shape(of: "0.weight"), first.count == 4, first[1] == 3,
      let last = body.shape(of: "\(layers - 1).weight"), last.count == 4,
      let scale = (1...8).first(where: { 3 * $0 * $0 == last[0] }), NetworkLimit.channels.contains(first[0])
    else {
      throw .unsupported(
        path: file.path, found: "a row of \(layers) layers that is no compact upscaler with PReLU",
        advice: "use a model such as realesr-general-x4v3")
    }
    self.scale = scale
    let inner = Array(repeating: Width(inputs: first[0], outputs: first[0]), count: layers / 2 - 1)
    widths = [Width(inputs: 3, outputs: first[0])] + inner + [Width(inputs: first[0], outputs: last[0])]
  }

  var expectedTensors: [ExpectedTensor] {
    widths.enumerated().flatMap { number, width in
      [
        ExpectedTensor("body.\(2 * number).weight", [width.outputs, width.inputs, 3, 3]),
        ExpectedTensor("body.\(2 * number).bias", [width.outputs]),
      ] + (number == widths.count - 1 ? [] : [ExpectedTensor("body.\(2 * number + 1).weight", [width.outputs])])
    }
  }
}
