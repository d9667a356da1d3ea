import Tensors

/// A network whose packed weights are in memory only while they are needed; the files are read again each time.
///
/// A text encoder runs once per prompt, and a VAE once per image. In between, their memory is worth more than the fraction of
/// a second that reading takes.
final class PagedNetwork<Network> {
  private let isSmall: Bool
  private let profiler: Profiler
  private let copies: PackedCopies?
  private let requireUnchanged: () throws -> Void
  private let read: () throws -> Network
  private var network: Network?

  /// A network that is not in memory yet.
  ///
  /// - Parameters:
  ///   - bytes: Size of its packed weights.
  ///   - smallBytes: A network smaller than this stays once it is read.
  ///   - profiler: Gets the time that reading takes.
  ///   - copies: Where the packed weights are copied to after reading; nil for nowhere.
  ///   - requireUnchanged: Throws if the files are not those that were hashed.
  ///   - read: Reads the network.
  init(
    bytes: Int, smallBytes: Int, profiler: Profiler, copies: PackedCopies? = nil,
    requireUnchanged: @escaping () throws -> Void, read: @escaping () throws -> Network
  ) {
    isSmall = bytes < smallBytes
    self.profiler = profiler
    self.copies = copies
    self.requireUnchanged = requireUnchanged
    self.read = read
  }

  /// The network, which is read if it is not in memory.
  ///
  /// Throws `WeightError`.
  func get() throws -> Network {
    if let network { return network }
    return try profiler.aside("loading") {
      // The digest must be of what is read now.
      try requireUnchanged()
      let fresh = Result { try read() }
      // If the file changed while loading, report that instead of the parse error.
      try requireUnchanged()
      let loaded = try fresh.get()
      copies?.save()
      network = loaded
      return loaded
    }
  }

  /// Releases the memory, unless there is too little of it to matter.
  func release() { if !isSmall { network = nil } }
}

/// The size that decides which networks stay in memory.
enum SmallNetwork {
  /// By default, less than the working memory of a full-size network.
  static let defaultBytes = 64 << 20
}
