/// What a network's arithmetic is made of.
public enum Precision: String, Sendable, CaseIterable {
  /// Everything in single precision: the reference.
  case fp32
  /// Weights and activations of 16 bits, sums of 32.
  case bf16
  /// As `bf16`, with the weights of linear layers and convolutions, and the activations that meet them, in 8 bits.
  case int8

  /// The same for layers that are not quantised.
  public init(_ elementType: ElementType) {
    switch elementType {
    case .fp32: self = .fp32
    case .bf16: self = .bf16
    }
  }

  /// What activations are between layers.
  public var elementType: ElementType { self == .fp32 ? .fp32 : .bf16 }
}
