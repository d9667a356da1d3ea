/// How a TAESD decoder's tensors are called: one row of layers, as madebyollin wrote it, or as the diffusers library does,
/// which leaves out the first of the row.
struct TinyDecoderNames {
  let keyMap: KeyMap
  let layout: CheckpointLayout
  /// Places in the row, as diffusers counts, of convolutions that are no part of a block.
  let convolutionPlaces: [Int]

  /// Looks at a file's names; nothing if they are of no TAESD decoder.
  init?(_ names: some Collection<String>) {
    let names = Set(names)
    // A block of the row is what no other network has at this place.
    let kinds: [(prefix: String, firstPlace: Int, layout: CheckpointLayout)] = [
      ("decoder.layers.", 0, .diffusers), ("layers.", 0, .diffusers), ("", 1, .singleFile),
      ("decoder.", 1, .singleFile),
      ("taesd_decoder.", 1, .singleFile), ("decoder.layers.", 1, .singleFile),
    ]
    let found = kinds.first { kind in
      names.contains("\(kind.prefix)\(kind.firstPlace).weight")
        && names.contains("\(kind.prefix)\(kind.firstPlace + 2).conv.0.weight")
    }
    guard let found else { return nil }
    let places = (0..<100).filter { names.contains("\(found.prefix)\($0 + found.firstPlace).weight") }
    guard let last = places.last else { return nil }
    keyMap = KeyMap(
      prefix: "",
      rules: (0...last).map { KeyRule("decoder.layers.\($0)", "\(found.prefix)\($0 + found.firstPlace)") },
      unused: ["encoder.", "taesd_encoder."])
    layout = found.layout
    convolutionPlaces = places
  }
}
