import TensorFiles

/// A summary of a file of the LoRA family.
public struct AdapterSummary: Sendable {
  /// The modules for one network of a model.
  public struct Network: Sendable {
    /// The network's name: `unet`, `text_encoder`, `text_encoder_2`, or `other` if it is unknown.
    public let name: String
    /// The number of modules of each kind, such as `LoCon` or `DoRA (LoHa)`, the most frequent kind first.
    public let kinds: [(name: String, count: Int)]
    /// The ranks that occur, in ascending order; empty if the changes have no rank.
    public let ranks: [Int]
    /// The range of alphas; nil if the file has none.
    public let alphas: ClosedRange<Float>?
    /// The tensors of the modules.
    public let tensors: [StoredTensor]

    /// The number of layers that are changed.
    public var moduleCount: Int { kinds.reduce(0) { $0 + $1.count } }
  }

  /// The networks that are changed, in the order `unet`, `text_encoder`, `text_encoder_2`, `other`.
  public let networks: [Network]
  /// The naming styles of the layers, the most frequent first.
  public let styles: [String]

  /// Summarises a file.
  public init(_ file: AdapterFile) {
    let names = Dictionary(grouping: file.modules, by: { AdapterLayerName($0.name) })
    var tensors: [String: [StoredTensor]] = [:]
    for (name, tensor) in file.tensors {
      let layer = AdapterPart.split(name)?.layer ?? name
      tensors[AdapterLayerName(layer).network, default: []].append(tensor)
    }
    networks = AdapterLayerName.networks.compactMap { network in
      let modules = names.filter { $0.key.network == network }.flatMap(\.value).map(\.module)
      return modules.isEmpty ? nil : Network(network, modules, tensors[network] ?? [])
    }
    let styles = Self.counted(file.modules.map { AdapterLayerName($0.name).style }).map(\.name)
    // Kohya's names differ between the layouts only for UNets, so its text encoders count as the single-file style.
    self.styles = styles.filter { $0 != "kohya" || !styles.contains("kohya (single file)") }
  }

  /// The names, each with its number of occurrences, the most frequent first.
  fileprivate static func counted(_ names: [String]) -> [(name: String, count: Int)] {
    Dictionary(grouping: names, by: { $0 }).map { (name: $0.key, count: $0.value.count) }.sorted {
      ($1.count, $0.name) < ($0.count, $1.name)
    }
  }
}

extension AdapterSummary.Network {
  fileprivate init(_ name: String, _ modules: [AdapterModule], _ tensors: [StoredTensor]) {
    self.name = name
    self.tensors = tensors
    kinds = AdapterSummary.counted(modules.map(\.kind))
    ranks = Set(modules.compactMap(\.rank)).sorted()
    let alphas = modules.compactMap(\.alpha)
    self.alphas = alphas.min().flatMap { least in alphas.max().map { least...$0 } }
  }
}

extension AdapterModule {
  /// The common name of this kind of change.
  var kind: String {
    let plain =
      switch change {
      case .product(let product): product.isOfConvolution ? "LoCon" : "LoRA"
      case .hadamard: "LoHa"
      case .kronecker: "LoKr"
      case .difference(let tensor): tensor.shape.count == 1 ? "norm" : "full difference"
      case .scaling: "IA3"
      case nil: "bias"
      }
    return magnitude == nil ? plain : plain == "LoRA" ? "DoRA" : "DoRA (\(plain))"
  }
}

extension AdapterProduct {
  /// Whether it changes a convolution larger than 1×1.
  fileprivate var isOfConvolution: Bool {
    core != nil || right.shape.count == 4 && right.shape[2] * right.shape[3] > 1
  }
}

/// The naming style and the network that a layer's name indicates.
private struct AdapterLayerName: Hashable {
  var style: String
  var network: String

  static let networks = AdapterPrefix.Network.allCases.map(\.rawValue) + ["other"]

  /// The beginnings of names without a prefix.
  private static let beginnings: [(text: String, network: AdapterPrefix.Network)] = [
    ("text_model.", .firstText), ("text_model_", .firstText), ("encoder.layers.", .firstText),
    ("embeddings.", .firstText), ("down_blocks.", .unet), ("mid_block.", .unet), ("up_blocks.", .unet),
    ("transformer_blocks.", .unet), ("single_transformer_blocks.", .unet), ("double_blocks.", .unet),
    ("single_blocks.", .unet), ("layers.", .unet), ("noise_refiner.", .unet), ("context_refiner.", .unet),
  ]

  init(_ layer: String) {
    guard let (prefix, rest) = AdapterPrefix.readings(of: layer).first else {
      (style, network) = ("other", "other")
      return
    }
    let beginning = Self.beginnings.first { rest.hasPrefix($0.text) }
    if prefix.text.isEmpty, beginning == nil {
      (style, network) = ("other", "other")
      return
    }
    style = prefix.style
    network = (prefix.networks.count > 1 ? beginning?.network ?? prefix.networks[0] : prefix.networks[0]).rawValue
    if style == "kohya", ["input_blocks_", "middle_block_", "output_blocks_"].contains(where: rest.hasPrefix) {
      style = "kohya (single file)"
    } else if layer.contains(AdapterPrefix.wrapper) {
      style = "PEFT"
    } else if style == "diffusers", layer.contains(".processor.") {
      style = "diffusers before 0.18"
    }
  }
}
