/// What arithmetic runs on: the kernels, the threads and the memory. Belongs to the one thread that runs the model.
public final class Compute {
  /// The kernels of one instruction set.
  public let kernels: Kernels
  /// The threads that share each operation.
  public let pool: WorkerPool
  /// Where activations live.
  public let workspace: Workspace
  /// Counts what layers take; off unless it is turned on.
  public let profiler: Profiler
  /// What the layers made for it compute in.
  public let precision: Precision
  /// How much memory the weights of models loaded from now on may take.
  public var packing = WeightPacking.fast
  /// What 3x3 convolutions see beyond the edges of an image.
  public private(set) var padding = ConvolutionPadding.zeros

  /// Kernels on as many threads.
  ///
  /// - Parameters:
  ///   - kernels: Of an instruction set that this machine runs.
  ///   - threadCount: At least 1.
  ///   - precision: What the layers made for it compute in.
  public convenience init(kernels: Kernels, threadCount: Int, precision: Precision) {
    self.init(
      kernels: kernels, pool: WorkerPool(threadCount: threadCount), workspace: Workspace(), profiler: Profiler(),
      precision: precision)
  }

  /// Kernels on as many threads.
  ///
  /// - Parameters:
  ///   - kernels: Of an instruction set that this machine runs.
  ///   - threadCount: At least 1.
  ///   - elementType: What activations and packed weights are.
  public convenience init(kernels: Kernels, threadCount: Int, elementType: ElementType = .fp32) {
    self.init(kernels: kernels, threadCount: threadCount, precision: Precision(elementType))
  }

  private init(kernels: Kernels, pool: WorkerPool, workspace: Workspace, profiler: Profiler, precision: Precision) {
    self.kernels = kernels
    self.pool = pool
    self.workspace = workspace
    self.profiler = profiler
    self.precision = precision
  }

  /// What activations are, and packed weights that are not quantised, where nothing else is said.
  public var elementType: ElementType { precision.elementType }

  /// The same kernels, threads and memory for numbers of another type, nothing of it quantised.
  public func with(_ elementType: ElementType) -> Compute { with(precision: Precision(elementType)) }

  /// The same kernels, threads and memory for layers that compute in something else.
  public func with(precision: Precision) -> Compute {
    let other = Compute(kernels: kernels, pool: pool, workspace: workspace, profiler: profiler, precision: precision)
    other.packing = packing
    other.padding = padding
    return other
  }

  /// The same for convolutions with another padding.
  public func with(_ padding: ConvolutionPadding) -> Compute {
    if padding == self.padding { return self }
    let other = with(precision: precision)
    other.padding = padding
    return other
  }

  /// The same for layers that are not quantised.
  public var unquantized: Compute { with(elementType) }

  /// A tensor in this workspace, with any content.
  public func tensor(
    batch: Int, height: Int, width: Int, channels: Int, border: Int = 0, elementType: ElementType? = nil
  ) -> Tensor {
    Tensor(
      batch: batch, height: height, width: width, channels: channels, border: border,
      elementType: elementType ?? self.elementType, in: workspace)
  }

  /// A tensor of another's shape and element type, with any content.
  public func tensor(like other: Tensor) -> Tensor {
    tensor(
      batch: other.batch, height: other.height, width: other.width, channels: other.channels,
      elementType: other.elementType)
  }
}
