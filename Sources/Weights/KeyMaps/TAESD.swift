/// The names of a TAESD decoder's tensors: a sequence of layers as in madebyollin's files, or as in the diffusers library,
/// which omits the first layer.
struct TinyDecoderNames {
  let keyMap: KeyMap
  let layout: ModelLayout
  /// The indices, as diffusers counts, of the convolutions that are not part of a block.
  let convolutionIndices: [Int]

  /// Reads a file's names; nil if they are not those of a TAESD decoder.
  init?(_ names: some Collection<String>) {
    let names = Set(names)
    // Only a TAESD decoder has a block two layers after a convolution with these names.
    let kinds: [(prefix: String, firstIndex: Int, layout: ModelLayout)] = [
      ("decoder.layers.", 0, .diffusers), ("layers.", 0, .diffusers), ("", 1, .singleFile),
      ("decoder.", 1, .singleFile),
      ("taesd_decoder.", 1, .singleFile), ("decoder.layers.", 1, .singleFile),
    ]
    let found = kinds.first { kind in
      names.contains("\(kind.prefix)\(kind.firstIndex).weight")
        && names.contains("\(kind.prefix)\(kind.firstIndex + 2).conv.0.weight")
    }
    guard let found else { return nil }
    let indices = (0..<100).filter { names.contains("\(found.prefix)\($0 + found.firstIndex).weight") }
    guard let last = indices.last else { return nil }
    keyMap = KeyMap(
      prefix: "",
      rules: (0...last).map { KeyRule("decoder.layers.\($0)", "\(found.prefix)\($0 + found.firstIndex)") },
      // The last two are of files that ComfyUI saved: its scale of latents that are not as they are sampled.
      unused: ["encoder.", "taesd_encoder.", "vae_scale", "vae_shift"])
    layout = found.layout
    convolutionIndices = indices
  }
}
