import Tensors
import Weights

/// Labels each pixel of a face with one of 19 classes: the ParseNet of Chen et al. 2021, "PSFR-GAN", arXiv:2009.08709.
public final class ParseNet {
  /// The number of classes: background, and the parts of and around a face.
  public static let classes = 19

  private let first: FaceConvolution
  private let encoder: [ParsingBlock]
  private let body: [ParsingBlock]
  private let decoder: [ParsingBlock]
  private let mask: FaceConvolution
  private let compute: Compute

  init(_ w: WeightScope, configuration: ParseNetConfiguration, compute: Compute) throws {
    let compute = compute.with(.fp32).with(ConvolutionPadding.reflected)
    self.compute = compute
    first = try FaceConvolution(
      w["encoder.0.conv2d"], inputs: 3, outputs: configuration.base, side: 512, compute: compute)
    var side = 512
    encoder = try configuration.encoder.enumerated().map { index, sizes in
      side /= 2
      return try ParsingBlock(w["encoder.\(index + 1)"], sizes, .down, side: side, compute: compute)
    }
    body = try configuration.body.enumerated().map { index, sizes in
      try ParsingBlock(w["body.\(index)"], sizes, .same, side: side, compute: compute)
    }
    decoder = try configuration.decoder.enumerated().map { index, sizes in
      side *= 2
      return try ParsingBlock(w["decoder.\(index)"], sizes, .up, side: side, compute: compute)
    }
    mask = try FaceConvolution(
      w["out_mask_conv.conv2d"], inputs: configuration.last, outputs: ParseNet.classes, side: 512,
      compute: compute)
  }

  /// Labels the pixels of a face.
  ///
  /// - Parameter face: `[1, height, width, 3]` in fp32, red first, -1 to 1; its sides are multiples of 16.
  /// - Returns: `[1, height, width, 19]`: a score for each pixel and class.
  public func forward(_ face: Tensor) -> Tensor {
    var x = encoder.reduce(first.forward(face, compute)) { $1.forward($0, compute) }
    x = compute.add(x, body.reduce(x) { $1.forward($0, compute) })
    x = decoder.reduce(x) { $1.forward($0, compute) }
    return mask.forward(x, compute)
  }
}

/// Two convolutions that halve or double the image, with a shortcut around them.
private final class ParsingBlock {
  enum Change { case down, same, up }

  private let first: FaceConvolution
  private let second: FaceConvolution
  private let shortcut: FaceConvolution?
  private let doubles: Bool

  /// Reads the weights of a block whose result has about this side.
  init(
    _ w: WeightScope, _ sizes: ParseNetConfiguration.Block, _ change: Change, side: Int, compute: Compute
  ) throws {
    doubles = change == .up
    let step = change == .down ? 2 : 1
    func convolution(_ name: String, _ inputs: Int, step: Int, isNormed: Bool) throws -> FaceConvolution {
      try FaceConvolution(
        w["\(name).conv2d"], inputs: inputs, outputs: sizes.outputs, step: step, hasBias: !isNormed,
        norm: isNormed ? .init(w["\(name).norm.norm"]) : nil, side: side, compute: compute)
    }
    first = try convolution("conv1", sizes.inputs, step: 1, isNormed: true)
    second = try convolution("conv2", sizes.outputs, step: step, isNormed: true)
    shortcut = sizes.hasShortcut ? try convolution("shortcut_func", sizes.inputs, step: step, isNormed: false) : nil
  }

  func forward(_ x: Tensor, _ compute: Compute) -> Tensor {
    let large =
      doubles ? compute.resizedNearest(x, height: 2 * x.height, width: 2 * x.width, border: 1) : compute.bordered(x)
    let past = shortcut?.forward(large, compute) ?? x
    let inner = compute.leakyReLU(first.forward(large, compute), slope: 0.2, border: 1)
    return second.forward(inner, residual: past, compute)
  }
}

/// The sizes of a ParseNet.
struct ParseNetConfiguration: FaceConfiguration {
  struct Block: Hashable, Sendable {
    var inputs: Int
    var outputs: Int
    /// Whether the shortcut is a convolution.
    var hasShortcut: Bool
  }

  /// Channels after the first convolution.
  var base: Int
  var encoder: [Block] = []
  var body: [Block] = []
  var decoder: [Block] = []

  /// Channels before the classes.
  var last: Int { decoder.last?.outputs ?? base }

  init(_ w: WeightScope) throws(WeightError) {
    base = try w.size("encoder.0.conv2d.weight")
    let mark = "conv1.conv2d.weight"
    func block(_ name: String) throws(WeightError) -> Block {
      Block(
        inputs: try w.size("\(name).\(mark)", 1), outputs: try w.size("\(name).\(mark)"),
        hasShortcut: w.contains("\(name).shortcut_func.conv2d.weight"))
    }
    let steps = (1..<32).first { !w.contains("encoder.\($0).\(mark)") } ?? 32
    for index in 1..<steps { encoder.append(try block("encoder.\(index)")) }
    for index in 0..<w["body"].count(having: mark) { body.append(try block("body.\(index)")) }
    for index in 0..<w["decoder"].count(having: mark) { decoder.append(try block("decoder.\(index)")) }
    guard encoder.count == decoder.count, (1...6).contains(encoder.count), body.allSatisfy({ $0.inputs == $0.outputs })
    else {
      throw .configuration(
        path: w.store.path, key: "blocks of the parser",
        found: "\(encoder.count) that halve, \(decoder.count) that double",
        expected: "as many that halve as double, from 1 to 6, and blocks between that keep the channels")
    }
  }

  var sizes: [(name: String, values: [Int])] {
    [
      ("channels", [base] + encoder.map(\.outputs)), ("body_blocks", [body.count]),
      ("decoder_channels", decoder.map(\.outputs)), ("classes", [ParseNet.classes]),
    ]
  }

  func network(_ w: WeightScope, compute: Compute) throws -> FaceNetwork {
    .parser(try ParseNet(w, configuration: self, compute: compute))
  }

  var expectedTensors: [ExpectedTensor] {
    var list = FaceTensorList()
    list.convolution("encoder.0.conv2d", 3, base)
    var channels = base
    func add(_ name: String, _ block: Block, changes: Bool) {
      // The channels of consecutive blocks must match.
      if changes || block.hasShortcut { list.convolution("\(name).shortcut_func.conv2d", channels, block.outputs) }
      list.convolution("\(name).conv1.conv2d", channels, block.outputs, hasBias: false)
      list.batchNorm("\(name).conv1.norm.norm", block.outputs)
      list.convolution("\(name).conv2.conv2d", block.outputs, block.outputs, hasBias: false)
      list.batchNorm("\(name).conv2.norm.norm", block.outputs)
      channels = block.outputs
    }
    for (index, block) in encoder.enumerated() { add("encoder.\(index + 1)", block, changes: true) }
    for (index, block) in body.enumerated() { add("body.\(index)", block, changes: false) }
    for (index, block) in decoder.enumerated() { add("decoder.\(index)", block, changes: true) }
    // The output for an image of the face, which is not needed.
    list.convolution("out_img_conv.conv2d", channels, 3)
    list.convolution("out_mask_conv.conv2d", channels, ParseNet.classes)
    return list.tensors
  }
}
