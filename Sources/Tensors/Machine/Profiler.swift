/// Measures the time of each layer of the networks while it is on. Only the thread that runs the model may use it.
public final class Profiler {
  /// What a layer does.
  public enum Kind: String, Sendable {
    /// A 3x3 convolution.
    case convolution
    /// A product with a matrix, including 1x1 convolutions.
    case linear
    /// Group normalisation, and the activation after it.
    case groupNorm = "group_norm"
    /// Layer normalisation.
    case layerNorm = "layer_norm"
    /// softmax(q kᵀ) v.
    case attention
    /// Packing keys and values for attention.
    case packing
    /// An activation that is not part of another operation.
    case activation
    /// Copies: borders, resizing, concatenated channels.
    case copy
  }

  /// The calls of one layer with one shape at one stage.
  public struct Row: Sendable {
    /// The stage of the image: encoding, sampling or decoding.
    public let stage: String
    /// The layer's dotted name in the model file.
    public let layer: String
    /// What the layer does.
    public let kind: Kind
    /// Input and output, `2x64x64x320->2x64x64x2560`, as batch, height, width and channels.
    public let shape: String
    /// The number of calls.
    public var calls = 0
    /// The wall-clock time of all calls.
    public var seconds = 0.0
    /// The multiplications and additions of all calls, counted for the plain algorithm even if another one ran.
    public var operations = 0.0
  }

  private struct Key: Hashable {
    let stage: String
    let layer: String
    let kind: Kind
    let shape: [Int]
  }

  /// Whether calls are measured, which costs two clock readings each.
  public var isOn = false
  private var stage = ""
  private var stageStart = ContinuousClock.now
  private var stages: [(name: String, seconds: Double)] = []
  private var indices: [Key: Int] = [:]
  private var table: [Row] = []

  /// Creates a profiler that is off.
  public init() {}

  /// The measurements, in the order of first calls.
  public var rows: [Row] { table }

  /// The total time of each stage, in the order in which they first started.
  public var stageSeconds: [(name: String, seconds: Double)] { stages }

  /// Ends the current stage of the image and starts another.
  ///
  /// - Parameter name: The stage's name; nil when the image is done.
  public func begin(_ name: String?) {
    guard isOn else { return }
    let now = ContinuousClock.now
    if let index = stages.firstIndex(where: { $0.name == stage }) {
      stages[index].seconds += stageStart.duration(to: now) / .seconds(1)
    }
    (stage, stageStart) = (name ?? "", now)
    if let name, !stages.contains(where: { $0.name == name }) { stages.append((name, 0)) }
  }

  /// Runs something as part of another stage, then resumes the current one.
  ///
  /// - Parameters:
  ///   - name: The other stage's name.
  ///   - body: What to run.
  /// - Returns: The result of `body`.
  /// - Throws: The errors of `body`.
  public func aside<Value>(_ name: String, _ body: () throws -> Value) rethrows -> Value {
    let present = stage
    begin(name)
    defer { begin(present.isEmpty ? nil : present) }
    return try body()
  }

  fileprivate func note(
    _ layer: String, _ kind: Kind, from x: Tensor, to y: Tensor?, operations: Double, seconds: Double
  ) {
    let y = y.map(Self.dimensions) ?? []
    let key = Key(stage: stage, layer: layer, kind: kind, shape: Self.dimensions(x) + y)
    if indices[key] == nil {
      indices[key] = table.count
      let shapes = [Self.dimensions(x), y].filter { !$0.isEmpty }
      let text = shapes.map { $0.map(String.init).joined(separator: "x") }.joined(separator: "->")
      table.append(Row(stage: stage, layer: layer, kind: kind, shape: text))
    }
    guard let index = indices[key] else { return }
    table[index].calls += 1
    table[index].seconds += seconds
    table[index].operations += operations
  }

  private static func dimensions(_ x: Tensor) -> [Int] { [x.batch, x.height, x.width, x.channels] }
}

extension Compute {
  /// Runs a layer, and measures it if the profiler is on.
  ///
  /// - Parameters:
  ///   - layer: The dotted name.
  ///   - kind: What the layer does.
  ///   - x: The input.
  ///   - operationsPerPixel: Multiplications and additions for each pixel of the output.
  ///   - body: Runs the layer.
  /// - Returns: The output.
  @inline(__always)
  public func measured(
    _ layer: String, _ kind: Profiler.Kind, _ x: Tensor, operationsPerPixel: @autoclosure () -> Double = 0,
    _ body: () -> Tensor
  ) -> Tensor {
    guard profiler.isOn else { return body() }
    let start = ContinuousClock.now
    let y = body()
    let operations = operationsPerPixel() * Double(y.pixels)
    profiler.note(layer, kind, from: x, to: y, operations: operations, seconds: start.duration(to: .now) / .seconds(1))
    return y
  }

  /// Packs keys and values, and measures it if the profiler is on.
  ///
  /// - Parameters:
  ///   - layer: The dotted name.
  ///   - x: What keys and values are computed from.
  ///   - body: Packs them.
  /// - Returns: The packed keys and values.
  @inline(__always)
  public func measuredPacking(_ layer: String, _ x: Tensor, _ body: () -> [KeysValues]) -> [KeysValues] {
    guard profiler.isOn else { return body() }
    let start = ContinuousClock.now
    let packed = body()
    profiler.note(
      layer, .packing, from: x, to: nil, operations: 0, seconds: start.duration(to: .now) / .seconds(1))
    return packed
  }
}
