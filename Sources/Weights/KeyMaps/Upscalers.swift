/// The names of upscalers. Those in the code are Real-ESRGAN's.
extension KeyMap {
  /// RRDBNet as ESRGAN's authors first saved it: a sequence of numbered modules.
  static func numberedRRDB(prefix: String, blocks: Int, upsamplings: Int) -> KeyMap {
    let dense = (1...3).map { number in
      KeyRule("rdb\(number)", "RDB\(number)", inside: (1...5).map { KeyRule("conv\($0)", "conv\($0).0") })
    }
    let body = (0..<blocks).map { KeyRule("body.\($0)", "model.1.sub.\($0)", inside: dense) }
    // Activations and upsamplings are numbered, too.
    let up = (0..<upsamplings).map { KeyRule("conv_up\($0 + 1)", "model.\(3 * $0 + 3)") }
    let tail = [
      KeyRule("conv_first", "model.0"), KeyRule("conv_body", "model.1.sub.\(blocks)"),
      KeyRule("conv_hr", "model.\(3 * upsamplings + 2)"), KeyRule("conv_last", "model.\(3 * upsamplings + 4)"),
    ]
    return KeyMap(prefix: prefix, rules: body + up + tail, unused: [])
  }

  /// RRDBNet as ESRGAN's authors saved it later.
  static func trunkRRDB(prefix: String, blocks: Int, upsamplings: Int) -> KeyMap {
    let dense = (1...3).map { KeyRule("rdb\($0)", "RDB\($0)") }
    let body = (0..<blocks).map { KeyRule("body.\($0)", "RRDB_trunk.\($0)", inside: dense) }
    let up = (0..<upsamplings).map { KeyRule("conv_up\($0 + 1)", "upconv\($0 + 1)") }
    return KeyMap(
      prefix: prefix, rules: body + up + [KeyRule("conv_body", "trunk_conv"), KeyRule("conv_hr", "HRconv")], unused: [])
  }

  /// RRDBNet and SRVGGNet as Real-ESRGAN saves them.
  static func realESRGAN(prefix: String) -> KeyMap { KeyMap(prefix: prefix, rules: [], unused: []) }
}
