import TensorFiles

/// How the files of one upscaler architecture name their tensors: what makes it known, and where each weight is.
package protocol UpscalerNames: Sendable {
  /// The first layer's weight, in every naming of the architecture. The part of a name before it is the file's prefix.
  static var firstWeights: [String] { get }

  /// Whether a file probably holds this architecture.
  ///
  /// - Parameter hasTensor: Whether there is a tensor of this name, after any prefix.
  /// - Returns: A guess.
  static func isLikely(_ hasTensor: (String) -> Bool) -> Bool

  /// Recognises the architecture by the names of the tensors, without the file's prefix; nil if it is another one.
  init?(_ names: [Substring])

  /// Whose names the tensors have, for people.
  var layout: String { get }

  /// The names in the file.
  func keyMap(prefix: String) -> KeyMap
}

/// A file with a network that enlarges images, opened: which architecture it is, and how its tensors are named.
package struct UpscalerFile: Sendable {
  package let path: String
  /// Of the architecture that recognised the file.
  package let names: any UpscalerNames
  package let store: WeightStore
  /// Tensors that the network does not have.
  package let unread: [WeightAudit.Finding]

  /// Opens a file in any container.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - architectures: Those that are supported, the first of which recognises the file.
  /// - Throws: `WeightError`; `unsupported` for a file that is none of them.
  package init(path: String, architectures: [any UpscalerNames.Type]) throws(WeightError) {
    let file = try WeightError.wrapping(try TensorFile(path: path))
    let names = file.tensors.keys
    let advice = "use an ESRGAN, Real-ESRGAN (RRDBNet) or compact (SRVGGNet) model"
    if let kind = Self.unsupportedKind(names) {
      throw .unsupported(path: path, found: "an upscaler of the kind \(kind), which is not supported", advice: advice)
    }
    // As in Real-ESRGAN, averaged weights are preferred to the trained ones.
    let prefixes = ["params_ema.", "params.", "state_dict.", "model_state_dict.", ""]
    let firstWeights = architectures.flatMap { $0.firstWeights }
    let prefix = prefixes.first { prefix in firstWeights.contains { names.contains(prefix + $0) } }
    let own = names.filter { $0.hasPrefix(prefix ?? "") }.map { $0.dropFirst(prefix?.count ?? 0) }
    guard let prefix, let found = architectures.lazy.compactMap({ $0.init(own) }).first else {
      throw .unsupported(
        path: path, found: "a file with \(names.count) tensors that is not an upscaler of the ESRGAN family",
        advice: advice)
    }
    self.path = path
    self.names = found
    store = WeightStore(path: path, tensors: file.tensors, keyMap: found.keyMap(prefix: prefix))
    let other = prefix == "params_ema." ? "params." : prefix
    unread = file.tensors.values.filter { !$0.name.hasPrefix(prefix) && !$0.name.hasPrefix(other) }
      .map { .unread(name: $0.name, shape: $0.shape) }
  }

  /// Whether tensors of these names are probably those of an upscaler, supported or not.
  package static func isLikely(
    _ names: some Collection<String>, architectures: [any UpscalerNames.Type]
  ) -> Bool {
    func hasTensor(_ ending: String) -> Bool { names.contains { $0 == ending || $0.hasSuffix(".\(ending)") } }
    return unsupportedKind(names) != nil || architectures.contains { $0.isLikely(hasTensor) }
  }

  /// Tensors that only unsupported architectures have. Where one architecture contains another's tensors, it comes first.
  private static let others: [(mark: String, kind: String)] = [
    (".overlap_attn.relative_position_bias_table", "HAT"),
    (".residual_group.blocks.0.attn.relative_position_bias_table", "SwinIR"),
    (".attns.0.rpe_biases", "DAT"), ("m_head.0.weight", "ScuNET"),
  ]

  /// The name of an unsupported architecture, by its tensors' names; nil if it is not known.
  package static func unsupportedKind(_ names: some Collection<String>) -> String? {
    others.first { other in names.contains { $0.hasSuffix(other.mark) } }?.kind
  }
}

extension [Substring] {
  /// One more than the largest number that follows `beginning` in a name; bounded, because files may be hostile.
  func count(after beginning: String) -> Int {
    let numbers = compactMap { name -> Int? in
      guard name.hasPrefix(beginning) else { return nil }
      return Int(name.dropFirst(beginning.count).prefix { $0 != "." })
    }
    return Swift.min((numbers.max() ?? -1) + 1, 1 << 16)
  }
}
