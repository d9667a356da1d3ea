/// The layout of a matrix's weights in memory, which also decides how they are multiplied.
enum PanelLayout {
  /// The layer's own weights, tap by tap.
  case direct(PanelWeights)
  /// Bytes of a linear layer whose product also applies gates, x · gelu(gate): the first half of a panel's columns are x, the
  /// second half the gates.
  case gated(QuantizedColumns)
  /// A 3x3 convolution's nine taps, transformed to the positions of a Winograd window.
  case winograd(WinogradTile, PanelWeights)

  /// The type of the weights.
  var weights: PanelWeights {
    switch self {
    case .direct(let weights), .winograd(_, let weights): weights
    case .gated(let columns): .int8(columns)
    }
  }
}

/// The type of a panel's weights, and what its kernel needs in addition.
///
/// Every 32 bits of a panel hold weights of one column, for as many consecutive inputs as fit:
///
///     fp32: [taps][inputs][panel width]
///     bf16: [taps][inputs / 2][panel width][2]
///     int8: [taps][inputs / 4][panel width][4]
///
/// Inputs that are missing in the last group are zero.
enum PanelWeights {
  case fp32
  case bf16
  case int8(QuantizedColumns)

  /// The number of consecutive inputs in the 32 bits of a column.
  var inputsInGroup: Int {
    switch self {
    case .fp32: 1
    case .bf16: 2
    case .int8: 4
    }
  }

  /// The type of activations before the product. If the weights are bytes, the product quantises the activations itself.
  var elementType: ElementType {
    switch self {
    case .fp32: .fp32
    case .bf16, .int8: .bf16
    }
  }
}

/// The scale of each column of quantised weights, and the sum of its bytes, which corrects for the activations' zero point.
final class QuantizedColumns {
  private let panelWidth: Int
  private let sumsInPanel: Int
  private let count: Int
  private let scales: UnsafeMutablePointer<Float>
  private let sums: UnsafeMutablePointer<Int32>
  /// The file that the memory belongs to; nil if the memory is its own.
  private let file: PackedFile?

  /// Allocates memory with arbitrary content.
  ///
  /// - Parameters:
  ///   - panels: The number of panels.
  ///   - panelWidth: The number of columns of a panel.
  ///   - sumsInPanel: The number of sums for each column: 1, because all taps are added up, or one for each Winograd position.
  init(panels: Int, panelWidth: Int, sumsInPanel: Int) {
    self.panelWidth = panelWidth
    self.sumsInPanel = sumsInPanel
    count = panels * sumsInPanel * panelWidth
    scales = Workspace.allocate(count * MemoryLayout<Float>.stride).assumingMemoryBound(to: Float.self)
    sums = Workspace.allocate(count * MemoryLayout<Int32>.stride).assumingMemoryBound(to: Int32.self)
    file = nil
  }

  /// The columns of a matrix in a file; nil if their number does not match.
  init?(panels: Int, panelWidth: Int, sumsInPanel: Int, _ entry: PackedFile.Entry, of file: PackedFile) {
    count = panels * sumsInPanel * panelWidth
    guard count == entry.columnCount, let start = file.columns(entry) else { return nil }
    self.panelWidth = panelWidth
    self.sumsInPanel = sumsInPanel
    scales = start.assumingMemoryBound(to: Float.self)
    sums = (start + 4 * count).assumingMemoryBound(to: Int32.self)
    self.file = file
  }

  /// The bytes of all scales, and those of all sums.
  var parts: (scales: UnsafeRawBufferPointer, sums: UnsafeRawBufferPointer) {
    (UnsafeRawBufferPointer(start: scales, count: 4 * count), UnsafeRawBufferPointer(start: sums, count: 4 * count))
  }

  deinit {
    if file != nil { return }
    Workspace.deallocate(scales, count * MemoryLayout<Float>.stride)
    Workspace.deallocate(sums, count * MemoryLayout<Int32>.stride)
  }

  /// The scales of a panel's columns, for one of its sums.
  func scales(_ panel: Int, position: Int = 0) -> UnsafeMutablePointer<Float> {
    scales + (panel * sumsInPanel + position) * panelWidth
  }

  /// The sums of a panel's bytes, over all inputs and taps of one sum.
  func sums(_ panel: Int, position: Int = 0) -> UnsafeMutablePointer<Int32> {
    sums + (panel * sumsInPanel + position) * panelWidth
  }
}
