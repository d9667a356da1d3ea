import CKernels

extension Compute {
  /// Multiplies every pixel's channels with the matrix, and adds its bias.
  ///
  /// - Parameters:
  ///   - input: `[batch, height, width, inputs]` without a border, of the matrix's element type.
  ///   - matrix: The weights of a linear layer.
  ///   - residual: Added to the result; of the result's shape and the input's element type, without a border.
  ///   - elementType: The element type of the result; by default the input's.
  /// - Returns: `[batch, height, width, outputs]`; x · gelu(gate) for a gated layer.
  public func product(
    _ input: LinearInput, _ matrix: PanelMatrix, residual: Tensor? = nil, as elementType: ElementType? = nil
  ) -> Tensor {
    let x = input.tensor
    precondition(x.border == 0 && x.channels == matrix.inputs && matrix.taps == 1, "the matrix does not fit the tensor")
    precondition(x.elementType == matrix.elementType, "the matrix is packed for another element type")
    let wanted = elementType ?? x.elementType
    switch matrix.layout {
    case .direct(.fp32):
      // Sums are stored in the result, so it is narrowed afterwards.
      let y = product(TensorSource<ck_product>(x: x), x, matrix, residual: residual, as: .fp32)
      return converted(y, to: wanted)
    case .direct(.bf16):
      return product(TensorSource<ck_bf16_product>(x: x), x, matrix, residual: residual, as: wanted)
    case .direct(.int8(let columns)):
      let source = QuantizedSource(x: input.quantized(self), columns: columns, isGated: false)
      return product(source, x, matrix, residual: residual, as: wanted)
    case .gated(let columns):
      let source = QuantizedSource(x: input.quantized(self), columns: columns, isGated: true)
      return product(source, x, matrix, residual: residual, as: wanted)
    case .winograd: preconditionFailure("the matrix is packed for a convolution")
    }
  }

  /// The same for the input of a single layer.
  public func product(
    _ x: Tensor, _ matrix: PanelMatrix, residual: Tensor? = nil, as elementType: ElementType? = nil
  ) -> Tensor {
    product(LinearInput(x), matrix, residual: residual, as: elementType)
  }

  private func product<Source: ProductSource>(
    _ source: Source, _ x: Tensor, _ matrix: PanelMatrix, residual: Tensor?, as elementType: ElementType
  ) -> Tensor {
    if let rows = matrix.storedRows {
      return product(source, x, matrix, unpacking: rows, residual: residual, as: elementType)
    }
    let y = tensor(batch: x.batch, height: x.height, width: x.width, channels: matrix.outputs, elementType: elementType)
    let product = PanelProduct(
      source: source, matrix: matrix, bias: nil, residual: residual, y: y, table: kernels.table)
    let passes = ProductPass.passes(matrix)
    let blocks = (x.pixels + ProductBlocking.rows - 1) / ProductBlocking.rows
    let groups = PanelGroups(matrix, rowParts: blocks, threads: pool.threadCount)
    pool.run(blocks * groups.count) { part in
      let first = part % blocks * ProductBlocking.rows
      // Without a border, all images together are one long row of pixels.
      let run = PanelProduct<Source>.Run(image: 0, first: first, count: min(ProductBlocking.rows, x.pixels - first))
      product.forEachPass(groups.panels(part / blocks), passes) { panel, pass, sums in
        product.multiply(run, panel: panel, pass, sums: sums) { _ in
          source.pixel(0, 0, 0) + first * source.pixelStride
        }
      }
    }
    return y
  }
}
