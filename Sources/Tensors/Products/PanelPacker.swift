import CKernels

/// Packs weights from PyTorch's order, `[outputs, inputs, taps]`, into the panels of a matrix.
struct PanelPacker {
  private let layout: PanelLayout
  private let memory: PanelMemory
  private let taps: Int
  private let table: UnsafePointer<ck_table>
  /// For panels in floats before they are quantised; nil if they are never quantised.
  private let floats: Scratch?

  /// The number of inputs that are packed together, so that the cache lines that columns share stay in the cache until they are
  /// full.
  private static let block = 32

  init(_ layout: PanelLayout, _ memory: PanelMemory, taps: Int, _ compute: Compute) {
    self.layout = layout
    self.memory = memory
    self.taps = taps
    table = compute.kernels.table
    floats =
      switch layout.weights {
      case .fp32, .bf16: nil
      case .int8:
        Scratch(
          bytesEach: memory.positions * memory.inputs * memory.panelWidth * MemoryLayout<Float>.stride, compute.machine)
      }
  }

  /// Packs one panel; called from several threads at the same time.
  ///
  /// - Parameters:
  ///   - weights: `[rows, inputs, taps]`, followed by the gates of the same rows if there are any.
  ///   - rows: The number of outputs of this panel.
  ///   - panel: The index of the panel.
  func pack(_ weights: UnsafePointer<Float>, rows: Int, panel: Int) {
    let destination = memory.start(panel)
    switch layout {
    case .direct(.fp32): packFloats(weights, rows: rows, into: destination)
    case .direct(.bf16): packPairs(weights, rows: rows, into: destination)
    case .direct(.int8(let columns)):
      quantize(columns, panel: panel) { packFloats(weights, rows: rows, into: $0) }
    case .gated(let columns):
      quantize(columns, panel: panel) { floats in
        packFloats(weights, rows: rows, into: floats)
        packFloats(weights + rows * inputs, rows: rows, into: floats, from: width / 2)
      }
    case .winograd(let tile, .fp32): packPositions(weights, rows: rows, tile, into: destination, .fp32)
    case .winograd(let tile, .bf16): packPositions(weights, rows: rows, tile, into: destination, .bf16)
    case .winograd(let tile, .int8(let columns)):
      quantize(columns, panel: panel, sums: tile.positions) {
        packPositions(weights, rows: rows, tile, into: $0, .fp32)
      }
    }
  }

  private var inputs: Int { memory.inputs }
  private var width: Int { memory.panelWidth }

  /// Packs `[taps][inputs][panel width]` in floats. Columns before `firstColumn` do not change; those after the last row become
  /// zero.
  private func packFloats(
    _ weights: UnsafePointer<Float>, rows: Int, into panel: UnsafeMutableRawPointer, from firstColumn: Int = 0
  ) {
    let panel = panel.assumingMemoryBound(to: Float.self)
    if rows < width, firstColumn == 0 { panel.update(repeating: 0, count: taps * inputs * width) }
    for block in stride(from: 0, to: inputs, by: Self.block) {
      let end = min(block + Self.block, inputs)
      for column in 0..<rows {
        let row = weights + column * inputs * taps
        for tap in 0..<taps {
          let destination = panel + tap * inputs * width + firstColumn + column
          for input in block..<end { destination[input * width] = row[input * taps + tap] }
        }
      }
    }
  }

  /// Packs `[taps][inputs / 2][panel width][2]` in bf16.
  private func packPairs(_ weights: UnsafePointer<Float>, rows: Int, into panel: UnsafeMutableRawPointer) {
    let size = inputs * taps
    let pairs = memory.groups
    let start = panel.assumingMemoryBound(to: UInt32.self)
    if rows < width { start.update(repeating: 0, count: taps * pairs * width) }
    withUnsafeTemporaryAllocation(of: UInt16.self, capacity: rows * size) { numbers in
      guard let numbers = numbers.baseAddress else { return }
      table.pointee.narrow(weights, rows * size, numbers)
      for block in stride(from: 0, to: pairs, by: Self.block) {
        let end = min(block + Self.block, pairs)
        for column in 0..<rows {
          for tap in 0..<taps {
            let row = numbers + column * size + tap
            let destination = start + tap * pairs * width + column
            for pair in block..<min(end, inputs / 2) {
              let first = row + 2 * pair * taps
              destination[pair * width] = UInt32(first[0]) | UInt32(first[taps]) << 16
            }
            if 2 * end > inputs { destination[(pairs - 1) * width] = UInt32(row[(inputs - 1) * taps]) }
          }
        }
      }
    }
  }

  /// Packs the positions of a Winograd window, in floats or in pairs of bf16.
  private func packPositions(
    _ weights: UnsafePointer<Float>, rows: Int, _ tile: WinogradTile, into panel: UnsafeMutableRawPointer,
    _ elementType: ElementType
  ) {
    withUnsafeTemporaryAllocation(
      byteCount: Self.block * 9 * width * MemoryLayout<Float>.stride, alignment: 64
    ) { block in
      guard let block = block.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
      block.update(repeating: 0, count: Self.block * 9 * width)
      for first in stride(from: 0, to: inputs, by: Self.block) {
        let count = min(Self.block, inputs - first)
        for column in 0..<rows {
          let row = weights + (column * inputs + first) * 9
          for index in 0..<count * 9 { block[index * width + column] = row[index] }
        }
        var call = ck_winograd_weights()
        call.tile = Int32(tile.side)
        call.inputs = count
        call.taps = UnsafePointer(block)
        call.panel = panel + first * width * elementType.size
        switch elementType {
        case .fp32:
          call.position_stride = inputs * width
          table.pointee.winograd_weights(&call)
        case .bf16:
          call.position_stride = (inputs + 1) / 2 * 2 * width
          table.pointee.winograd_weights_bf16(&call)
        }
      }
    }
  }

  /// Packs a panel in floats, then converts it to bytes.
  ///
  /// - Parameters:
  ///   - columns: Receives the scales and sums.
  ///   - panel: The panel's index.
  ///   - sums: The number of sums for each column, each with its own scale: one, or one for each Winograd position.
  ///   - packFloats: Packs `[positions][inputs][panel width]`.
  private func quantize(
    _ columns: QuantizedColumns, panel: Int, sums: Int = 1, _ packFloats: (UnsafeMutableRawPointer) -> Void
  ) {
    floats?.withPiece { piece in
      packFloats(piece)
      let floats = piece.assumingMemoryBound(to: Float.self)
      for index in 0..<sums {
        var call = ck_quantized_panel()
        call.taps = memory.positions / sums
        call.inputs = inputs
        call.x = UnsafePointer(floats + index * inputs * width)
        call.panel = memory.start(panel, position: index).assumingMemoryBound(to: Int8.self)
        call.column_scale = columns.scales(panel, position: index)
        call.column_sum = columns.sums(panel, position: index)
        table.pointee.quantize_panel(&call)
      }
    }
  }
}
