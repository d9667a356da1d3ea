/// How the weights of linear layers are held in memory. It decides time and memory, never a digit of a result.
public enum WeightStorage: Hashable, Sendable {
  /// Packed for the product kernels when they are loaded: the fastest.
  case packed
  /// As the file stores them, if that is smaller; each panel is unpacked into the cache just before it is multiplied.
  case kept
}
