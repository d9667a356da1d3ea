import Tensors
import Weights

/// Restores a face: a transformer chooses codes, from which a generator draws the face, guided by the original one. Zhou et al.
/// 2022, "Towards Robust Blind Face Restoration with Codebook Lookup Transformer", arXiv:2206.11253. Always in fp32: a code is
/// chosen by the largest of many numbers that are often close.
public final class CodeFormer: FaceRestoringNetwork {
  private let encoder: [CodeFormerBlock]
  private let features: Linear
  private let positions: [Float]
  private let layers: [CodeLayer]
  private let codeNorm: LayerNorm
  private let codeLogits: Linear
  private let codebook: [Float]
  private let generator: [CodeFormerBlock]
  private let fusions: [Int: FusionBlock]
  private let configuration: CodeFormerConfiguration
  private let compute: Compute

  /// The side of a face, in pixels.
  public static let side = 512

  init(_ w: WeightScope, configuration: CodeFormerConfiguration, compute: Compute) throws {
    let compute = compute.with(.fp32)
    self.compute = compute
    self.configuration = configuration
    let (width, embedding) = (configuration.width, configuration.embedding)
    encoder = try configuration.encoder.enumerated().map {
      try CodeFormerBlock(w["encoder.blocks.\($0)"], $1, isEncoder: true, compute: compute)
    }
    features = try Linear(w["feat_emb"], inputs: embedding, outputs: width, compute: compute)
    positions = try w.floats("position_emb", shape: [CodeFormerConfiguration.tokens, width])
    layers = try (0..<configuration.layers).map {
      try CodeLayer(w["ft_layers.\($0)"], width: width, inner: configuration.inner, compute: compute)
    }
    codeNorm = try LayerNorm(w["idx_pred_layer.0"], channels: width)
    codeLogits = try Linear(
      w["idx_pred_layer.1"], inputs: width, outputs: configuration.codes, hasBias: false, compute: compute)
    codebook = try w.floats("quantize.embedding.weight", shape: [configuration.codes, embedding])
    generator = try configuration.generator.enumerated().map {
      try CodeFormerBlock(w["generator.blocks.\($0)"], $1, isEncoder: false, compute: compute)
    }
    var fusions: [Int: FusionBlock] = [:]
    for fusion in configuration.fusions {
      fusions[fusion.generatorBlock] = try FusionBlock(
        w["fuse_convs_dict.\(fusion.side)"], channels: fusion.channels, side: fusion.side, compute: compute)
    }
    self.fusions = fusions
  }

  /// The outputs of the network's parts for a face, for tests.
  struct Stages {
    var features: Tensor
    var codes: [Int]
    var drawn: Tensor
  }

  /// Restores a face.
  ///
  /// - Parameters:
  ///   - face: `[1, 512, 512, 3]` in fp32, red first, -1 to 1.
  ///   - weight: How much of the original face is kept: 0 for none, 1 for most.
  /// - Returns: A tensor of the same shape, about -1 to 1.
  public func forward(_ face: Tensor, weight: Float) -> Tensor { stages(face, weight: weight).drawn }

  /// Restores a face, without noise; see ``forward(_:weight:)``.
  public func restored(_ face: Tensor, weight: Float, noise: (Int) -> [Float]) -> Tensor {
    forward(face, weight: weight)
  }

  func stages(_ face: Tensor, weight: Float) -> Stages {
    precondition(face.height == Self.side && face.width == Self.side, "a face has 512 pixels a side")
    var x = face
    var kept: [Int: Tensor] = [:]
    let wanted = weight > 0 ? Set(configuration.fusions.map(\.encoderBlock)) : []
    for (index, block) in encoder.enumerated() {
      x = block.forward(x, compute)
      if wanted.contains(index) { kept[index] = x }
      // The next block has another size, so keeping this one's memory would only raise the peak.
      if block.changesSize { compute.workspace.trim() }
    }
    let features = x
    let codes = self.codes(features)
    x = compute.tensor(like: features)
    let embedding = configuration.embedding
    for (pixel, code) in codes.enumerated() {
      for c in 0..<embedding { x.base[pixel * embedding + c] = codebook[code * embedding + c] }
    }
    compute.adoptMoments(x, of: features)
    for (index, block) in generator.enumerated() {
      x = block.forward(x, compute)
      if weight > 0, let fusion = configuration.fusions.first(where: { $0.generatorBlock == index }),
        let past = kept.removeValue(forKey: fusion.encoderBlock)
      {
        fusions[index]?.apply(to: x, past, weight: weight, compute)
      }
      if block.changesSize { compute.workspace.trim() }
    }
    return Stages(features: features, codes: codes, drawn: x)
  }

  /// The most likely code at each of the 256 positions.
  private func codes(_ features: Tensor) -> [Int] {
    let tokens = compute.tensor(batch: 1, height: 1, width: features.pixels, channels: features.channels)
    tokens.base.update(from: features.base, count: features.count)
    let place = compute.tensor(batch: 1, height: 1, width: features.pixels, channels: configuration.width)
    positions.withUnsafeBufferPointer {
      if let base = $0.baseAddress { place.base.update(from: base, count: place.count) }
    }
    let embedded = layers.reduce(self.features.forward(tokens, compute)) { $1.forward($0, place, compute) }
    let logits = codeLogits.forward(codeNorm.forward(embedded, compute), compute)
    return (0..<logits.pixels).map { pixel in
      let row = logits.base + pixel * logits.channels
      var best = 0
      for code in 1..<logits.channels where row[code] > row[best] { best = code }
      return best
    }
  }
}

/// One block of the encoder or the generator.
private enum CodeFormerBlock {
  case convolution(FaceConvolution)
  case residual(CodeFormerResidual)
  case attention(GroupNorm, MultiHeadAttention)
  case halving(Downsample)
  case doubling(Upsample)
  case norm(GroupNorm)

  private static let names = AttentionNames(query: "q", key: "k", value: "v", output: "proj_out", hasInputBias: true)

  init(_ w: WeightScope, _ block: CodeFormerConfiguration.Block, isEncoder: Bool, compute: Compute) throws {
    let compute = block.packing(compute)
    let (inputs, outputs) = (block.inputs, block.outputs)
    switch block.kind {
    case .convolution:
      self = .convolution(
        try FaceConvolution(
          w, inputs: inputs, outputs: outputs, side: block.side, digits: isEncoder ? .close : .fast, compute: compute))
    case .residual:
      self = .residual(
        try CodeFormerResidual(
          w, inputs: inputs, outputs: outputs, side: block.side, digits: isEncoder ? .close : .fast, compute: compute))
    case .attention:
      self = .attention(
        try Self.norm(w["norm"], inputs),
        try MultiHeadAttention(
          w, channels: inputs, sourceChannels: inputs, heads: 1, names: Self.names, compute: compute))
    case .resampling where isEncoder:
      self = .halving(try Downsample(w, channels: inputs, padding: .after, compute: compute))
    case .resampling: self = .doubling(try Upsample(w, channels: inputs, compute: compute))
    case .norm: self = .norm(try Self.norm(w, inputs))
    }
  }

  static func norm(_ w: WeightScope, _ channels: Int) throws -> GroupNorm {
    try GroupNorm(
      w, channels: channels, groups: CodeFormerConfiguration.groups, epsilon: CodeFormerConfiguration.epsilon)
  }

  var changesSize: Bool {
    switch self {
    case .halving, .doubling: true
    case .convolution, .residual, .attention, .norm: false
    }
  }

  func forward(_ x: Tensor, _ compute: Compute) -> Tensor {
    switch self {
    case .convolution(let convolution): convolution.forward(x, compute)
    case .residual(let block): block.forward(x, compute)
    case .attention(let norm, let attention):
      attention.forward(norm.forward(x, activation: .none, border: 0, compute), residual: x, compute)
    case .halving(let layer): layer.forward(x, compute)
    case .doubling(let layer): layer.forward(x, height: 2 * x.height, width: 2 * x.width, compute)
    case .norm(let norm): norm.forward(x, activation: .none, border: 0, compute)
    }
  }
}

/// Two convolutions, each after a norm and an activation, with a shortcut around them.
private final class CodeFormerResidual {
  private let norm1: GroupNorm
  private let conv1: FaceConvolution
  private let norm2: GroupNorm
  private let conv2: FaceConvolution
  private let shortcut: FaceConvolution?

  init(_ w: WeightScope, inputs: Int, outputs: Int, side: Int, digits: FaceConvolution.Digits, compute: Compute) throws
  {
    norm1 = try CodeFormerBlock.norm(w["norm1"], inputs)
    conv1 = try FaceConvolution(
      w["conv1"], inputs: inputs, outputs: outputs, side: side, digits: digits, compute: compute)
    norm2 = try CodeFormerBlock.norm(w["norm2"], outputs)
    conv2 = try FaceConvolution(
      w["conv2"], inputs: outputs, outputs: outputs, side: side, digits: digits, compute: compute)
    shortcut =
      inputs == outputs
      ? nil
      : try FaceConvolution(
        w["conv_out"], inputs: inputs, outputs: outputs, kernel: 1, side: side, compute: compute)
  }

  func forward(_ x: Tensor, _ compute: Compute) -> Tensor {
    let inner = conv1.forward(norm1.forward(x, activation: .silu, border: 1, compute), compute)
    let past = shortcut?.forward(x, compute) ?? x
    return conv2.forward(norm2.forward(inner, activation: .silu, border: 1, compute), residual: past, compute)
  }
}

/// One layer of the transformer: attention with positions added to queries and keys, then two linear layers.
private final class CodeLayer {
  private static let heads = 8

  private let norm1: LayerNorm
  private let queriesKeys: PanelMatrix
  private let values: PanelMatrix
  private let output: Linear
  private let norm2: LayerNorm
  private let linear1: Linear
  private let linear2: Linear

  init(_ w: WeightScope, width: Int, inner: Int, compute: Compute) throws {
    norm1 = try LayerNorm(w["norm1"], channels: width)
    let attention = w["self_attn"]
    let weights = try attention.floats("in_proj_weight", shape: [3 * width, width])
    let bias = try attention.floats("in_proj_bias", shape: [3 * width])
    func matrix(_ rows: Range<Int>) -> PanelMatrix {
      PanelMatrix(
        weights: Array(weights[rows.lowerBound * width..<rows.upperBound * width]), bias: Array(bias[rows]),
        outputs: rows.count, inputs: width, layer: .linear, compute: compute)
    }
    queriesKeys = matrix(0..<2 * width)
    values = matrix(2 * width..<3 * width)
    output = try Linear(attention["out_proj"], inputs: width, outputs: width, compute: compute)
    norm2 = try LayerNorm(w["norm2"], channels: width)
    linear1 = try Linear(w["linear1"], inputs: width, outputs: inner, compute: compute)
    linear2 = try Linear(w["linear2"], inputs: inner, outputs: width, compute: compute)
  }

  func forward(_ t: Tensor, _ positions: Tensor, _ compute: Compute) -> Tensor {
    let u = norm1.forward(t, compute)
    let both = compute.product(compute.add(u, positions), queriesKeys)
    let (q, k) = (compute.channels(0..<t.channels, of: both), compute.channels(t.channels..<2 * t.channels, of: both))
    let sources = [
      KeysValues(keys: k, values: compute.product(u, values), image: 0, heads: Self.heads, compute: compute)
    ]
    let attended = output.forward(compute.attention(q, sources), residual: t, compute)
    let inner = linear1.forward(norm2.forward(attended, compute), compute)
    compute.applyGELU(inner)
    return linear2.forward(inner, residual: attended, compute)
  }
}

/// Adjusts the generator's features with the encoder's features of the same size.
private final class FusionBlock {
  private let encode: CodeFormerResidual
  private let scale: (FaceConvolution, FaceConvolution)
  private let shift: (FaceConvolution, FaceConvolution)

  init(_ w: WeightScope, channels: Int, side: Int, compute: Compute) throws {
    encode = try CodeFormerResidual(
      w["encode_enc"], inputs: 2 * channels, outputs: channels, side: side, digits: .fast, compute: compute)
    func convolution(_ name: String) throws -> FaceConvolution {
      try FaceConvolution(w[name], inputs: channels, outputs: channels, side: side, compute: compute)
    }
    scale = (try convolution("scale.0"), try convolution("scale.2"))
    shift = (try convolution("shift.0"), try convolution("shift.2"))
  }

  func apply(to x: Tensor, _ past: Tensor, weight: Float, _ compute: Compute) {
    let e = compute.bordered(encode.forward(compute.concatenatedChannels(past, x), compute))
    func two(_ convolutions: (FaceConvolution, FaceConvolution)) -> Tensor {
      convolutions.1.forward(compute.leakyReLU(convolutions.0.forward(e, compute), slope: 0.2, border: 1), compute)
    }
    compute.addModulated(x, scale: two(scale), shift: two(shift), weight: weight)
  }
}
