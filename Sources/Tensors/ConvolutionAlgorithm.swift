/// How a 3x3 convolution is computed. Decided when its weights are packed, for each way wants them in another form.
public enum ConvolutionAlgorithm: String, Sendable, CaseIterable {
  /// Nine products, one for each tap.
  case direct
  /// Winograd's F(2x2, 3x3): 16 products in place of 36, of weights that are 16/9 as large.
  case winograd2
  /// Winograd's F(4x4, 3x3): 36 products in place of 144, of weights that are 4 times as large.
  case winograd4

  /// Pixels on the side of a tile of results.
  var tile: Int {
    switch self {
    case .direct: 1
    case .winograd2: 2
    case .winograd4: 4
    }
  }

  /// Products of a 3x3 convolution, each with weights of its own.
  public var positions: Int { self == .direct ? 9 : (tile + 2) * (tile + 2) }
}

/// How much memory weights may take to be fast. It decides which convolutions run as Winograd's, and so the last digits of
/// every image: part of a job's identity.
public enum WeightPacking: String, Sendable, CaseIterable {
  /// The fastest form.
  case fast
  /// The smallest form.
  case small
}

extension ConvolutionAlgorithm {
  /// The way that a layer runs: a table, fixed by measurements (`sdbench kernels`), and a function of nothing else.
  ///
  /// The size of an image is none of its arguments, because weights are held once, in one form: each way takes any size,
  /// and on images of a few pixels, where tiles are mostly cut off, all of them are fast.
  ///
  /// - Parameters:
  ///   - inputs: Channels that go in.
  ///   - outputs: Channels that come out.
  ///   - step: Of the convolution.
  ///   - elementType: Of weights and activations.
  ///   - packing: How much memory weights may take.
  /// - Returns: The way to pack the layer's weights for.
  public static func of(
    inputs: Int, outputs: Int, step: Int, elementType: ElementType, packing: WeightPacking
  ) -> ConvolutionAlgorithm {
    // With fewer channels the transforms take what the products save; and small networks are fast in any case, so they keep
    // the last digits of plain sums.
    guard step == 1, packing == .fast, inputs >= 128, outputs >= 128 else { return .direct }
    switch elementType {
    case .bf16:
      // F(4x4) would lose 4 of the 8 bits.
      return .winograd2
    case .fp32:
      // Where there are more weights than this, a UNet has few pixels: reading four times as much costs what F(4x4) saves
      // over F(2x2), and they are most of a UNet's weights.
      return inputs * outputs <= 5 << 18 ? .winograd4 : .winograd2
    }
  }
}
