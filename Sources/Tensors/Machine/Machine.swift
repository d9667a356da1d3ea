/// What executes operations: kernels, threads, memory and a profiler. Only the thread that runs the model may use it.
public final class Machine {
  /// The kernels of one instruction set.
  public let kernels: Kernels
  /// The threads that share each operation.
  public let pool: WorkerPool
  /// The memory for activations.
  public let workspace = Workspace()
  /// The copies of packed networks, which are mapped instead of packing the networks again; nil for none.
  public var packedCopies: PackedCopies?
  /// Measures layers while it is on.
  public let profiler = Profiler()

  /// Asked by long computations between their parts.
  public let interruption = Interruption()

  /// Creates a machine with an empty workspace and a profiler that is off.
  ///
  /// - Parameters:
  ///   - kernels: The kernels of an instruction set that this computer has.
  ///   - threadCount: The number of threads, at least 1.
  public init(kernels: Kernels, threadCount: Int) {
    self.kernels = kernels
    pool = WorkerPool(threadCount: threadCount)
  }
}
