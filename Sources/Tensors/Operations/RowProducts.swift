import CKernels

extension Compute {
  /// The scalar products of a row with some vectors, in floats.
  ///
  /// - Parameters:
  ///   - row: `[width]`.
  ///   - vectors: `[count, width]`.
  ///   - count: How many vectors there are.
  ///   - width: The numbers of a vector.
  ///   - body: Called with the index of each vector and its product, whose sum has the same order whatever other vectors there are.
  public func products(
    _ row: UnsafePointer<Float>, _ vectors: UnsafePointer<Float>, count: Int, width: Int,
    _ body: (_ vector: Int, _ product: Float) -> Void
  ) {
    let whole = width / 16 * 16
    withUnsafeTemporaryAllocation(byteCount: count * 64, alignment: 64) { memory in
      guard let start = memory.baseAddress else { return }
      kernels.table.pointee.lane_products(
        row, vectors, width, count, whole, start.assumingMemoryBound(to: Float.self))
      let sums = start.assumingMemoryBound(to: SIMD16<Float>.self)
      for vector in 0..<count {
        var sum = sums[vector].sum()
        for i in whole..<width { sum += row[i] * vectors[vector * width + i] }
        body(vector, sum)
      }
    }
  }
}
