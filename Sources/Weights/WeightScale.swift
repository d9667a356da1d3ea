/// Numbers that stand beside a tensor, and are multiplied with it as it is read.
struct WeightScale: Sendable {
  /// One for all numbers of the tensor, or one for each row.
  private let factors: [Float]
  /// The dimension that counts rows: 0, or 1 where rows and columns have been exchanged.
  private let dimension: Int

  private init(factors: [Float], dimension: Int) {
    self.factors = factors
    self.dimension = dimension
  }

  /// The scale of a tensor with the shape `shape`; nothing if `factors` are neither one nor as many as rows.
  init?(_ factors: [Float], for shape: [Int]) {
    guard factors.count == 1 || factors.count == shape.first else { return nil }
    self.init(factors: factors, dimension: 0)
  }

  /// Of one of `count` equal parts of the rows.
  func part(_ index: Int, of count: Int) -> WeightScale {
    guard factors.count > 1, dimension == 0 else { return self }
    let size = factors.count / count
    return WeightScale(factors: Array(factors[index * size..<(index + 1) * size]), dimension: dimension)
  }

  /// Of the matrix with rows and columns exchanged.
  var transposed: WeightScale { WeightScale(factors: factors, dimension: 1 - dimension) }

  /// Multiplies some elements, counted in row-major order, of a tensor of this shape.
  func apply(to numbers: UnsafeMutablePointer<Float>, elements: Range<Int>, shape: [Int]) {
    if factors.count == 1 {
      for i in 0..<elements.count { numbers[i] *= factors[0] }
      return
    }
    let rowSize = shape[(dimension + 1)...].reduce(1, *)
    // Run by run of one row, for a division an element takes longer than reading it.
    var start = elements.lowerBound
    while start < elements.upperBound {
      let row = start / rowSize
      let end = min((row + 1) * rowSize, elements.upperBound)
      let factor = factors[row % factors.count]
      for element in start..<end { numbers[element - elements.lowerBound] *= factor }
      start = end
    }
  }
}
