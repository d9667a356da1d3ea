/// What each layer of the networks took, counted while it is turned on. Belongs to the one thread that runs the model.
public final class Profiler {
  /// What a layer does.
  public enum Kind: String, Sendable {
    /// A 3x3 convolution.
    case convolution
    /// A product with a matrix, 1x1 convolutions among them.
    case linear
    /// Group normalisation, and the activation after it.
    case groupNorm = "group_norm"
    /// Layer normalisation.
    case layerNorm = "layer_norm"
    /// softmax(q kᵀ) v.
    case attention
    /// Bringing keys and values into the order that attention wants.
    case packing
    /// An activation by itself.
    case activation
    /// Copies: borders, other sizes, channels side by side.
    case copy
  }

  /// The calls of one layer with one shape at one stage.
  public struct Row: Sendable {
    /// What the image was at: encoding, sampling or decoding.
    public let stage: String
    /// The layer's dotted name among the weights.
    public let layer: String
    /// What the layer does.
    public let kind: Kind
    /// What goes in and what comes out: `2x64x64x320->2x64x64x2560`, as batch, height, width and channels.
    public let shape: String
    /// How often it was called.
    public var calls = 0
    /// All calls together, in wall-clock time.
    public var seconds = 0.0
    /// All calls together: products and sums of the formula, however they were computed.
    public var operations = 0.0
  }

  private struct Key: Hashable {
    let stage: String
    let layer: String
    let kind: Kind
    let shape: [Int]
  }

  /// Whether calls are counted; each then costs a look at the clock.
  public var isOn = false
  private var stage = ""
  private var stageStart = ContinuousClock.now
  private var stages: [(name: String, seconds: Double)] = []
  private var places: [Key: Int] = [:]
  private var table: [Row] = []

  /// A profiler that is turned off.
  public init() {}

  /// What was counted, in order of first call.
  public var rows: [Row] { table }

  /// How long each stage took, layers and all else, in order of first time.
  public var stageSeconds: [(name: String, seconds: Double)] { stages }

  /// A stage of the image begins, and the one before it ends.
  ///
  /// - Parameter name: Of the stage; nothing when the image is done.
  public func begin(_ name: String?) {
    guard isOn else { return }
    let now = ContinuousClock.now
    if let place = stages.firstIndex(where: { $0.name == stage }) {
      stages[place].seconds += stageStart.duration(to: now) / .seconds(1)
    }
    (stage, stageStart) = (name ?? "", now)
    if let name, !stages.contains(where: { $0.name == name }) { stages.append((name, 0)) }
  }

  /// Runs what belongs to another stage, in the midst of one.
  ///
  /// - Parameters:
  ///   - name: Of the other stage.
  ///   - body: Runs it.
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws.
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
    if places[key] == nil {
      places[key] = table.count
      let shapes = [Self.dimensions(x), y].filter { !$0.isEmpty }
      let text = shapes.map { $0.map(String.init).joined(separator: "x") }.joined(separator: "->")
      table.append(Row(stage: stage, layer: layer, kind: kind, shape: text))
    }
    guard let place = places[key] else { return }
    table[place].calls += 1
    table[place].seconds += seconds
    table[place].operations += operations
  }

  private static func dimensions(_ x: Tensor) -> [Int] { [x.batch, x.height, x.width, x.channels] }
}

extension Compute {
  /// Runs a layer, and counts it if the profiler is on.
  ///
  /// - Parameters:
  ///   - layer: The dotted name.
  ///   - kind: What the layer does.
  ///   - x: What goes in.
  ///   - operationsPerPixel: Products and sums for each pixel of the result.
  ///   - body: Runs it.
  /// - Returns: What comes out.
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

  /// Packs keys and values, and counts it if the profiler is on.
  ///
  /// - Parameters:
  ///   - layer: The dotted name.
  ///   - x: What is packed.
  ///   - body: Packs it.
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
