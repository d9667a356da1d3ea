import CKernels

/// How a product with stored rows is divided.
private enum StoredBlocking {
  /// The number of input groups that are unpacked at a time: 256 KiB of a panel of width 32, which is all of most layers in
  /// bf16.
  static let groups = 2048
  /// The number of panels that a part unpacks together, so that rows are read once for all of them. With those rows they stay
  /// in a second-level cache of 1 MiB.
  static let panels = 2
  /// The most rows that are multiplied with an unpacked panel. Unpacking takes as long as multiplying about 20 rows.
  static let rows = 2048
  /// The number of rows that are multiplied with all panels of a part while they are in the cache.
  static let rowsInBlock = 128
}

extension Compute {
  /// A product whose panels are unpacked just before they are multiplied. Its sums have the same order as those of other
  /// products.
  func product<Source: ProductSource>(
    _ source: Source, _ x: Tensor, _ matrix: PanelMatrix, unpacking rows: StoredRows, residual: Tensor?,
    as elementType: ElementType
  ) -> Tensor {
    let y = tensor(batch: x.batch, height: x.height, width: x.width, channels: matrix.outputs, elementType: elementType)
    let product = PanelProduct(
      source: source, matrix: matrix, bias: nil, residual: residual, y: y, table: kernels.table)
    let weights = matrix.layout.weights
    let inputsInPass = StoredBlocking.groups * weights.inputsInGroup
    let passes = ProductPass.passes(inputs: matrix.inputs, block: inputsInPass)
    // Equal blocks of rows; each block unpacks all panels once.
    let rowParts = (x.pixels + StoredBlocking.rows - 1) / StoredBlocking.rows
    let rowsInPart = (x.pixels + rowParts - 1) / rowParts
    let groupSize = max(min(StoredBlocking.panels, matrix.panels * rowParts / (4 * pool.threadCount)), 1)
    let groups = (matrix.panels + groupSize - 1) / groupSize
    let panelBytes = StoredBlocking.groups * matrix.panelWidth * 4
    let sumCount = passes.count > 1 && Source.Call.keepsSumsApart ? rowsInPart * matrix.panelWidth : 0
    let scratch = Scratch(bytesEach: groupSize * (panelBytes + sumCount * 4), machine)
    pool.run(groups * rowParts) { part in
      let panels = part % groups * groupSize..<min((part % groups + 1) * groupSize, matrix.panels)
      let rowRange = part / groups * rowsInPart..<min((part / groups + 1) * rowsInPart, x.pixels)
      scratch.withPiece { piece in
        let sums = (piece + groupSize * panelBytes).assumingMemoryBound(to: Float.self)
        for pass in passes {
          for panel in panels {
            rows.unpack(
              columns: matrix.rows(ofPanel: panel), inputs: pass.inputs, panel: panel, weights,
              into: piece + (panel - panels.lowerBound) * panelBytes, kernels.table)
          }
          for first in stride(from: rowRange.lowerBound, to: rowRange.upperBound, by: StoredBlocking.rowsInBlock) {
            let run = PanelProduct<Source>.Run(
              image: 0, first: first, count: min(StoredBlocking.rowsInBlock, rowRange.upperBound - first))
            for panel in panels {
              let index = panel - panels.lowerBound
              product.multiply(
                run, panel: panel, pass,
                sums: sumCount > 0
                  ? sums + index * sumCount + (first - rowRange.lowerBound) * matrix.panelWidth : nil,
                weights: piece + index * panelBytes
              ) { _ in source.pixel(0, 0, 0) + first * source.pixelStride }
            }
          }
        }
      }
    }
    return y
  }
}
