/// Numbers that stand beside a tensor, and are multiplied with it as it is read: one for all of it, one for each row, or one
/// for each block of a matrix.
struct WeightScale: Sendable {
  /// Row by row of the blocks.
  private let factors: [Float]
  /// How many blocks lie beside each other.
  private let blocksInRow: Int
  /// Rows of a block.
  private let blockRows: Int
  /// Numbers of a block in each of its rows.
  private let blockColumns: Int
  /// Rows before the first one that is read; of parts of a tensor.
  private var firstRow = 0
  /// Rows of the tensor.
  private var rows: Int
  /// Whether rows and columns of the tensor have been exchanged.
  private var isTransposed = false

  /// Sides of blocks where nothing else is said, as DeepSeek's models introduced them.
  private static let usualSide = 128

  /// The scale of a tensor with the shape `shape`, from the numbers in a tensor of the shape `factorShape`.
  ///
  /// One number, with any number of dimensions, is for all; as many as rows are for those; and in a matrix of numbers each is
  /// for a block of a matrix of weights: for equal parts of its sides, or for squares of 128 of which the last may be cut off.
  /// Nothing where the shapes do not go together, or in more than one way.
  ///
  /// - Parameters:
  ///   - factors: The numbers.
  ///   - factorShape: How they are laid out.
  ///   - shape: Of the weights.
  ///   - isOfSquares: Whether blocks are squares of 128 for sure.
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
      let isCut = (size + Self.usualSide - 1) / Self.usualSide == count
      return (isCut ? Self.usualSide : nil, size.isMultiple(of: count) ? size / count : nil)
    }
    let squares = sides.compactMap(\.0)
    let equal = isOfSquares ? [] : sides.compactMap(\.1)
    switch (squares.count == 2, equal.count == 2) {
    case (true, false): (blockRows, blockColumns) = (squares[0], squares[1])
    case (false, true): (blockRows, blockColumns) = (equal[0], equal[1])
    case (true, true):
      // Blocks that reach to the end on both sides, or past it, are the same.
      guard zip(zip(squares, equal), factorShape).allSatisfy({ $0.0 == $0.1 || $1 == 1 }) else { return nil }
      (blockRows, blockColumns) = (squares[0], squares[1])
    case (false, false): return nil
    }
    blocksInRow = factorShape[1]
  }

  /// Of one of `count` equal parts of the rows.
  func part(_ index: Int, of count: Int) -> WeightScale {
    guard !isTransposed else { return self }
    var part = self
    part.rows = rows / count
    part.firstRow += index * part.rows
    return part
  }

  /// Of the matrix with rows and columns exchanged.
  var transposed: WeightScale {
    var other = self
    other.isTransposed.toggle()
    return other
  }

  /// Multiplies some elements, counted in row-major order, of a tensor of this shape.
  func apply(to numbers: UnsafeMutablePointer<Float>, elements: Range<Int>, shape: [Int]) {
    if factors.count == 1 {
      for i in 0..<elements.count { numbers[i] *= factors[0] }
      return
    }
    let lineSize = shape.dropFirst().reduce(1, *)
    // Run by run of one block, for a division an element takes longer than reading it.
    var start = elements.lowerBound
    while start < elements.upperBound {
      let (line, place) = start.quotientAndRemainder(dividingBy: lineSize)
      let row = firstRow + (isTransposed ? place : line)
      let column = isTransposed ? line : place
      let run = isTransposed ? blockRows - row % blockRows : blockColumns - column % blockColumns
      let end = min(start + min(run, lineSize - place), elements.upperBound)
      let factor = factors[row / blockRows * blocksInRow + column / blockColumns]
      for element in start..<end { numbers[element - elements.lowerBound] *= factor }
      start = end
    }
  }
}
