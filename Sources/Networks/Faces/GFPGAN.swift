import Tensors
import Weights

/// Restores a face: a network analyses it, and tells a StyleGAN2 what to draw. Wang et al. 2021, "Towards Real-World Blind Face
/// Restoration with Generative Facial Prior", arXiv:2101.04061, in the form of versions 1.3 and 1.4.
public final class GFPGAN: FaceRestoringNetwork {
  private let first: FaceConvolution
  private let down: [ScalingBlock]
  private let bottom: FaceConvolution
  private let styles: PanelMatrix
  private let up: [ScalingBlock]
  private let scales: [(FaceConvolution, FaceConvolution)]
  private let shifts: [(FaceConvolution, FaceConvolution)]
  private let constant: [Float]
  private let firstStyle: StyleConvolution
  private let firstPicture: PictureConvolution
  private let styleConvolutions: [StyleConvolution]
  private let pictures: [PictureConvolution]
  private let configuration: GFPGANConfiguration
  private let compute: Compute

  /// The side of a face, in pixels.
  public static let side = 512

  /// The sides of the noise maps that a face is drawn with, in order.
  public static let noiseSides = [4] + (3...9).flatMap { [1 << $0, 1 << $0] }

  init(_ w: WeightScope, configuration: GFPGANConfiguration, compute: Compute) throws {
    let compute = compute.with(.fp32)
    self.compute = compute
    self.configuration = configuration
    let levels = GFPGANConfiguration.levels
    let (u, g) = (configuration.lookingWidths, configuration.drawingWidths)
    func convolution(_ name: String, _ inputs: Int, _ outputs: Int, kernel: Int = 3, side: Int) throws
      -> FaceConvolution
    {
      try FaceConvolution(w[name], inputs: inputs, outputs: outputs, kernel: kernel, side: side, compute: compute)
    }
    first = try convolution("conv_body_first", 3, u[levels], kernel: 1, side: 512)
    down = try (0..<levels).map {
      try ScalingBlock(
        w["conv_body_down.\($0)"], inputs: u[levels - $0], outputs: u[levels - $0 - 1], halves: true,
        side: 512 >> $0, compute: compute)
    }
    bottom = try convolution("final_conv", u[0], u[0], side: 4)
    // The file flattens the image as channels, rows, columns; this program as rows, columns, channels.
    let count = configuration.styleWidth * GFPGANConfiguration.styles
    let weights = try w.floats("final_linear.weight", shape: [count, 16 * u[0]])
    var ordered = weights
    for row in 0..<count {
      for pixel in 0..<16 {
        for c in 0..<u[0] { ordered[row * 16 * u[0] + pixel * u[0] + c] = weights[row * 16 * u[0] + c * 16 + pixel] }
      }
    }
    styles = PanelMatrix(
      weights: ordered, bias: try w.floats("final_linear.bias", shape: [count]), outputs: count, inputs: 16 * u[0],
      layer: .linear, compute: compute)
    up = try (0..<levels).map {
      try ScalingBlock(
        w["conv_body_up.\($0)"], inputs: u[$0], outputs: u[$0 + 1], halves: false, side: 8 << $0, compute: compute)
    }
    func condition(_ name: String) throws -> [(FaceConvolution, FaceConvolution)] {
      try (0..<levels).map {
        (
          try convolution("\(name).\($0).0", u[$0 + 1], u[$0 + 1], side: 8 << $0),
          try convolution("\(name).\($0).2", u[$0 + 1], u[$0 + 1], side: 8 << $0)
        )
      }
    }
    scales = try condition("condition_scale")
    shifts = try condition("condition_shift")
    let decoder = w["stylegan_decoder"]
    constant = try decoder.floats("constant_input.weight", shape: [1, g[0], 4, 4])
    let style = configuration.styleWidth
    firstStyle = try StyleConvolution(
      decoder["style_conv1"], inputs: g[0], outputs: g[0], style: style, side: 4, compute: compute)
    firstPicture = try PictureConvolution(decoder["to_rgb1"], inputs: g[0], style: style, compute: compute)
    styleConvolutions = try (0..<2 * levels).map {
      try StyleConvolution(
        decoder["style_convs.\($0)"], inputs: $0 % 2 == 0 ? g[$0 / 2] : g[$0 / 2 + 1], outputs: g[$0 / 2 + 1],
        style: style, side: 8 << ($0 / 2), compute: compute)
    }
    pictures = try (0..<levels).map {
      try PictureConvolution(decoder["to_rgbs.\($0)"], inputs: g[$0 + 1], style: style, compute: compute)
    }
  }

  /// Restores a face with new noise; see ``forward(_:noise:)``.
  public func restored(_ face: Tensor, weight: Float, noise: (Int) -> [Float]) -> Tensor {
    forward(face, noise: Self.noiseSides.map { noise($0 * $0) })
  }

  /// Restores a face.
  ///
  /// - Parameters:
  ///   - face: `[1, 512, 512, 3]` in fp32, red first, -1 to 1.
  ///   - noise: For each of `noiseSides`, a normally distributed number for each pixel, row by row.
  /// - Returns: A tensor of the same shape, about -1 to 1.
  public func forward(_ face: Tensor, noise: [[Float]]) -> Tensor {
    precondition(face.height == Self.side && face.width == Self.side, "a face has 512 pixels a side")
    let levels = GFPGANConfiguration.levels
    var x = compute.leakyReLU(first.forward(face, compute), slope: 0.2)
    var skips: [Tensor] = []
    for block in down {
      x = block.forward(x, compute)
      skips.append(x)
    }
    x = compute.leakyReLU(bottom.forward(x, compute), slope: 0.2)
    let flat = compute.tensor(batch: 1, height: 1, width: 1, channels: x.count)
    flat.base.update(from: x.base, count: x.count)
    let all = compute.product(flat, styles).values
    let style = (0..<GFPGANConfiguration.styles).map {
      Array(all[$0 * configuration.styleWidth..<($0 + 1) * configuration.styleWidth])
    }

    var v = compute.tensor(batch: 1, height: 4, width: 4, channels: configuration.drawingWidths[0])
    for pixel in 0..<16 {
      for c in 0..<v.channels { v.base[pixel * v.channels + c] = constant[c * 16 + pixel] }
    }
    v = firstStyle.forward(v, style[0], noise: noise[0], doubles: false, compute)
    var picture = firstPicture.forward(v, style[1], residual: nil, compute)
    for level in 0..<levels {
      let k = 2 * level + 1
      // The condition of a level is computed when it is needed, so that only one is in memory.
      x = up[level].forward(compute.add(x, skips.removeLast()), compute)
      let bordered = compute.bordered(x)
      func two(_ convolutions: (FaceConvolution, FaceConvolution)) -> Tensor {
        convolutions.1.forward(
          compute.leakyReLU(convolutions.0.forward(bordered, compute), slope: 0.2, border: 1), compute)
      }
      v = styleConvolutions[2 * level].forward(v, style[k], noise: noise[k], doubles: true, compute)
      compute.modulateLastChannels(v, scale: two(scales[level]), shift: two(shifts[level]))
      v = styleConvolutions[2 * level + 1].forward(v, style[k + 1], noise: noise[k + 1], doubles: false, compute)
      picture = pictures[level].forward(v, style[k + 2], residual: compute.doubled(picture), compute)
      // The next level has another size, so keeping this one's memory would only raise the peak.
      compute.workspace.trim()
    }
    return picture
  }
}

/// Two convolutions that halve or double the image, with a shortcut around them.
private final class ScalingBlock {
  private let conv1: FaceConvolution
  private let conv2: FaceConvolution
  private let skip: FaceConvolution
  private let halves: Bool

  init(_ w: WeightScope, inputs: Int, outputs: Int, halves: Bool, side: Int, compute: Compute) throws {
    self.halves = halves
    conv1 = try FaceConvolution(w["conv1"], inputs: inputs, outputs: inputs, side: side, compute: compute)
    conv2 = try FaceConvolution(w["conv2"], inputs: inputs, outputs: outputs, side: side, compute: compute)
    skip = try FaceConvolution(
      w["skip"], inputs: inputs, outputs: outputs, kernel: 1, hasBias: false, side: side, compute: compute)
  }

  func forward(_ x: Tensor, _ compute: Compute) -> Tensor {
    func resized(_ x: Tensor, border: Int) -> Tensor {
      halves ? compute.halved(x, border: border) : compute.doubled(x, border: border)
    }
    let inner = compute.leakyReLU(conv1.forward(x, compute), slope: 0.2)
    let outer = compute.leakyReLU(conv2.forward(resized(inner, border: 1), compute), slope: 0.2)
    return skip.forward(resized(x, border: 0), residual: outer, compute)
  }
}

/// A convolution whose weights depend on a style. Scaling its inputs and outputs instead has the same effect, and needs no new
/// weights.
private final class ModulatedConvolution {
  private let matrix: PanelMatrix
  private let modulation: PanelMatrix
  private let kernel: Int
  /// For each output and input, the sum of the squared weights between them.
  private let squares: [Float]

  init(_ w: WeightScope, inputs: Int, outputs: Int, kernel: Int, style: Int, side: Int, compute: Compute) throws {
    self.kernel = kernel
    let area = kernel * kernel
    let weights = try w.floats("weight", shape: [1, outputs, inputs, kernel, kernel])
    let algorithm = ConvolutionAlgorithm.of(
      inputs: inputs, outputs: outputs, step: 1, elementType: .fp32, packing: side >= 64 ? .fast : .small)
    matrix = PanelMatrix(
      weights: weights, bias: nil, outputs: outputs, inputs: inputs,
      layer: kernel == 3 ? .convolution(algorithm) : .linear, compute: compute)
    modulation = PanelMatrix(
      weights: try w.floats("modulation.weight", shape: [inputs, style]),
      bias: try w.floats("modulation.bias", shape: [inputs]), outputs: inputs, inputs: style, layer: .linear,
      compute: compute)
    squares = (0..<outputs * inputs).map { pair in
      (0..<area).reduce(0) { $0 + weights[pair * area + $1] * weights[pair * area + $1] }
    }
  }

  /// The factors of the inputs.
  func factors(_ style: [Float], _ compute: Compute) -> [Float] {
    let row = compute.tensor(batch: 1, height: 1, width: 1, channels: style.count)
    style.withUnsafeBufferPointer { if let base = $0.baseAddress { row.base.update(from: base, count: style.count) } }
    return compute.product(row, modulation).values
  }

  /// The factors that make the outputs of a convolution as strong as its inputs, which have the factors `factors`.
  func demodulation(_ factors: [Float]) -> [Float] {
    let inputs = factors.count
    let energies = factors.map { Double($0) * Double($0) }
    return (0..<matrix.outputs).map { output in
      var sum = 0.0
      for input in 0..<inputs { sum += energies[input] * Double(squares[output * inputs + input]) }
      return Float(1 / (sum + 1e-8).squareRoot())
    }
  }

  /// The convolution of an image whose channels are already scaled.
  func forward(_ x: Tensor, residual: Tensor? = nil, _ compute: Compute) -> Tensor {
    kernel == 3 ? compute.convolution3x3(x, matrix) : compute.product(x, matrix, residual: residual)
  }
}

/// A modulated convolution with noise, bias and activation.
private final class StyleConvolution {
  private let convolution: ModulatedConvolution
  private let strength: Float
  private let bias: [Float]

  init(_ w: WeightScope, inputs: Int, outputs: Int, style: Int, side: Int, compute: Compute) throws {
    convolution = try ModulatedConvolution(
      w["modulated_conv"], inputs: inputs, outputs: outputs, kernel: 3, style: style, side: side, compute: compute)
    strength = try w.floats("weight", shape: [1])[0]
    bias = try w.floats("bias", shape: [1, outputs, 1, 1])
  }

  func forward(_ x: Tensor, _ style: [Float], noise: [Float], doubles: Bool, _ compute: Compute) -> Tensor {
    let factors = convolution.factors(style, compute)
    let input = doubles ? compute.doubled(x, factors: factors, border: 1) : compute.scaled(x, by: factors, border: 1)
    let y = convolution.forward(input, compute)
    compute.applyStyle(
      y, factors: convolution.demodulation(factors).map { $0 * Float(2).squareRoot() }, shifts: bias, noise: noise,
      strength: strength, slope: 0.2)
    return y
  }
}

/// A modulated 1x1 convolution to red, green and blue.
private final class PictureConvolution {
  private let convolution: ModulatedConvolution
  private let bias: [Float]

  init(_ w: WeightScope, inputs: Int, style: Int, compute: Compute) throws {
    convolution = try ModulatedConvolution(
      w["modulated_conv"], inputs: inputs, outputs: 3, kernel: 1, style: style, side: 4, compute: compute)
    bias = try w.floats("bias", shape: [1, 3, 1, 1])
  }

  func forward(_ x: Tensor, _ style: [Float], residual: Tensor?, _ compute: Compute) -> Tensor {
    let y = convolution.forward(compute.scaled(x, by: convolution.factors(style, compute)), residual: residual, compute)
    for pixel in 0..<y.pixels {
      for c in 0..<3 { y.base[pixel * 3 + c] += bias[c] }
    }
    return y
  }
}

/// The sizes of a GFPGAN of version 1.3 or 1.4.
struct GFPGANConfiguration: FaceConfiguration {
  /// How many times the size doubles, from 4 pixels a side to 512.
  static let levels = 7
  /// The number of styles that a face is drawn with.
  static let styles = 2 * (levels + 1)

  /// Channels of the part that analyses the face, from 4 pixels a side to 512.
  var lookingWidths: [Int]
  /// Channels of the part that draws the face.
  var drawingWidths: [Int]
  /// Channels of a style.
  var styleWidth: Int
  /// The number of layers of the network that turns random numbers into a style; they are not needed.
  private var unusedLayers: Int

  init(_ w: WeightScope) throws(WeightError) {
    guard w.contains("conv_body_first.weight") else {
      throw .unsupported(
        path: w.store.path, found: "a GFPGAN of another form than versions 1.3 and 1.4",
        advice: "use GFPGANv1.3.pth or GFPGANv1.4.pth")
    }
    lookingWidths = []
    for level in (0..<Self.levels).reversed() {
      lookingWidths.append(try w.size("conv_body_down.\(level).conv2.weight"))
    }
    lookingWidths.append(try w.size("conv_body_first.weight"))
    let decoder = w["stylegan_decoder"]
    drawingWidths = [try decoder.size("constant_input.weight", 1)]
    for level in 0..<Self.levels {
      drawingWidths.append(try decoder.size("style_convs.\(2 * level).modulated_conv.weight", 1))
    }
    styleWidth = try decoder.size("style_conv1.modulated_conv.modulation.weight", 1)
    unusedLayers = (0..<64).first { !decoder.contains("style_mlp.\(2 * $0 + 1).weight") } ?? 64
    guard zip(lookingWidths.dropFirst(), drawingWidths.dropFirst()).allSatisfy({ $0 <= $1 }) else {
      throw .configuration(
        path: w.store.path, key: "channels of GFPGAN", found: "\(lookingWidths) and \(drawingWidths)",
        expected: "no more in the part that looks than in the part that draws")
    }
  }

  var sizes: [(name: String, values: [Int])] {
    [("unet_channels", lookingWidths), ("decoder_channels", drawingWidths), ("style_width", [styleWidth])]
  }

  func network(_ w: WeightScope, compute: Compute) throws -> FaceNetwork {
    .restorer(try GFPGAN(w, configuration: self, compute: compute))
  }

  var expectedTensors: [ExpectedTensor] {
    var list = FaceTensorList()
    let (u, g, levels) = (lookingWidths, drawingWidths, Self.levels)
    func scaling(_ name: String, _ inputs: Int, _ outputs: Int) {
      list.convolution("\(name).conv1", inputs, inputs)
      list.convolution("\(name).conv2", inputs, outputs)
      list.convolution("\(name).skip", inputs, outputs, kernel: 1, hasBias: false)
    }
    list.convolution("conv_body_first", 3, u[levels], kernel: 1)
    for level in 0..<levels { scaling("conv_body_down.\(level)", u[levels - level], u[levels - level - 1]) }
    list.convolution("final_conv", u[0], u[0])
    list.linear("final_linear", 16 * u[0], Self.styles * styleWidth)
    for level in 0..<levels {
      scaling("conv_body_up.\(level)", u[level], u[level + 1])
      // An image at each level, which is only needed for training.
      list.convolution("toRGB.\(level)", u[level + 1], 3, kernel: 1)
      for name in ["condition_scale", "condition_shift"] {
        list.convolution("\(name).\(level).0", u[level + 1], u[level + 1])
        list.convolution("\(name).\(level).2", u[level + 1], u[level + 1])
      }
    }
    let decoder = "stylegan_decoder"
    for layer in 0..<unusedLayers { list.linear("\(decoder).style_mlp.\(2 * layer + 1)", styleWidth, styleWidth) }
    list.add("\(decoder).constant_input.weight", 1, g[0], 4, 4)
    func modulated(_ name: String, _ inputs: Int, _ outputs: Int, kernel: Int) {
      list.add("\(name).modulated_conv.weight", 1, outputs, inputs, kernel, kernel)
      list.linear("\(name).modulated_conv.modulation", styleWidth, inputs)
      list.add("\(name).bias", 1, outputs, 1, 1)
      if kernel == 3 { list.add("\(name).weight", 1) }
    }
    modulated("\(decoder).style_conv1", g[0], g[0], kernel: 3)
    modulated("\(decoder).to_rgb1", g[0], 3, kernel: 1)
    for level in 0..<levels {
      modulated("\(decoder).style_convs.\(2 * level)", g[level], g[level + 1], kernel: 3)
      modulated("\(decoder).style_convs.\(2 * level + 1)", g[level + 1], g[level + 1], kernel: 3)
      modulated("\(decoder).to_rgbs.\(level)", g[level + 1], 3, kernel: 1)
    }
    // Noise maps from the training; a face is drawn with new ones.
    for (index, side) in GFPGAN.noiseSides.enumerated() {
      list.add("\(decoder).noises.noise\(index)", 1, 1, side, side)
    }
    return list.tensors
  }
}
