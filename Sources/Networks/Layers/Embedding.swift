import Tensors
import Weights

/// A table with one row for each token or position.
public struct Embedding {
  /// The number of rows.
  public let count: Int
  /// The number of floats in a row.
  public let width: Int
  private let table: Patched<[Float]>

  /// Reads `weight`.
  ///
  /// - Parameters:
  ///   - w: The weights of this layer.
  ///   - count: The number of rows.
  ///   - width: The number of floats in a row.
  /// - Throws: `WeightError`.
  public init(_ w: WeightScope, count: Int, width: Int) throws {
    table = try Patched(w, ["weight"]) { () throws(WeightError) in try w.floats("weight", shape: [count, width]) }
    self.count = count
    self.width = width
  }

  /// The floats of one row.
  ///
  /// - Parameter row: 0 to `count - 1`.
  public subscript(_ row: Int) -> ArraySlice<Float> { table.value[row * width..<(row + 1) * width] }
}
