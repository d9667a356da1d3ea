/// What runs the arithmetic: kernels, threads, memory and a profiler. Belongs to the one thread that runs the model.
public final class Machine {
  /// The kernels of one instruction set.
  public let kernels: Kernels
  /// The threads that share each operation.
  public let pool: WorkerPool
  /// Where activations live.
  public let workspace = Workspace()
  /// Where packed networks are copied to and mapped from; nil for nowhere.
  public var packedCopies: PackedCopies?
  /// Measures layers while it is turned on.
  public let profiler = Profiler()

  /// What long computations ask between their parts.
  public let interruption = Interruption()

  /// A machine with an empty workspace and a profiler that is off.
  ///
  /// - Parameters:
  ///   - kernels: The kernels of an instruction set that this computer has.
  ///   - threadCount: At least 1.
  public init(kernels: Kernels, threadCount: Int) {
    self.kernels = kernels
    pool = WorkerPool(threadCount: threadCount)
  }
}
