/// A machine and the numerics to use on it: everything that an operation needs to know. It never changes; `with` returns
/// another one for the same machine. Only the thread that runs the model may use it.
public struct Compute {
  /// The kernels, threads and memory.
  public let machine: Machine
  /// The precision, packing and padding.
  public let numerics: Numerics
  /// How the layers that are loaded with it store their weights.
  public let storage: WeightStorage

  /// Creates a compute from a machine and numerics.
  ///
  /// - Parameters:
  ///   - machine: The kernels, threads and memory.
  ///   - numerics: The precision, packing and padding.
  ///   - storage: How the layers that are loaded with it store their weights.
  public init(_ machine: Machine, _ numerics: Numerics, storage: WeightStorage = .packed) {
    self.machine = machine
    self.numerics = numerics
    self.storage = storage
  }

  /// Creates a new machine, with weights packed for speed and images padded with zeros.
  ///
  /// - Parameters:
  ///   - kernels: The kernels of an instruction set that this computer has.
  ///   - threadCount: The number of threads, at least 1.
  ///   - precision: The precision of layers.
  public init(kernels: Kernels, threadCount: Int, precision: Precision) {
    self.init(Machine(kernels: kernels, threadCount: threadCount), Numerics(precision))
  }

  /// Creates a new machine for one element type, without quantisation.
  ///
  /// - Parameters:
  ///   - kernels: The kernels of an instruction set that this computer has.
  ///   - threadCount: The number of threads, at least 1.
  ///   - elementType: The type of activations and packed weights.
  public init(kernels: Kernels, threadCount: Int, elementType: ElementType = .fp32) {
    self.init(kernels: kernels, threadCount: threadCount, precision: Precision(elementType))
  }
}

extension Compute {
  /// The same machine with other numerics.
  public func with(_ numerics: Numerics) -> Compute { Compute(machine, numerics, storage: storage) }

  /// The same for layers that store their weights in another way; results do not change.
  public func with(_ storage: WeightStorage) -> Compute { Compute(machine, numerics, storage: storage) }

  /// The same for layers that compute in another precision.
  public func with(precision: Precision) -> Compute { with(numerics.with(precision)) }

  /// The same for another element type, without quantisation.
  public func with(_ elementType: ElementType) -> Compute { with(precision: Precision(elementType)) }

  /// The same for weights packed in another way.
  public func with(_ packing: WeightPacking) -> Compute { with(numerics.with(packing)) }

  /// The same for convolutions with another padding.
  public func with(_ padding: ConvolutionPadding) -> Compute { with(numerics.with(padding)) }

  /// The same for layers that are not quantised.
  public var unquantized: Compute { with(elementType) }
}

extension Compute {
  /// The machine's kernels.
  public var kernels: Kernels { machine.kernels }

  /// The machine's threads.
  public var pool: WorkerPool { machine.pool }

  /// The machine's memory for activations.
  public var workspace: Workspace { machine.workspace }

  /// The machine's profiler.
  public var profiler: Profiler { machine.profiler }

  /// The precision of layers.
  public var precision: Precision { numerics.precision }

  /// The default type of activations, and of packed weights that are not quantised.
  public var elementType: ElementType { precision.elementType }

  /// How much memory packed weights may take.
  public var packing: WeightPacking { numerics.packing }

  /// The values beyond the edges of an image in 3x3 convolutions.
  public var padding: ConvolutionPadding { numerics.padding }
}

extension Compute {
  /// A tensor in the machine's workspace, with arbitrary content.
  public func tensor(
    batch: Int, height: Int, width: Int, channels: Int, border: Int = 0, elementType: ElementType? = nil
  ) -> Tensor {
    Tensor(
      batch: batch, height: height, width: width, channels: channels, border: border,
      elementType: elementType ?? self.elementType, in: workspace)
  }

  /// A tensor with the shape and element type of another one, with arbitrary content.
  public func tensor(like other: Tensor) -> Tensor {
    tensor(
      batch: other.batch, height: other.height, width: other.width, channels: other.channels,
      elementType: other.elementType)
  }
}
