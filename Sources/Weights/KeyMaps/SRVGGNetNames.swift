/// The names of SRVGGNet in files, which are those of the code.
package struct SRVGGNetNames: UpscalerNames {
  /// The number of convolutions and activations.
  package let layers: Int

  package static var title: String { "Real-ESRGAN (compact, SRVGGNet)" }

  package static var firstWeights: [String] { ["body.0.weight"] }

  package static func isLikely(_ hasTensor: (String) -> Bool) -> Bool {
    hasTensor("body.0.weight") && hasTensor("body.1.weight") && !hasTensor("conv_first.weight")
  }

  package init?(_ names: [Substring]) {
    guard names.contains("body.0.weight") else { return nil }
    layers = names.count(after: "body.")
  }

  package var layout: String { "names of Real-ESRGAN" }

  package func keyMap(prefix: String) -> KeyMap { KeyMap(prefix: prefix, rules: [], unused: []) }
}
