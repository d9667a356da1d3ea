/// Factors that are stored with a tensor, and multiplied with it when it is read: one for the whole tensor, one for each row,
/// or one for each block of a matrix.
struct TensorScale: Sendable {
  /// The factors of the blocks, in row-major order.
  private let factors: [Float]
  /// The number of blocks in a row of blocks.
  private let blocksInRow: Int
  /// The number of rows of a block.
  private let blockRows: Int
  /// The number of columns of a block.
  private let blockColumns: Int
  /// If this is a part of a tensor, the number of the tensor's rows before it.
  private var firstRow = 0
  /// The number of rows.
  private var rows: Int
  /// Whether the tensor has been transposed.
  private var isTransposed = false

  /// The default side of a block, introduced by DeepSeek's models.
  private static let defaultSide = 128

  /// The scale of a tensor with the shape `shape`, from factors with the shape `factorShape`.
  ///
  /// A single factor is for the whole tensor. If there are as many factors as rows, each is for one row. A matrix of factors
  /// has one for each block of the weights: blocks are equal parts, or squares of 128, of which the last may be smaller. Nil if
  /// the shapes do not match, or match in more than one way.
  ///
  /// - Parameters:
  ///   - factors: The factors.
  ///   - factorShape: The shape of the factors.
  ///   - shape: The shape of the weights.
  ///   - isOfSquares: Whether the blocks are known to be squares of 128.
  init?(_ factors: [Float], factorShape: [Int], for shape: [Int], isOfSquares: Bool) {
    guard let rows = shape.first, rows > 0, !factors.isEmpty else { return nil }
    self.factors = factors
    self.rows = rows
    if !isOfSquares, factors.count == 1 {
      (blocksInRow, blockRows, blockColumns) = (1, .max, .max)
      return
    }
    if !isOfSquares, factors.count == rows, factorShape.dropFirst().allSatisfy({ $0 == 1 }) {
      (blocksInRow, blockRows, blockColumns) = (1, 1, .max)
      return
    }
    guard factorShape.count == 2, shape.count >= 2, shape.dropFirst(2).allSatisfy({ $0 == 1 }), shape[1] > 0,
      factorShape.allSatisfy({ $0 > 0 })
    else { return nil }
    let sides = zip(shape, factorShape).map { size, count in
      let isCut = (size + Self.defaultSide - 1) / Self.defaultSide == count
      return (isCut ? Self.defaultSide : nil, size.isMultiple(of: count) ? size / count : nil)
    }
    let squares = sides.compactMap(\.0)
    let equal = isOfSquares ? [] : sides.compactMap(\.1)
    switch (squares.count == 2, equal.count == 2) {
    case (true, false): (blockRows, blockColumns) = (squares[0], squares[1])
    case (false, true): (blockRows, blockColumns) = (equal[0], equal[1])
    case (true, true):
      // Both interpretations agree if the sides are equal or one block covers the whole side.
      guard zip(zip(squares, equal), factorShape).allSatisfy({ $0.0 == $0.1 || $1 == 1 }) else { return nil }
      (blockRows, blockColumns) = (squares[0], squares[1])
    case (false, false): return nil
    }
    blocksInRow = factorShape[1]
  }

  /// The scale of one of `count` equal parts of the rows.
  func part(_ index: Int, of count: Int) -> TensorScale {
    guard !isTransposed else { return self }
    var part = self
    part.rows = rows / count
    part.firstRow += index * part.rows
    return part
  }

  /// The scale of some of the rows.
  func rows(_ range: Range<Int>) -> TensorScale {
    guard !isTransposed else { return self }
    var part = self
    part.rows = range.count
    part.firstRow += range.lowerBound
    return part
  }

  /// The scale of the transposed matrix.
  var transposed: TensorScale {
    var other = self
    other.isTransposed.toggle()
    return other
  }

  /// The factors of each row of a matrix, and how many columns share a factor; nil if the factors belong to columns.
  ///
  /// - Parameters:
  ///   - rows: Rows of the matrix.
  ///   - columns: Columns of the matrix.
  /// - Returns: `[rows][blocks of columns]`.
  func byRows(_ rows: Int, columns: Int) -> (factors: [Float], columnsOfFactor: Int)? {
    if factors.count == 1 { return ([Float](repeating: factors[0], count: rows), columns) }
    guard !isTransposed else { return nil }
    let blocks = blockColumns >= columns ? 1 : (columns + blockColumns - 1) / blockColumns
    let found = (0..<rows).flatMap { row in
      (0..<blocks).map { factors[(firstRow + row) / blockRows * blocksInRow + $0] }
    }
    return (found, min(blockColumns, columns))
  }

  /// Multiplies some elements of a tensor with this shape; `elements` counts in row-major order.
  func apply(to numbers: UnsafeMutablePointer<Float>, elements: Range<Int>, shape: [Int]) {
    if factors.count == 1 {
      for i in 0..<elements.count { numbers[i] *= factors[0] }
      return
    }
    let lineSize = shape.dropFirst().reduce(1, *)
    // Work in runs within one block, because a division for each element would take longer than reading it.
    var start = elements.lowerBound
    while start < elements.upperBound {
      let (line, offset) = start.quotientAndRemainder(dividingBy: lineSize)
      let row = firstRow + (isTransposed ? offset : line)
      let column = isTransposed ? line : offset
      let run = isTransposed ? blockRows - row % blockRows : blockColumns - column % blockColumns
      let end = min(start + min(run, lineSize - offset), elements.upperBound)
      let factor = factors[row / blockRows * blocksInRow + column / blockColumns]
      for element in start..<end { numbers[element - elements.lowerBound] *= factor }
      start = end
    }
  }
}
