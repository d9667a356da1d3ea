/// The names of RRDBNet in files. In code they are those of Real-ESRGAN.
package struct RRDBNetNames: UpscalerNames {
  /// The number of blocks; each has three dense blocks.
  package let blocks: Int
  /// How many times the size is doubled: 0 for a network that only restores.
  package let upsamplings: Int
  package let layout: String
  private let naming: Naming

  private enum Naming {
    case numbered, trunk, realESRGAN
  }

  package static var title: String { "ESRGAN (RRDBNet)" }

  package static var firstWeights: [String] { ["conv_first.weight", "model.0.weight"] }

  package static func isLikely(_ hasTensor: (String) -> Bool) -> Bool {
    hasTensor("body.0.rdb1.conv1.weight") || hasTensor("RRDB_trunk.0.RDB1.conv1.weight")
      || hasTensor("1.sub.0.RDB1.conv1.0.weight")
  }

  package init?(_ names: [Substring]) {
    func has(_ beginning: String) -> Bool { names.contains { $0.hasPrefix(beginning) } }
    // Many networks start with one of these convolutions, but only this one continues with dense blocks.
    if names.contains("model.0.weight"), has("model.1.sub.") {
      // The last module of the trunk is a convolution. Each doubling takes three modules; there are five other modules.
      blocks = max(names.count(after: "model.1.sub.") - 1, 0)
      upsamplings = max((names.count(after: "model.") - 5) / 3, 0)
      (layout, naming) = ("names of ESRGAN, numbered", .numbered)
    } else if names.contains("conv_first.weight"), has("RRDB_trunk.") {
      (blocks, upsamplings) = (names.count(after: "RRDB_trunk."), max(names.count(after: "upconv") - 1, 0))
      (layout, naming) = ("names of ESRGAN", .trunk)
    } else if names.contains("conv_first.weight"),
      names.contains(where: { $0.hasPrefix("body.") && $0.contains(".rdb") })
    {
      (blocks, upsamplings) = (names.count(after: "body."), max(names.count(after: "conv_up") - 1, 0))
      (layout, naming) = ("names of Real-ESRGAN", .realESRGAN)
    } else {
      return nil
    }
  }

  package func keyMap(prefix: String) -> KeyMap {
    // A hostile file may claim any number of blocks.
    let blocks = min(blocks, Self.blockLimit)
    let rules =
      switch naming {
      case .numbered: Self.numbered(blocks: blocks, upsamplings: min(upsamplings, Self.blockLimit))
      case .trunk: Self.trunk(blocks: blocks, upsamplings: min(upsamplings, Self.blockLimit))
      case .realESRGAN: [KeyRule]()
      }
    return KeyMap(prefix: prefix, rules: rules, unused: [])
  }

  /// The limit of blocks, more than in any supported network.
  private static let blockLimit = 257

  /// The form in which ESRGAN's authors first saved it: a sequence of numbered modules.
  private static func numbered(blocks: Int, upsamplings: Int) -> [KeyRule] {
    let dense = (1...3).map { number in
      KeyRule("rdb\(number)", "RDB\(number)", inside: (1...5).map { KeyRule("conv\($0)", "conv\($0).0") })
    }
    let body = (0..<blocks).map { KeyRule("body.\($0)", "model.1.sub.\($0)", inside: dense) }
    // Activations and upsamplings have numbers too.
    let up = (0..<upsamplings).map { KeyRule("conv_up\($0 + 1)", "model.\(3 * $0 + 3)") }
    return body + up + [
      KeyRule("conv_first", "model.0"), KeyRule("conv_body", "model.1.sub.\(blocks)"),
      KeyRule("conv_hr", "model.\(3 * upsamplings + 2)"), KeyRule("conv_last", "model.\(3 * upsamplings + 4)"),
    ]
  }

  /// The form in which ESRGAN's authors saved it later.
  private static func trunk(blocks: Int, upsamplings: Int) -> [KeyRule] {
    let dense = (1...3).map { KeyRule("rdb\($0)", "RDB\($0)") }
    let body = (0..<blocks).map { KeyRule("body.\($0)", "RRDB_trunk.\($0)", inside: dense) }
    let up = (0..<upsamplings).map { KeyRule("conv_up\($0 + 1)", "upconv\($0 + 1)") }
    return body + up + [KeyRule("conv_body", "trunk_conv"), KeyRule("conv_hr", "HRconv")]
  }
}
