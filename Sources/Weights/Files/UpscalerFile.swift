import TensorFiles

/// An opened file with an upscaler: its architecture, and the names of its tensors.
package struct UpscalerFile: Sendable {
  /// The two architectures of the ESRGAN family.
  package enum Architecture: Sendable, Equatable {
    /// Residual in residual dense blocks.
    case rrdb(blocks: Int, upsamplings: Int)
    /// A sequence of convolutions and activations at the input's size; `layers` counts both.
    case compact(layers: Int)
  }

  package let path: String
  package let architecture: Architecture
  /// The naming style of the tensors.
  package let layout: String
  package let store: WeightStore
  /// Tensors that the network does not have.
  package let unread: [WeightAudit.Finding]

  /// Opens a file in any container.
  ///
  /// Throws `WeightError`; `unsupported` for a file that is not an upscaler of these architectures.
  package init(path: String) throws(WeightError) {
    let file = try WeightError.wrapping(try TensorFile(path: path))
    let names = file.tensors.keys
    let advice = "use an ESRGAN, Real-ESRGAN (RRDBNet) or compact (SRVGGNet) model"
    if let kind = Self.unsupportedKind(names) {
      throw .unsupported(path: path, found: "an upscaler of the kind \(kind), which is not supported", advice: advice)
    }
    // Averaged weights are preferred over the trained ones, as in Real-ESRGAN.
    let prefixes = ["params_ema.", "params.", "state_dict.", "model_state_dict.", ""]
    guard
      let prefix = prefixes.first(where: { prefix in
        ["conv_first.weight", "body.0.weight", "model.0.weight"].contains { names.contains(prefix + $0) }
      })
    else {
      throw .unsupported(
        path: path, found: "a file with \(names.count) tensors that is not an upscaler of the ESRGAN family",
        advice: advice)
    }
    let own = names.filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count) }
    let keyMap: KeyMap
    if own.contains("model.0.weight") {
      // The last module of the trunk is the convolution after the blocks.
      let blocks = Self.count(own, "model.1.sub.") - 1
      let last = Self.count(own, "model.") - 1
      let upsamplings = max((last - 4) / 3, 0)
      architecture = .rrdb(blocks: blocks, upsamplings: upsamplings)
      layout = "names of ESRGAN, numbered"
      keyMap = .numberedRRDB(prefix: prefix, blocks: blocks, upsamplings: upsamplings)
    } else if own.contains(where: { $0.hasPrefix("RRDB_trunk.") }) {
      let (blocks, upsamplings) = (Self.count(own, "RRDB_trunk."), Self.count(own, "upconv") - 1)
      architecture = .rrdb(blocks: blocks, upsamplings: upsamplings)
      layout = "names of ESRGAN"
      keyMap = .trunkRRDB(prefix: prefix, blocks: blocks, upsamplings: upsamplings)
    } else if own.contains("conv_first.weight") {
      architecture = .rrdb(blocks: Self.count(own, "body."), upsamplings: Self.count(own, "conv_up") - 1)
      layout = "names of Real-ESRGAN"
      keyMap = .realESRGAN(prefix: prefix)
    } else {
      architecture = .compact(layers: Self.count(own, "body."))
      layout = "names of Real-ESRGAN"
      keyMap = .realESRGAN(prefix: prefix)
    }
    self.path = path
    store = WeightStore(path: path, tensors: file.tensors, keyMap: keyMap)
    let other = prefix == "params_ema." ? "params." : prefix
    unread = file.tensors.values.filter { !$0.name.hasPrefix(prefix) && !$0.name.hasPrefix(other) }
      .map { .unread(name: $0.name, shape: $0.shape) }
  }

  /// Whether these tensor names are those of an upscaler, supported or not.
  package static func isLikely(_ names: some Collection<String>) -> Bool {
    func has(_ ending: String) -> Bool { names.contains { $0 == ending || $0.hasSuffix(".\(ending)") } }
    return unsupportedKind(names) != nil || has("body.0.rdb1.conv1.weight") || has("RRDB_trunk.0.RDB1.conv1.weight")
      || has("1.sub.0.RDB1.conv1.0.weight")
      || (has("body.0.weight") && has("body.1.weight") && !has("conv_first.weight"))
  }

  /// The names that mark unsupported architectures. One that also has the tensors of another comes before it.
  private static let others: [(mark: String, kind: String)] = [
    (".overlap_attn.relative_position_bias_table", "HAT"),
    (".residual_group.blocks.0.attn.relative_position_bias_table", "SwinIR"),
    (".attns.0.rpe_biases", "DAT"), ("m_head.0.weight", "ScuNET"),
  ]

  /// The unsupported architecture that the tensors' names indicate, else nil.
  package static func unsupportedKind(_ names: some Collection<String>) -> String? {
    others.first { other in names.contains { $0.hasSuffix(other.mark) } }?.kind
  }

  /// One more than the largest number that follows `prefix` in a name.
  private static func count(_ names: [Substring], _ prefix: String) -> Int {
    let numbers = names.compactMap { name -> Int? in
      guard name.hasPrefix(prefix) else { return nil }
      return Int(name.dropFirst(prefix.count).prefix { $0 != "." })
    }
    return min((numbers.max() ?? -1) + 1, 1 << 16)
  }
}
