/// How a 3x3 convolution is computed. It is decided when weights are packed, because each algorithm needs them in another form.
public enum ConvolutionAlgorithm: String, Sendable, CaseIterable {
  /// Nine products, one for each tap.
  case direct
  /// Winograd's F(2x2, 3x3): 16 products instead of 36, with weights 16/9 as large.
  case winograd2
  /// Winograd's F(4x4, 3x3): 36 products instead of 144, with weights 4 times as large.
  case winograd4

  /// The tile of Winograd's algorithm; nil for the direct algorithm.
  var tile: WinogradTile? {
    switch self {
    case .direct: nil
    case .winograd2: .two
    case .winograd4: .four
    }
  }

  /// The number of products that a 3x3 convolution adds up, each with its own weights: nine taps, or the positions of a
  /// Winograd window.
  public var positions: Int { tile?.positions ?? 9 }
}

/// The square of results that Winograd's algorithm computes at a time; the raw value is its side in pixels.
enum WinogradTile: Int {
  case two = 2
  case four = 4

  /// The side of a tile in pixels.
  var side: Int { rawValue }

  /// The number of pixels in the window that a tile depends on, and of positions that the window is transformed to.
  var positions: Int { (side + 2) * (side + 2) }
}

extension ConvolutionAlgorithm {
  /// The algorithm for a layer: a table fixed by measurements (`sdbench kernels`). It depends only on these arguments.
  ///
  /// The image size is not one of them: weights are packed once, and each algorithm works with any size. On images of a few
  /// pixels, where most tiles are cut off, all of them are fast.
  ///
  /// - Parameters:
  ///   - inputs: Input channels.
  ///   - outputs: Output channels.
  ///   - step: The convolution's step.
  ///   - elementType: The type of weights and activations.
  ///   - packing: How much memory weights may take.
  /// - Returns: The algorithm to pack the layer's weights for.
  public static func of(
    inputs: Int, outputs: Int, step: Int, elementType: ElementType, packing: WeightPacking
  ) -> ConvolutionAlgorithm {
    // With fewer channels the transforms cost as much as the products save. Small networks are fast anyway, so they keep the
    // digits of plain sums.
    guard step == 1, inputs >= 128, outputs >= 128 else { return .direct }
    switch (packing, elementType) {
    case (.small, .fp32), (.small, .bf16): return .direct
    case (.fast, .bf16):
      // F(4x4) would lose 4 of the 8 bits.
      return .winograd2
    case (.fast, .fp32):
      // Larger layers are those of a UNet's small images, which have most of its weights. There, reading four times the weights
      // costs as much as F(4x4) saves compared with F(2x2).
      return inputs * outputs <= 5 << 18 ? .winograd4 : .winograd2
    }
  }
}
