/// The precision that a network computes in.
public enum Precision: String, Sendable, CaseIterable {
  /// Everything in single precision: the reference.
  case fp32
  /// Weights and activations in 16 bits, sums in 32.
  case bf16
  /// As `bf16`, but products of linear layers and convolutions have weights and activations in 8 bits.
  case int8

  /// The precision with this element type and without quantisation.
  public init(_ elementType: ElementType) {
    switch elementType {
    case .fp32: self = .fp32
    case .bf16: self = .bf16
    }
  }

  /// The type of activations between layers.
  public var elementType: ElementType {
    switch self {
    case .fp32: .fp32
    case .bf16, .int8: .bf16
    }
  }
}
