/// What arithmetic runs on: the kernels, the threads and the memory. Belongs to the one thread that runs the model.
public final class Compute {
  /// The kernels of one instruction set.
  public let kernels: Kernels
  /// The threads that share each operation.
  public let pool: WorkerPool
  /// Where activations live.
  public let workspace = Workspace()
  /// Counts what layers take; off unless it is turned on.
  public let profiler = Profiler()

  /// Kernels on as many threads.
  ///
  /// - Parameters:
  ///   - kernels: Of an instruction set that this machine runs.
  ///   - threadCount: At least 1.
  public init(kernels: Kernels, threadCount: Int) {
    self.kernels = kernels
    pool = WorkerPool(threadCount: threadCount)
  }

  /// A tensor in this workspace, with any content.
  public func tensor(batch: Int, height: Int, width: Int, channels: Int, border: Int = 0) -> Tensor {
    Tensor(batch: batch, height: height, width: width, channels: channels, border: border, in: workspace)
  }

  /// A tensor of the same shape as another, with any content.
  public func tensor(like other: Tensor) -> Tensor {
    tensor(batch: other.batch, height: other.height, width: other.width, channels: other.channels)
  }
}
