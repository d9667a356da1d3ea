import Tensors

/// A network whose packed weights are in memory only while they are needed; each time they are read again from the files.
///
/// A text encoder runs once for each prompt, and a VAE once for each image. Between these, their memory is worth more than the
/// fraction of a second that reading takes.
final class PagedNetwork<Network> {
  private let isSmall: Bool
  private let profiler: Profiler
  private let copies: PackedCopies?
  private let requireUnchanged: () throws -> Void
  private let read: () throws -> Network
  private var network: Network?

  /// Creates a network that is not in memory yet.
  ///
  /// - Parameters:
  ///   - bytes: The size of its packed weights.
  ///   - smallBytes: A network smaller than this stays in memory after it is read.
  ///   - profiler: Receives the time that reading takes.
  ///   - copies: Receives copies of the packed weights after reading; nil for none.
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

  /// The network; it is read if it is not in memory.
  ///
  /// Throws `WeightError`.
  func get() throws -> Network {
    if let network { return network }
    return try profiler.aside("loading") {
      // The digest must match what is read now.
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

  /// Releases the memory, unless the network is too small for that to matter.
  func release() { if !isSmall { network = nil } }
}

/// The size limit below which networks stay in memory.
enum SmallNetwork {
  /// The default: less than the working memory of a full-size network.
  static let defaultBytes = 64 << 20
}
