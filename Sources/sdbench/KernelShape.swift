import Tensors

/// The shape of a layer in a real network.
struct KernelShape {
  enum Kind {
    /// A 3x3 convolution with step 1.
    case convolution(inputs: Int, outputs: Int)
    case linear(inputs: Int, outputs: Int)
    /// A linear layer whose weights stay as a file stores them.
    case storedLinear(inputs: Int, outputs: Int, StoredWeights)
    /// Attention from every pixel to this many keys.
    case attention(heads: Int, width: Int, keys: Int)
  }

  let network: String
  let kind: Kind
  let batch: Int
  /// The width and height of the image.
  let side: Int

  var name: String {
    switch kind {
    case .convolution(let inputs, let outputs): "\(network) conv \(side)x\(side) \(inputs)->\(outputs)"
    case .linear(let inputs, let outputs): "\(network) linear \(side * side) \(inputs)->\(outputs)"
    case .storedLinear(let inputs, let outputs, let form):
      "\(network) linear \(side * side) \(inputs)->\(outputs) kept as \(form)"
    case .attention(let heads, let width, let keys):
      "\(network) attention \(heads)x\(width), \(side * side) to \(keys)"
    }
  }

  /// The multiplications and additions of the plain algorithm, even if another algorithm runs.
  var operations: Double {
    let pixels = Double(batch * side * side)
    switch kind {
    case .convolution(let inputs, let outputs): return 18 * pixels * Double(inputs * outputs)
    case .linear(let inputs, let outputs), .storedLinear(let inputs, let outputs, _):
      return 2 * pixels * Double(inputs * outputs)
    case .attention(let heads, let width, let keys): return 4 * pixels * Double(heads * width * keys)
    }
  }

  /// The same layer with fewer pixels and outputs, so that portable C takes only a moment.
  var sample: KernelShape {
    let kind: Kind =
      switch kind {
      case .convolution(let inputs, _): .convolution(inputs: inputs, outputs: 48)
      case .linear(let inputs, _): .linear(inputs: inputs, outputs: 48)
      case .storedLinear(let inputs, _, let form): .storedLinear(inputs: inputs, outputs: 48, form)
      case .attention(_, let width, let keys): .attention(heads: 1, width: width, keys: keys)
      }
    return KernelShape(network: network, kind: kind, batch: 1, side: min(side, 9))
  }

  /// Whether it is attention. In int8, portable C computes it without bytes.
  var isAttention: Bool {
    if case .attention = kind { true } else { false }
  }

  /// The algorithms to run; empty in int8 for layers that are never quantised.
  func algorithms(_ precision: Precision) -> [ConvolutionAlgorithm] {
    switch kind {
    case .convolution:
      switch precision {
      case .fp32: [.direct, .winograd2, .winograd4]
      case .bf16, .int8: [.direct, .winograd2]
      }
    case .linear, .storedLinear: [.direct]
    case .attention(_, _, let keys):
      switch precision {
      case .fp32, .bf16: [.direct]
      // Attention to a prompt stays in bf16.
      case .int8: keys < 128 ? [] : [.direct]
      }
    }
  }

  /// The algorithm that networks use.
  func chosen(_ elementType: ElementType) -> ConvolutionAlgorithm {
    guard case .convolution(let inputs, let outputs) = kind else { return .direct }
    return .of(inputs: inputs, outputs: outputs, step: 1, elementType: elementType, packing: .fast)
  }

  /// A function that runs the layer on numbers that the element type represents exactly.
  func output(
    _ algorithm: ConvolutionAlgorithm, _ compute: Compute, numbers elementType: ElementType
  ) -> () -> Tensor {
    var random = Numbers(bits: elementType == .fp32 ? 24 : 8)
    func matrix(_ inputs: Int, _ outputs: Int, _ layer: PanelMatrix.Layer) -> PanelMatrix {
      PanelMatrix(
        weights: random.take(outputs * inputs * layer.taps), bias: random.take(outputs), outputs: outputs,
        inputs: inputs, layer: layer, compute: compute)
    }
    func tensor(_ pixels: Int, _ side: Int, _ channels: Int, border: Int = 0) -> Tensor {
      let x = compute.tensor(
        batch: batch, height: pixels / side, width: side, channels: channels, elementType: .fp32)
      for (index, number) in random.take(x.count).enumerated() { x.base[index] = number }
      return compute.converted(x, border: border)
    }
    switch kind {
    case .convolution(let inputs, let outputs):
      let weights = matrix(inputs, outputs, .convolution(algorithm))
      let x = tensor(side * side, side, inputs, border: 1)
      return { compute.convolution3x3(x, weights) }
    case .linear(let inputs, let outputs):
      let weights = matrix(inputs, outputs, .linear)
      let x = tensor(side * side, side, inputs)
      return { compute.product(x, weights) }
    case .storedLinear(let inputs, let outputs, let form):
      let weights = Self.stored(form, outputs: outputs, inputs: inputs, compute) ?? matrix(inputs, outputs, .linear)
      let x = tensor(side * side, side, inputs)
      return { compute.product(x, weights) }
    case .attention(let heads, let width, let keys):
      let q = tensor(side * side, side, heads * width)
      let source = tensor(keys, keys, heads * width)
      let sources = (0..<batch).map {
        KeysValues(keys: source, values: source, image: $0, heads: heads, compute: compute)
      }
      return { compute.attention(q, sources) }
    }
  }

  /// Rows of arbitrary bytes in the form of a file, with small scales.
  private static func stored(
    _ form: StoredWeights, outputs: Int, inputs: Int, _ compute: Compute
  ) -> PanelMatrix? {
    // 2^-11 in half precision, at the offsets of the block's scales.
    let scales =
      switch form {
      case .q4_0, .q8_0: [0]
      case .q4_K, .q5_K: [0, 2]
      case .q6_K: [208]
      case .f8E4M3, .f8E5M2, .int8, .fp16, .bf16: [Int]()
      }
    return PanelMatrix(
      stored: form, factors: nil, outputs: outputs, inputs: inputs, bias: nil, layer: .linear, compute: compute
    ) { rows, destination in
      let bytes = destination.assumingMemoryBound(to: UInt8.self)
      let rowBytes = (form.rowBytes(inputs: inputs) ?? 0)
      for row in rows {
        let start = (row - rows.lowerBound) * rowBytes
        // Use small numbers in plain forms too.
        for index in 0..<rowBytes { bytes[start + index] = UInt8(truncatingIfNeeded: (row * 131 + index) * 77) & 0x2F }
        for block in stride(from: start, to: start + rowBytes, by: form.block.bytes) {
          for scale in scales {
            bytes[block + scale] = 0
            bytes[block + scale + 1] = 0x10
          }
        }
      }
    }
  }

  /// Pseudorandom numbers between -1 and 1 with this many bits.
  private struct Numbers {
    let bits: Int
    private var state: UInt64 = 0x9E37_79B9_7F4A_7C15

    init(bits: Int) { self.bits = bits }

    mutating func take(_ count: Int) -> [Float] {
      (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(Int(state >> (64 - bits)) - (1 << (bits - 1))) / Float(1 << (bits - 1))
      }
    }
  }
}

extension KernelShape {
  /// A layer of FLUX.2 klein with different numbers of tokens, packed and in the forms of files.
  private static let storedLinears: [KernelShape] = {
    var shapes: [KernelShape] = []
    for side in [8, 23, 32, 64] {
      shapes.append(
        KernelShape(network: "klein", kind: .linear(inputs: 3072, outputs: 3072), batch: 1, side: side))
      for form in [StoredWeights.q8_0, .q6_K, .q5_K, .q4_K, .q4_0, .f8E4M3] {
        let kind = Kind.storedLinear(inputs: 3072, outputs: 3072, form)
        shapes.append(KernelShape(network: "klein", kind: kind, batch: 1, side: side))
      }
    }
    return shapes
  }()

  /// The layers that take most of the time: those of SD 1.5 at 512x512 and of SDXL at 1024x1024, for both halves of a guided
  /// step, and those of the VAE decoder at 512x512.
  static let all: [KernelShape] =
    convolutions(
      "SD 1.5", batch: 2,
      [
        (64, 320, 320), (64, 960, 320), (32, 640, 640), (32, 1920, 640), (16, 1280, 1280), (16, 2560, 1280),
        (8, 1280, 1280), (8, 2560, 1280),
      ])
    + convolutions(
      "SDXL", batch: 2,
      [
        (128, 320, 320), (64, 640, 640), (64, 1920, 640), (32, 1280, 1280), (32, 2560, 1280),
      ])
    + convolutions("VAE", batch: 1, [(64, 512, 512), (256, 512, 256), (256, 256, 256), (512, 128, 128)])
    + [(64, 320, 320), (64, 320, 2560), (64, 1280, 320), (32, 2560, 640), (16, 1280, 10240)].map {
      side, inputs, outputs in
      KernelShape(network: "SD 1.5", kind: .linear(inputs: inputs, outputs: outputs), batch: 2, side: side)
    }
    + [(64, 640, 5120), (32, 1280, 10240)].map { side, inputs, outputs in
      KernelShape(network: "SDXL", kind: .linear(inputs: inputs, outputs: outputs), batch: 2, side: side)
    }
    + storedLinears
    + [(64, 8, 40, 4096), (32, 8, 80, 1024), (16, 8, 160, 256), (64, 8, 40, 77)].map { side, heads, width, keys in
      KernelShape(
        network: "SD 1.5", kind: .attention(heads: heads, width: width, keys: keys), batch: 2, side: side)
    }
    + [
      KernelShape(network: "SDXL", kind: .attention(heads: 10, width: 64, keys: 4096), batch: 2, side: 64),
      KernelShape(network: "VAE", kind: .attention(heads: 1, width: 512, keys: 4096), batch: 1, side: 64),
    ]

  private static func convolutions(
    _ network: String, batch: Int, _ shapes: [(side: Int, inputs: Int, outputs: Int)]
  ) -> [KernelShape] {
    shapes.map {
      KernelShape(
        network: network, kind: .convolution(inputs: $0.inputs, outputs: $0.outputs), batch: batch, side: $0.side)
    }
  }
}
