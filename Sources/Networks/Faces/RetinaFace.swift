import Foundation
import Tensors
import Weights

/// Finds faces and five points in each: Deng et al. 2019, "RetinaFace", arXiv:1905.00641, based on a ResNet-50 (He et al. 2015,
/// arXiv:1512.03385).
public final class RetinaFace {
  /// The network's output for each position where a face may be, in the order of levels, rows, columns and sizes.
  public struct Output {
    /// Two offsets and two logarithms of sizes for each position.
    public var boxes: [Float] = []
    /// The probability of a face at each position.
    public var scores: [Float] = []
    /// Five pairs of offsets for each position.
    public var landmarks: [Float] = []
  }

  private let stem: FaceConvolution
  private let stages: [[Bottleneck]]
  private let outputs: [FaceConvolution]
  private let merges: [FaceConvolution]
  private let contexts: [ContextModule]
  private let heads: [(classes: FaceConvolution, boxes: FaceConvolution, landmarks: FaceConvolution)]
  private let slope: Float
  private let compute: Compute

  init(_ w: WeightScope, configuration: RetinaFaceConfiguration, compute: Compute) throws {
    let compute = compute.with(.fp32)
    self.compute = compute
    let features = configuration.features
    slope = features > 64 ? 0 : 0.1
    stem = try FaceConvolution(
      w["body.conv1"], inputs: 3, outputs: configuration.stem, kernel: 7, step: 2, hasBias: false,
      norm: .init(w["body.bn1"]), digits: .plain, compute: compute)
    var inputs = configuration.stem
    stages = try configuration.stages.enumerated().map { index, stage in
      try (0..<stage.blocks).map { block in
        defer { inputs = stage.outputs }
        return try Bottleneck(
          w["body.layer\(index + 1).\(block)"], inputs: inputs, planes: stage.planes, outputs: stage.outputs,
          step: block == 0 && index > 0 ? 2 : 1, hasShortcut: block == 0, compute: compute)
      }
    }
    func convolution(_ name: String, _ inputs: Int, kernel: Int) throws -> FaceConvolution {
      try FaceConvolution(
        w["fpn.\(name).0"], inputs: inputs, outputs: features, kernel: kernel, hasBias: false,
        norm: .init(w["fpn.\(name).1"]), digits: .plain, compute: compute)
    }
    outputs = try (0..<3).map {
      try convolution("output\($0 + 1)", configuration.stages[$0 + 1].outputs, kernel: 1)
    }
    merges = try [
      convolution("merge1", features, kernel: 3), convolution("merge2", features, kernel: 3),
    ]
    contexts = try (0..<3).map {
      try ContextModule(w["ssh\($0 + 1)"], channels: features, compute: compute)
    }
    heads = try (0..<3).map { level in
      func head(_ name: String, _ numbers: Int) throws -> FaceConvolution {
        try FaceConvolution(
          w["\(name).\(level).conv1x1"], inputs: features, outputs: 2 * numbers, kernel: 1,
          compute: compute)
      }
      return (try head("ClassHead", 2), try head("BboxHead", 4), try head("LandmarkHead", 10))
    }
  }

  /// Searches an image for faces.
  ///
  /// - Parameter image: `[1, height, width, 3]` in fp32: blue, green and red from 0 to 255, minus their means.
  /// - Returns: The output at levels of 1/8, 1/16 and 1/32 of the size, sides rounded up.
  public func forward(_ image: Tensor) -> Output {
    var x = compute.maxPooled(
      compute.leakyReLU(stem.forward(compute.windows(image, side: 7), compute), slope: 0))
    var levels: [Tensor] = []
    for (index, stage) in stages.enumerated() {
      for block in stage { x = block.forward(x, compute) }
      if index > 0 { levels.append(x) }
    }
    levels = (0..<3).map { compute.leakyReLU(outputs[$0].forward(levels[$0], compute), slope: slope) }
    for level in [1, 0] {
      let (fine, coarse) = (levels[level], levels[level + 1])
      let sum = compute.add(
        fine, compute.resizedNearest(coarse, height: fine.height, width: fine.width, border: 0))
      levels[level] = compute.leakyReLU(merges[level].forward(sum, compute), slope: slope)
    }
    var output = Output()
    for level in 0..<3 {
      let features = contexts[level].forward(levels[level], slope: slope, compute)
      let classes = heads[level].classes.forward(features, compute).values
      for i in stride(from: 0, to: classes.count, by: 2) {
        // A softmax over two values.
        let largest = max(classes[i], classes[i + 1])
        let (no, yes) = (exp(classes[i] - largest), exp(classes[i + 1] - largest))
        output.scores.append(yes / (no + yes))
      }
      output.boxes += heads[level].boxes.forward(features, compute).values
      output.landmarks += heads[level].landmarks.forward(features, compute).values
    }
    return output
  }
}

/// Three convolutions with a shortcut around them.
private final class Bottleneck {
  private let first: FaceConvolution
  private let second: FaceConvolution
  private let third: FaceConvolution
  private let shortcut: FaceConvolution?

  init(
    _ w: WeightScope, inputs: Int, planes: Int, outputs: Int, step: Int, hasShortcut: Bool, compute: Compute
  ) throws {
    func convolution(_ number: Int, _ inputs: Int, _ outputs: Int, kernel: Int, step: Int = 1) throws -> FaceConvolution
    {
      try FaceConvolution(
        w["conv\(number)"], inputs: inputs, outputs: outputs, kernel: kernel, step: step, hasBias: false,
        norm: .init(w["bn\(number)"]), digits: .plain, compute: compute)
    }
    first = try convolution(1, inputs, planes, kernel: 1)
    second = try convolution(2, planes, planes, kernel: 3, step: step)
    third = try convolution(3, planes, outputs, kernel: 1)
    shortcut =
      hasShortcut
      ? try FaceConvolution(
        w["downsample.0"], inputs: inputs, outputs: outputs, kernel: 1, step: step, hasBias: false,
        norm: .init(w["downsample.1"]), digits: .plain, compute: compute) : nil
  }

  func forward(_ x: Tensor, _ compute: Compute) -> Tensor {
    let inner = second.forward(compute.leakyReLU(first.forward(x, compute), slope: 0, border: 1), compute)
    let past = shortcut?.forward(x, compute) ?? x
    return compute.leakyReLU(third.forward(compute.leakyReLU(inner, slope: 0), residual: past, compute), slope: 0)
  }
}

/// Three views of a level, with different widths, side by side: Najibi et al. 2017, "SSH", arXiv:1708.03979.
private final class ContextModule {
  private let narrow: FaceConvolution
  private let shared: FaceConvolution
  private let middle: FaceConvolution
  private let wide1: FaceConvolution
  private let wide2: FaceConvolution

  init(_ w: WeightScope, channels: Int, compute: Compute) throws {
    func convolution(_ name: String, _ inputs: Int, _ outputs: Int) throws -> FaceConvolution {
      try FaceConvolution(
        w["\(name).0"], inputs: inputs, outputs: outputs, hasBias: false, norm: .init(w["\(name).1"]), digits: .plain,
        compute: compute)
    }
    narrow = try convolution("conv3X3", channels, channels / 2)
    shared = try convolution("conv5X5_1", channels, channels / 4)
    middle = try convolution("conv5X5_2", channels / 4, channels / 4)
    wide1 = try convolution("conv7X7_2", channels / 4, channels / 4)
    wide2 = try convolution("conv7x7_3", channels / 4, channels / 4)
  }

  func forward(_ x: Tensor, slope: Float, _ compute: Compute) -> Tensor {
    let bordered = compute.bordered(x)
    let a = narrow.forward(bordered, compute)
    let half = compute.leakyReLU(shared.forward(bordered, compute), slope: slope, border: 1)
    let b = middle.forward(half, compute)
    let c = wide2.forward(compute.leakyReLU(wide1.forward(half, compute), slope: slope, border: 1), compute)
    return compute.leakyReLU(compute.concatenatedChannels(compute.concatenatedChannels(a, b), c), slope: 0)
  }
}

/// The sizes of a RetinaFace.
struct RetinaFaceConfiguration: FaceConfiguration {
  struct Stage: Hashable, Sendable {
    /// Channels inside a block.
    var planes: Int
    /// Channels after a block.
    var outputs: Int
    var blocks: Int
  }

  /// Channels after the first convolution.
  var stem: Int
  /// The four stages of the ResNet.
  var stages: [Stage]
  /// Channels of the levels.
  var features: Int

  init(_ w: WeightScope) throws(WeightError) {
    stem = try w.size("body.conv1.weight")
    stages = []
    for stage in 1...4 {
      let layer = w["body.layer\(stage)"]
      stages.append(
        Stage(
          planes: try layer.size("0.conv1.weight"), outputs: try layer.size("0.conv3.weight"),
          blocks: layer.count(having: "conv1.weight")))
    }
    features = try w.size("fpn.output1.0.weight")
    guard features.isMultiple(of: 4) else {
      throw .configuration(
        path: w.store.path, key: "channels of the detector's levels", found: "\(features)", expected: "a multiple of 4")
    }
  }

  var sizes: [(name: String, values: [Int])] {
    [("stage_channels", stages.map(\.outputs)), ("stage_blocks", stages.map(\.blocks)), ("level_channels", [features])]
  }

  func network(_ w: WeightScope, compute: Compute) throws -> FaceNetwork {
    .detector(try RetinaFace(w, configuration: self, compute: compute))
  }

  var expectedTensors: [ExpectedTensor] {
    var list = FaceTensorList()
    list.convolution("body.conv1", 3, stem, kernel: 7, hasBias: false)
    list.batchNorm("body.bn1", stem)
    var inputs = stem
    for (index, stage) in stages.enumerated() {
      for block in 0..<stage.blocks {
        let name = "body.layer\(index + 1).\(block)"
        let shapes = [(inputs, stage.planes, 1), (stage.planes, stage.planes, 3), (stage.planes, stage.outputs, 1)]
        for (number, shape) in shapes.enumerated() {
          list.convolution("\(name).conv\(number + 1)", shape.0, shape.1, kernel: shape.2, hasBias: false)
          list.batchNorm("\(name).bn\(number + 1)", shape.1)
        }
        if block == 0 {
          list.convolution("\(name).downsample.0", inputs, stage.outputs, kernel: 1, hasBias: false)
          list.batchNorm("\(name).downsample.1", stage.outputs)
        }
        inputs = stage.outputs
      }
    }
    func normed(_ name: String, _ inputs: Int, _ outputs: Int, kernel: Int = 3) {
      list.convolution("\(name).0", inputs, outputs, kernel: kernel, hasBias: false)
      list.batchNorm("\(name).1", outputs)
    }
    for level in 0..<3 { normed("fpn.output\(level + 1)", stages[level + 1].outputs, features, kernel: 1) }
    normed("fpn.merge1", features, features)
    normed("fpn.merge2", features, features)
    for level in 0..<3 {
      normed("ssh\(level + 1).conv3X3", features, features / 2)
      normed("ssh\(level + 1).conv5X5_1", features, features / 4)
      for name in ["conv5X5_2", "conv7X7_2", "conv7x7_3"] {
        normed("ssh\(level + 1).\(name)", features / 4, features / 4)
      }
      list.convolution("ClassHead.\(level).conv1x1", features, 4, kernel: 1)
      list.convolution("BboxHead.\(level).conv1x1", features, 8, kernel: 1)
      list.convolution("LandmarkHead.\(level).conv1x1", features, 20, kernel: 1)
    }
    return list.tensors
  }
}
