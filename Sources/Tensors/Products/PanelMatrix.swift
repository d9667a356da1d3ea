import CKernels
import Synchronization

/// Weights of a linear layer or a convolution, packed for the product kernels when they are loaded.
///
/// The outputs are divided into panels of the kernels' width; outputs past the last are zero. In fp32:
///
///     panel 0: tap 0: input 0: o0 o1 ... o31 | input 1: o0 o1 ... o31 | ...
///              tap 1: ...
///     panel 1: o32 ...
///
/// ``PanelWeights`` shows the other types.
public final class PanelMatrix {
  /// The layer that a matrix is packed for.
  public enum Layer: Sendable {
    /// A linear layer or a 1x1 convolution.
    case linear
    /// A quantised linear layer with twice as many outputs: x, then the gates. The product computes x · gelu(gate).
    case gatedLinear
    /// A 3x3 convolution.
    case convolution(ConvolutionAlgorithm)

    /// The number of pixels that each result depends on.
    public var taps: Int {
      switch self {
      case .linear, .gatedLinear: 1
      case .convolution: 9
      }
    }

    /// The tile of a convolution with Winograd's algorithm; nil for other layers.
    var tile: WinogradTile? {
      switch self {
      case .linear, .gatedLinear: nil
      case .convolution(let algorithm): algorithm.tile
      }
    }

    /// Whether half of the outputs are gates.
    var isGated: Bool {
      switch self {
      case .linear, .convolution: false
      case .gatedLinear: true
      }
    }
  }

  /// Input channels.
  public let inputs: Int
  /// Output channels.
  public let outputs: Int
  /// 1 for a linear layer or a 1x1 convolution, 9 for a 3x3 convolution.
  public let taps: Int
  let layout: PanelLayout
  /// The number of columns of a panel.
  let panelWidth: Int
  let panels: Int
  private let memory: Memory
  private let biasMemory: UnsafeMutablePointer<Float>?

  /// Packs weights in PyTorch's order, `[outputs, inputs, taps]`.
  ///
  /// - Parameters:
  ///   - outputs: The outputs of the weights, including gates.
  ///   - inputs: Input channels.
  ///   - bias: `[outputs]`, or nil.
  ///   - layer: What to pack for.
  ///   - compute: The kernels to pack for, and the threads that pack; its precision decides whether weights are quantised.
  ///   - read: Reads the weights of some outputs, `[range, inputs, taps]`; called from several threads at the same time.
  /// - Throws: The error of `read` for the first outputs that it rejects.
  public init<Failure>(
    outputs: Int, inputs: Int, bias: [Float]?, layer: Layer, compute: Compute,
    read: (Range<Int>, UnsafeMutablePointer<Float>) throws(Failure) -> Void
  ) throws(Failure) {
    let width = compute.kernels.panelWidth
    let results = layer.isGated ? outputs / 2 : outputs
    let columns = layer.isGated ? width / 2 : width
    let panels = (results + columns - 1) / columns
    self.inputs = inputs
    self.outputs = results
    self.panels = panels
    taps = layer.taps
    panelWidth = width
    layout = Self.layout(layer, inputs: inputs, panels: panels, compute)
    let panelMemory = PanelMemory(
      inputs: inputs, inputsInGroup: layout.weights.inputsInGroup, positions: layer.tile?.positions ?? layer.taps,
      panelWidth: width, panels: panels)
    memory = .panels(panelMemory)
    biasMemory = bias.map { Self.padded($0, results: results, columns: columns, panels: panels, width: width) }
    let packer = PanelPacker(layout, panelMemory, taps: taps, compute)
    // One buffer for each thread: fresh memory for each panel would cost more than the work on it.
    let staging = Scratch(
      bytesEach: min(width, outputs) * inputs * taps * MemoryLayout<Float>.stride, compute.machine)
    let failure = Mutex<(panel: Int, error: Failure)?>(nil)
    compute.pool.run(panels) { panel in
      let rows = panel * columns..<min((panel + 1) * columns, results)
      staging.withPiece { piece in
        let weights = piece.assumingMemoryBound(to: Float.self)
        do throws(Failure) {
          try read(rows, weights)
          if layer.isGated {
            try read(rows.lowerBound + results..<rows.upperBound + results, weights + rows.count * inputs)
          }
          packer.pack(weights, rows: rows.count, panel: panel)
        } catch {
          failure.withLock { if panel < $0?.panel ?? .max { $0 = (panel, error) } }
        }
      }
    }
    if let failure = failure.withLock({ $0 }) { throw failure.error }
  }

  /// The bias, padded to whole panels; gates are in the second half of their panel.
  private static func padded(
    _ bias: [Float], results: Int, columns: Int, panels: Int, width: Int
  ) -> UnsafeMutablePointer<Float> {
    let padded = Workspace.allocate(panels * width * MemoryLayout<Float>.stride).assumingMemoryBound(to: Float.self)
    padded.update(repeating: 0, count: panels * width)
    for (index, value) in bias.enumerated() {
      let (output, half) = index < results ? (index, 0) : (index - results, columns)
      padded[output / columns * width + half + output % columns] = value
    }
    return padded
  }

  /// Keeps the weights of a linear layer in the form of the file; products unpack them. Results are those of packed weights.
  /// Nil if the inputs are not whole blocks, or if a weight is NaN or infinite.
  ///
  /// - Parameters:
  ///   - stored: The file's form.
  ///   - factors: The factors of FP8 and int8; nil for 1.
  ///   - outputs: The outputs of the weights, including gates.
  ///   - inputs: Input channels.
  ///   - bias: `[outputs]`, or nil.
  ///   - layer: A linear layer, gated or not.
  ///   - compute: The kernels that will multiply, and the threads to read with; its precision decides whether products are in bytes.
  ///   - read: Copies the bytes of some rows; called from several threads at the same time.
  /// - Throws: The error of `read` for the first rows that it rejects.
  public init?<Failure>(
    stored: StoredWeights, factors: StoredFactors?, outputs: Int, inputs: Int, bias: [Float]?, layer: Layer,
    compute: Compute, read: (Range<Int>, UnsafeMutableRawPointer) throws(Failure) -> Void
  ) throws(Failure) {
    precondition(layer.taps == 1, "only linear layers keep stored weights")
    guard let rows = StoredRows(stored, rows: outputs, inputs: inputs, factors: factors) else { return nil }
    let width = compute.kernels.panelWidth
    let results = layer.isGated ? outputs / 2 : outputs
    let columns = layer.isGated ? width / 2 : width
    let panels = (results + columns - 1) / columns
    self.inputs = inputs
    self.outputs = results
    self.panels = panels
    taps = 1
    panelWidth = width
    layout = Self.layout(layer, inputs: inputs, panels: panels, compute)
    memory = .rows(rows)
    biasMemory = bias.map { Self.padded($0, results: results, columns: columns, panels: panels, width: width) }
    // A panel of floats shows NaN and infinity, and gives the scales for bytes.
    let isQuantized = layout.weights.inputsInGroup == 4
    let floatBytes = inputs * width * MemoryLayout<Float>.stride
    let scratch = Scratch(bytesEach: floatBytes + (isQuantized ? floatBytes / 4 : 0), compute.machine)
    let failure = Mutex<(panel: Int, error: Failure)?>(nil)
    let isFinite = Atomic<Bool>(true)
    compute.pool.run(panels) { panel in
      let present = self.rows(ofPanel: panel)
      do throws(Failure) {
        for half in layer.isGated ? [present.prefix(columns), present.dropFirst(columns)] : [present[...]] {
          let found = half.compactMap { $0 }
          if let first = found.first { try read(first..<first + found.count, rows.row(first)) }
        }
      } catch {
        failure.withLock { if panel < $0?.panel ?? .max { $0 = (panel, error) } }
        return
      }
      scratch.withPiece { piece in
        if !rows.unpack(
          columns: present, inputs: 0..<inputs, panel: panel, .fp32, into: piece, compute.kernels.table)
        {
          isFinite.store(false, ordering: .relaxed)
        }
        switch layout.weights {
        case .fp32, .bf16: break
        case .int8(let columns):
          var call = ck_quantized_panel()
          call.taps = 1
          call.inputs = inputs
          call.x = UnsafePointer(piece.assumingMemoryBound(to: Float.self))
          call.panel = (piece + floatBytes).assumingMemoryBound(to: Int8.self)
          call.column_scale = columns.scales(panel)
          call.column_sum = columns.sums(panel)
          compute.kernels.table.pointee.quantize_panel(&call)
        }
      }
    }
    if let failure = failure.withLock({ $0 }) { throw failure.error }
    guard isFinite.load(ordering: .relaxed) else { return nil }
    if case .int8(let columns) = layout.weights { rows.setScales(columns, panels: panels, panelWidth: width) }
  }

  /// A matrix that was packed before, from its network's copy. Nil if the copy does not have it, or has it in another size.
  ///
  /// - Parameters:
  ///   - copy: The packed network.
  ///   - name: The matrix's name there.
  ///   - outputs: The outputs of the weights, including gates.
  ///   - inputs: Input channels.
  ///   - bias: `[outputs]`, or nil.
  ///   - layer: What it is packed for.
  ///   - compute: The kernels that will multiply.
  public init?(
    copy: PackedNetwork, name: String, outputs: Int, inputs: Int, bias: [Float]?, layer: Layer, compute: Compute
  ) {
    guard let file = copy.file, let entry = file.entries[name] else { return nil }
    let width = compute.kernels.panelWidth
    let results = layer.isGated ? outputs / 2 : outputs
    let columns = layer.isGated ? width / 2 : width
    let panels = (results + columns - 1) / columns
    guard let layout = Self.layout(layer, inputs: inputs, panels: panels, compute, entry, file) else { return nil }
    let memory = PanelMemory(
      inputs: inputs, inputsInGroup: layout.weights.inputsInGroup, positions: layer.tile?.positions ?? layer.taps,
      panelWidth: width, panels: panels, file.panels(entry), of: file)
    guard memory.bytes == entry.bytes else { return nil }
    self.inputs = inputs
    self.outputs = results
    self.panels = panels
    taps = layer.taps
    panelWidth = width
    self.layout = layout
    self.memory = .panels(memory)
    biasMemory = bias.map { Self.padded($0, results: results, columns: columns, panels: panels, width: width) }
  }

  private static func layout(
    _ layer: Layer, inputs: Int, panels: Int, _ compute: Compute, _ entry: PackedFile.Entry, _ file: PackedFile
  ) -> PanelLayout? {
    let weights: PanelWeights
    switch compute.precision {
    case .int8 where inputs * layer.taps <= Int(CK_INT8_INPUTS):
      guard
        let columns = QuantizedColumns(
          panels: panels, panelWidth: compute.kernels.panelWidth, sumsInPanel: layer.tile?.positions ?? 1, entry,
          of: file)
      else { return nil }
      if layer.isGated { return .gated(columns) }
      weights = .int8(columns)
    case .fp32: weights = .fp32
    case .bf16, .int8: weights = .bf16
    }
    guard !layer.isGated, weights.inputsInGroup == 4 || entry.columnCount == 0 else { return nil }
    return layer.tile.map { .winograd($0, weights) } ?? .direct(weights)
  }

  /// The packed weights in the form of copies; nil if they are stored as in the file.
  func part(_ name: String) -> PackedFile.Part? {
    guard case .panels(let panels) = memory else { return nil }
    var columns = (
      scales: UnsafeRawBufferPointer(start: nil, count: 0), sums: UnsafeRawBufferPointer(start: nil, count: 0)
    )
    if case .int8(let quantized) = layout.weights { columns = quantized.parts }
    return PackedFile.Part(
      name: name, panels: UnsafeRawBufferPointer(start: panels.start(0), count: panels.bytes), scales: columns.scales,
      sums: columns.sums)
  }

  /// The row of the weights for each column of a panel; nil in columns past the last.
  func rows(ofPanel panel: Int) -> [Int?] {
    let columns = panelOutputs
    return (0..<panelWidth).map { column in
      let output = panel * columns + column % columns
      return output < outputs ? output + column / columns * outputs : nil
    }
  }

  private static func layout(_ layer: Layer, inputs: Int, panels: Int, _ compute: Compute) -> PanelLayout {
    let weights: PanelWeights =
      switch compute.precision {
      case .fp32: .fp32
      // Longer sums may overflow. No known network has them.
      case .int8 where inputs * layer.taps <= Int(CK_INT8_INPUTS):
        .int8(
          QuantizedColumns(
            panels: panels, panelWidth: compute.kernels.panelWidth, sumsInPanel: layer.tile?.positions ?? 1))
      case .bf16, .int8: .bf16
      }
    if layer.isGated {
      guard case .int8(let columns) = weights else { preconditionFailure("only quantised products have gates") }
      return .gated(columns)
    }
    return layer.tile.map { .winograd($0, weights) } ?? .direct(weights)
  }

  /// Packs weights that are in memory.
  ///
  /// - Parameters:
  ///   - weights: `[outputs, inputs, taps]`.
  ///   - bias: `[outputs]`, or nil.
  ///   - outputs: The outputs of the weights, including gates.
  ///   - inputs: Input channels.
  ///   - layer: What to pack for.
  ///   - compute: The kernels to pack for, and the threads that pack.
  public convenience init(
    weights: [Float], bias: [Float]?, outputs: Int, inputs: Int, layer: Layer, compute: Compute
  ) {
    self.init(outputs: outputs, inputs: inputs, bias: bias, layer: layer, compute: compute) { rows, destination in
      let size = inputs * layer.taps
      weights.withUnsafeBufferPointer { weights in
        for (index, row) in rows.enumerated() {
          for element in 0..<size { destination[index * size + element] = weights[row * size + element] }
        }
      }
    }
  }

  deinit {
    if case .panels(let panels) = memory { panels.deallocate() }
    if let biasMemory { Workspace.deallocate(biasMemory, panels * panelWidth * MemoryLayout<Float>.stride) }
  }
}

extension PanelMatrix {
  /// The type of activations before the product. The bias is in floats.
  var elementType: ElementType { layout.weights.elementType }

  /// The memory of the weights.
  private enum Memory {
    case panels(PanelMemory)
    case rows(StoredRows)
  }

  /// The rows that products unpack; nil for packed weights.
  var storedRows: StoredRows? {
    switch memory {
    case .panels: nil
    case .rows(let rows): rows
    }
  }

  /// Whether the weights are stored as in the file.
  public var isKept: Bool { storedRows != nil }

  /// The number of outputs of a whole panel.
  var panelOutputs: Int {
    switch layout {
    case .direct, .winograd: panelWidth
    case .gated: panelWidth / 2
    }
  }

  /// The size of all weights in bytes.
  var bytes: Int {
    switch memory {
    case .panels(let panels): panels.bytes
    case .rows(let rows): rows.bytes
    }
  }

  /// The size in bytes of one tap of one panel.
  var tapBytes: Int {
    (inputs + layout.weights.inputsInGroup - 1) / layout.weights.inputsInGroup * panelWidth * 4
  }

  /// The multiplications and additions for one pixel of the result.
  public var operationsPerPixel: Double {
    let columns =
      switch layout {
      case .direct, .winograd: outputs
      case .gated: 2 * outputs
      }
    return 2 * Double(inputs * columns * taps)
  }

  /// The weights of one panel, starting at a tap or position and at the first input of a group.
  func weights(_ panel: Int, tap: Int, input: Int) -> UnsafeMutableRawPointer {
    guard case .panels(let panels) = memory else { preconditionFailure("stored weights are unpacked by the product") }
    return panels.start(panel, position: tap, input: input)
  }

  /// The bias of one panel; nil if the layer has none.
  func bias(_ panel: Int) -> UnsafePointer<Float>? { biasMemory.map { UnsafePointer($0 + panel * panelWidth) } }

  /// The sum of the bias and each of some vectors, `[count, 1, 1, outputs]`, padded to whole panels, in floats.
  func bias(plus vectors: Tensor, _ compute: Compute) -> Tensor {
    precondition(vectors.count == vectors.batch * outputs, "a vector has one value for each output")
    let sums = compute.tensor(
      batch: vectors.batch, height: 1, width: 1, channels: panels * panelWidth, elementType: .fp32)
    for index in 0..<vectors.batch {
      let vector = vectors.pixel(index, 0, 0)
      let sum = sums.pixel(index, 0, 0)
      for output in 0..<outputs { sum[output] = vector[output] + (biasMemory?[output] ?? 0) }
      (sum + outputs).update(repeating: 0, count: sums.channels - outputs)
    }
    return sums
  }
}

/// The memory of a matrix's panels: `[panels][positions][inputs, in groups][panel width]`. A position is a tap, or a position
/// of a Winograd window.
struct PanelMemory {
  let inputs: Int
  /// The number of inputs in the 32 bits of a column.
  let inputsInGroup: Int
  let positions: Int
  let panelWidth: Int
  let panels: Int
  private let start: UnsafeMutableRawPointer
  /// The file that the memory belongs to; nil if the memory is its own.
  private let file: PackedFile?

  /// Allocates memory with arbitrary content; it is kept until `deallocate`.
  init(inputs: Int, inputsInGroup: Int, positions: Int, panelWidth: Int, panels: Int) {
    self.inputs = inputs
    self.inputsInGroup = inputsInGroup
    self.positions = positions
    self.panelWidth = panelWidth
    self.panels = panels
    let groups = (inputs + inputsInGroup - 1) / inputsInGroup
    start = Workspace.allocate(panels * positions * groups * panelWidth * 4)
    file = nil
  }

  /// Memory of a mapped file.
  init(
    inputs: Int, inputsInGroup: Int, positions: Int, panelWidth: Int, panels: Int, _ start: UnsafeMutableRawPointer,
    of file: PackedFile
  ) {
    self.inputs = inputs
    self.inputsInGroup = inputsInGroup
    self.positions = positions
    self.panelWidth = panelWidth
    self.panels = panels
    self.start = start
    self.file = file
  }

  func deallocate() { if file == nil { Workspace.deallocate(start, bytes) } }

  /// The number of groups of inputs; the last group may have fewer inputs.
  var groups: Int { (inputs + inputsInGroup - 1) / inputsInGroup }

  /// The size in bytes of one position of one panel.
  var positionBytes: Int { groups * panelWidth * 4 }

  /// The size in bytes of all panels.
  var bytes: Int { panels * positions * positionBytes }

  /// The weights of a panel, starting at a position and at the first input of a group.
  func start(_ panel: Int, position: Int = 0, input: Int = 0) -> UnsafeMutableRawPointer {
    start + (panel * positions + position) * positionBytes + input * panelWidth * 4 / inputsInGroup
  }
}
