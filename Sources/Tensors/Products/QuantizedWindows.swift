import CKernels

/// Transformed windows in bytes: `[positions][capacity][channels]`, then the scale of each row, then its zero point.
///
/// Each tile of a position is one row of a product, so it has its own scale.
struct QuantizedWindows {
  private let start: UnsafeMutableRawPointer
  private let positions: Int
  private let channels: Int
  private let capacity: Int
  private let table: UnsafePointer<ck_table>

  /// Windows in memory that has the size of ``bytes(positions:channels:_:)``.
  init(
    _ start: UnsafeMutableRawPointer, positions: Int, channels: Int, capacity: Int, _ table: UnsafePointer<ck_table>
  ) {
    self.start = start
    self.positions = positions
    self.channels = channels
    self.capacity = capacity
    self.table = table
  }

  /// The size in bytes of the windows of this many tiles.
  static func bytes(positions: Int, channels: Int, _ tiles: Int) -> Int {
    positions * (positionStride(channels, tiles) + tiles * 8)
  }

  /// Not a power of two, as for windows that are not quantised.
  private static func positionStride(_ channels: Int, _ tiles: Int) -> Int {
    tiles * QuantizedTensor.stride(channels) + 64
  }

  private var positionStride: Int { Self.positionStride(channels, capacity) }
  private var rowStride: Int { QuantizedTensor.stride(channels) }

  private func bytes(_ position: Int, _ tile: Int) -> UnsafeMutablePointer<UInt8> {
    (start + position * positionStride + tile * rowStride).assumingMemoryBound(to: UInt8.self)
  }

  private func scales(_ position: Int, _ tile: Int) -> UnsafeMutablePointer<Float> {
    let scales = start + positions * positionStride
    return scales.assumingMemoryBound(to: Float.self) + position * capacity + tile
  }

  private func zeros(_ position: Int, _ tile: Int) -> UnsafeMutablePointer<Int32> {
    let zeros = start + positions * (positionStride + capacity * 4)
    return zeros.assumingMemoryBound(to: Int32.self) + position * capacity + tile
  }

  /// Quantises some tiles of one position, `[count][channels]` in bf16.
  func quantize(_ numbers: UnsafeRawPointer, position: Int, first: Int, count: Int) {
    var call = ck_quantization()
    call.x = numbers.assumingMemoryBound(to: UInt16.self)
    call.x_stride = channels
    call.rows = count
    call.k = channels
    call.y = bytes(position, first)
    call.y_stride = rowStride
    call.scale = scales(position, first)
    call.zero = zeros(position, first)
    call.scale_stride = 1
    table.pointee.quantize(&call)
  }

  /// The product of some tiles of one position with one panel, `[count][panel width]` in floats.
  func multiply(
    _ matrix: PanelMatrix, _ columns: QuantizedColumns, position: Int, first: Int, count: Int, panel: Int,
    into sums: UnsafeMutablePointer<Float>
  ) {
    var start: UnsafePointer<UInt8>? = UnsafePointer(bytes(position, first))
    withUnsafePointer(to: &start) { start in
      var call = ck_int8_product(
        matrix, panel: panel, taps: position..<position + 1, inputs: 0..<channels, rows: count, rowStride: rowStride,
        starts: start)
      call.n = matrix.panelWidth
      call.setSums(nil, continues: false, finishes: true)
      call.scale = UnsafePointer(scales(position, first))
      call.zero = UnsafePointer(zeros(position, first))
      call.scale_stride = 1
      call.setColumns(columns, panel, position: position)
      call.out32 = sums
      call.out_stride = matrix.panelWidth
      call.run(table)
    }
  }
}
