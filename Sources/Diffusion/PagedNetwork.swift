import Tensors

/// A network whose packed weights are in memory only while they are needed; the files are read again each time.
///
/// A text encoder works once a prompt, and a VAE once an image: between these times their memory is worth more than the
/// part of a second that reading takes.
final class PagedNetwork<Network> {
  /// What stays where nothing else is said: less than what a full-size network works in.
  static var usualSmallBytes: Int { 64 << 20 }

  private let isSmall: Bool
  private let profiler: Profiler
  private let requireUnchanged: () throws -> Void
  private let read: () throws -> Network
  private var network: Network?

  /// A network that is not in memory yet.
  ///
  /// - Parameters:
  ///   - bytes: What its packed weights take.
  ///   - smallBytes: A network of less stays once it is read.
  ///   - profiler: Told of the time that reading takes.
  ///   - requireUnchanged: Throws where the files are not those that were hashed.
  ///   - read: Reads the network; throws what the files throw.
  init(
    bytes: Int, smallBytes: Int, profiler: Profiler, requireUnchanged: @escaping () throws -> Void,
    read: @escaping () throws -> Network
  ) {
    isSmall = bytes < smallBytes
    self.profiler = profiler
    self.requireUnchanged = requireUnchanged
    self.read = read
  }

  /// The network, read if need be.
  func get() throws -> Network {
    if let network { return network }
    return try profiler.aside("loading") {
      // What is read now must be what the digest is of.
      try requireUnchanged()
      let fresh = Result { try read() }
      // A fault of a file that is being written is none of the model.
      try requireUnchanged()
      network = try fresh.get()
      return try fresh.get()
    }
  }

  /// Gives the memory back, unless it is too little to matter.
  func release() { if !isSmall { network = nil } }
}
