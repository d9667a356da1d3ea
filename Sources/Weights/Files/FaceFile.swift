import TensorFiles

/// The networks for face restoration, recognised by their tensors.
public enum FaceNetworkKind: String, Sendable, CaseIterable {
  /// Finds faces and five points in each: RetinaFace with a ResNet-50.
  case detector
  /// Labels each pixel of a face: ParseNet.
  case parser
  /// Restores a face with a codebook: CodeFormer.
  case codeFormer
  /// Restores a face with a StyleGAN: GFPGAN 1.3 and 1.4.
  case gfpgan

  /// The name for messages.
  public var title: String {
    switch self {
    case .detector: "RetinaFace (ResNet-50)"
    case .parser: "ParseNet"
    case .codeFormer: "CodeFormer"
    case .gfpgan: "GFPGAN"
    }
  }

  /// Tensors that every file of the kind has. No other kind of file has all of them.
  fileprivate var marks: [String] {
    switch self {
    case .detector: ["body.conv1.weight", "fpn.output1.0.weight", "ClassHead.0.conv1x1.weight"]
    case .parser: ["encoder.0.conv2d.weight", "out_mask_conv.conv2d.weight"]
    case .codeFormer:
      ["position_emb", "idx_pred_layer.1.weight", "quantize.embedding.weight", "encoder.blocks.0.weight"]
    case .gfpgan: ["toRGB.0.weight", "stylegan_decoder.style_mlp.1.weight"]
    }
  }
}

/// An opened file with a network for face restoration: which network it is, and where its tensors are.
package struct FaceFile: Sendable {
  package let path: String
  package let kind: FaceNetworkKind
  package let store: WeightStore
  /// Tensors that belong to no network.
  package let unread: [WeightAudit.Finding]

  /// Dictionaries that may contain the tensors, the preferred one first.
  private static let wrappers = [
    "model_state_dict", "state_dict", "params_ema", "params-ema", "params", "model", "net",
  ]
  /// Prefixes of all names that come from training on several devices, or together with an adversarial network.
  private static let prefixes = ["module.", "netG."]

  /// Opens a file in any container.
  ///
  /// - Parameter path: The file.
  /// - Throws: `WeightError`; `unsupported` for a file that holds none of the networks.
  package init(path: String) throws(WeightError) {
    let file = try WeightError.wrapping(try TensorFile(path: path))
    guard let (prefix, kind) = Self.recognised(file.tensors.keys) else {
      throw .unsupported(
        path: path, found: "a file with \(file.tensors.count) tensors that is no network of face restoration",
        advice: "use CodeFormer, GFPGAN 1.3 or 1.4, a RetinaFace detector with a ResNet-50, or ParseNet")
    }
    self.path = path
    self.kind = kind
    // PyTorch's norms count the batches of training, in whole numbers.
    let tensors = file.tensors.filter { !$0.key.hasSuffix(".num_batches_tracked") }
    store = WeightStore(path: path, tensors: tensors, keyMap: KeyMap(prefix: prefix, rules: [], unused: []))
    let others = Self.wrappers.map { "\($0)." }.filter { !prefix.hasPrefix($0) }
    unread = tensors.keys.filter { name in
      !name.hasPrefix(prefix) && !others.contains { name.hasPrefix($0) }
    }.map { .unread(name: $0, shape: tensors[$0]?.shape ?? []) }
  }

  /// Whether tensors with these names are those of one of the networks.
  package static func isLikely(_ names: some Collection<String>) -> Bool { recognised(names) != nil }

  /// The prefix of all names of a network, and the network; nil if there is none.
  private static func recognised(_ names: some Collection<String>) -> (prefix: String, kind: FaceNetworkKind)? {
    let all = Set(names)
    var candidates = wrappers.map { "\($0)." }
    // A single dictionary with another name.
    let first = Set(all.map { name in name.prefix { $0 != "." } })
    if first.count == 1, let only = first.first { candidates.append("\(only).") }
    candidates.append("")
    for wrapper in candidates {
      for prefix in [wrapper] + prefixes.map({ wrapper + $0 }) {
        if let kind = FaceNetworkKind.allCases.first(where: { $0.marks.allSatisfy { all.contains(prefix + $0) } }) {
          return (prefix, kind)
        }
      }
    }
    return nil
  }
}
