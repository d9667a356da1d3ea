/// How the weights of linear layers are stored in memory. It affects time and memory, but never a digit of a result.
public enum WeightStorage: Hashable, Sendable {
  /// Packed for the product kernels when they are loaded: the fastest.
  case packed
  /// As in the file, if that is smaller. Each panel is unpacked into the cache just before it is multiplied.
  case kept
}
