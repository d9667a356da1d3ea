import TensorFiles
import Tensors
import Weights

/// A table with a row for each token, which stays in its file: a text needs a few hundred rows of a table of up to a gigabyte.
struct FiledEmbedding {
  private let table: StoredTensor

  /// Creates a table of `count` rows of `width` numbers. Throws `WeightError`.
  init(_ w: WeightScope, count: Int, width: Int) throws(WeightError) {
    table = try w.tensor("weight", shape: [count, width])
  }

  /// The rows of some tokens, `[1, 1, ids, width]` in fp32. Throws `WeightError`.
  func rows(_ ids: [Int32], _ compute: Compute) throws(WeightError) -> Tensor {
    let (count, width) = (table.shape[0], table.shape[1])
    let x = compute.tensor(batch: 1, height: 1, width: ids.count, channels: width, elementType: .fp32)
    for (index, id) in ids.enumerated() {
      guard (0..<count).contains(Int(id)) else {
        throw .configuration(
          path: table.path, key: "rows of \(table.name)", found: "\(count)",
          expected: "more than \(id), an id of the tokenizer; the tokenizer belongs to another model")
      }
      let first = Int(id) * width
      try WeightError.wrapping(try table.read(elements: first..<first + width, into: x.pixel(0, 0, index)))
    }
    return x
  }
}
