/// The names of RRDBNet in files. Those of the code are Real-ESRGAN's.
package struct RRDBNetNames: UpscalerNames {
  /// Number of blocks of three dense blocks.
  package let blocks: Int
  /// How often the size is doubled.
  package let upsamplings: Int
  package let layout: String
  private let rules: [KeyRule]

  package static var firstWeights: [String] { ["conv_first.weight", "model.0.weight"] }

  package static func isLikely(_ hasTensor: (String) -> Bool) -> Bool {
    hasTensor("body.0.rdb1.conv1.weight") || hasTensor("RRDB_trunk.0.RDB1.conv1.weight")
      || hasTensor("1.sub.0.RDB1.conv1.0.weight")
  }

  package init?(_ names: [Substring]) {
    if names.contains("model.0.weight") {
      // The last numbered module is the convolution after the blocks, and the last one of all ends the network.
      blocks = names.count(after: "model.1.sub.") - 1
      upsamplings = max((names.count(after: "model.") - 5) / 3, 0)
      layout = "names of ESRGAN, numbered"
      rules = Self.numbered(blocks: blocks, upsamplings: upsamplings)
    } else if names.contains(where: { $0.hasPrefix("RRDB_trunk.") }) {
      (blocks, upsamplings) = (names.count(after: "RRDB_trunk."), names.count(after: "upconv") - 1)
      layout = "names of ESRGAN"
      rules = Self.trunk(blocks: blocks, upsamplings: upsamplings)
    } else if names.contains("conv_first.weight") {
      (blocks, upsamplings) = (names.count(after: "body."), names.count(after: "conv_up") - 1)
      layout = "names of Real-ESRGAN"
      rules = []
    } else {
      return nil
    }
  }

  package func keyMap(prefix: String) -> KeyMap { KeyMap(prefix: prefix, rules: rules, unused: []) }

  /// As ESRGAN's authors first saved it: a sequence of numbered modules.
  private static func numbered(blocks: Int, upsamplings: Int) -> [KeyRule] {
    let dense = (1...3).map { number in
      KeyRule("rdb\(number)", "RDB\(number)", inside: (1...5).map { KeyRule("conv\($0)", "conv\($0).0") })
    }
    let body = (0..<max(blocks, 0)).map { KeyRule("body.\($0)", "model.1.sub.\($0)", inside: dense) }
    // Activations and upsamplings have numbers too.
    let up = (0..<upsamplings).map { KeyRule("conv_up\($0 + 1)", "model.\(3 * $0 + 3)") }
    return body + up + [
      KeyRule("conv_first", "model.0"), KeyRule("conv_body", "model.1.sub.\(blocks)"),
      KeyRule("conv_hr", "model.\(3 * upsamplings + 2)"), KeyRule("conv_last", "model.\(3 * upsamplings + 4)"),
    ]
  }

  /// As ESRGAN's authors saved it later.
  private static func trunk(blocks: Int, upsamplings: Int) -> [KeyRule] {
    let dense = (1...3).map { KeyRule("rdb\($0)", "RDB\($0)") }
    let body = (0..<blocks).map { KeyRule("body.\($0)", "RRDB_trunk.\($0)", inside: dense) }
    let up = (0..<max(upsamplings, 0)).map { KeyRule("conv_up\($0 + 1)", "upconv\($0 + 1)") }
    return body + up + [KeyRule("conv_body", "trunk_conv"), KeyRule("conv_hr", "HRconv")]
  }
}
