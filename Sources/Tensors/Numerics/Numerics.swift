/// Everything that decides the digits of a result, apart from the kernels. A value that is the same for every thread.
public struct Numerics: Hashable, Sendable {
  /// The precision of layers.
  public let precision: Precision
  /// How much memory packed weights may take.
  public let packing: WeightPacking
  /// The values beyond the edges of an image in 3x3 convolutions.
  public let padding: ConvolutionPadding

  /// Creates numerics for a precision; by default weights are packed for speed and images are padded with zeros.
  public init(_ precision: Precision, packing: WeightPacking = .fast, padding: ConvolutionPadding = .zeros) {
    self.precision = precision
    self.packing = packing
    self.padding = padding
  }

  /// The same in another precision.
  public func with(_ precision: Precision) -> Numerics {
    Numerics(precision, packing: packing, padding: padding)
  }

  /// The same for weights packed in another way.
  public func with(_ packing: WeightPacking) -> Numerics {
    Numerics(precision, packing: packing, padding: padding)
  }

  /// The same with another padding.
  public func with(_ padding: ConvolutionPadding) -> Numerics {
    Numerics(precision, packing: packing, padding: padding)
  }
}
