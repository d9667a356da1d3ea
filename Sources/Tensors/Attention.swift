import CKernels

/// Keys and values of one sequence, packed for the attention kernel, head by head.
///
/// For cross-attention they depend on the prompt alone, so they are packed once a prompt and kept.
public final class KeysValues {
  /// How many tokens there are.
  public let count: Int
  let heads: Int
  let headWidth: Int
  private let panelWidth: Int
  private let buffer: Buffer

  private var keyFloats: Int { (count + panelWidth - 1) / panelWidth * panelWidth * headWidth }
  private var valueFloats: Int { (headWidth + panelWidth - 1) / panelWidth * panelWidth * count }

  /// Packs the keys and values of one image.
  ///
  /// - Parameters:
  ///   - keys: `[batch, 1, count, heads * width]`.
  ///   - values: Of the same shape.
  ///   - image: Which of the batch.
  ///   - heads: How many heads share the channels.
  ///   - compute: The kernels to pack for, and the threads to do it.
  public init(keys: Tensor, values: Tensor, image: Int, heads: Int, compute: Compute) {
    count = keys.height * keys.width
    self.heads = heads
    headWidth = keys.channels / heads
    panelWidth = compute.kernels.panelWidth
    let keyPanels = (count + panelWidth - 1) / panelWidth
    let valuePanels = (headWidth + panelWidth - 1) / panelWidth
    buffer = compute.workspace.buffer(heads * (keyPanels * headWidth + valuePanels * count) * panelWidth)
    compute.pool.run(heads * keyPanels) { part in
      packKeys(keys.pixel(image, 0, 0), head: part / keyPanels, panel: part % keyPanels)
    }
    compute.pool.run(heads * valuePanels) { part in
      packValues(values.pixel(image, 0, 0), head: part / valuePanels, panel: part % valuePanels)
    }
  }

  func keys(_ head: Int) -> UnsafeMutablePointer<Float> { buffer.floats + head * keyFloats }

  func values(_ head: Int) -> UnsafeMutablePointer<Float> { buffer.floats + heads * keyFloats + head * valueFloats }

  /// A panel is the transpose of `panelWidth` keys.
  private func packKeys(_ source: UnsafePointer<Float>, head: Int, panel: Int) {
    let channels = heads * headWidth
    let destination = keys(head) + panel * headWidth * panelWidth
    for column in 0..<panelWidth {
      let key = panel * panelWidth + column
      if key < count {
        let row = source + key * channels + head * headWidth
        for c in 0..<headWidth { destination[c * panelWidth + column] = row[c] }
      } else {
        for c in 0..<headWidth { destination[c * panelWidth + column] = 0 }
      }
    }
  }

  private func packValues(_ source: UnsafePointer<Float>, head: Int, panel: Int) {
    let channels = heads * headWidth
    let first = panel * panelWidth
    let present = min(panelWidth, headWidth - first)
    var destination = values(head) + panel * count * panelWidth
    for key in 0..<count {
      destination.update(from: source + key * channels + head * headWidth + first, count: present)
      (destination + present).update(repeating: 0, count: panelWidth - present)
      destination += panelWidth
    }
  }
}

/// Which keys a query sees.
public enum AttentionMask: Sendable {
  /// All of them.
  case none
  /// Those up to its own place.
  case causal
}

extension Compute {
  /// softmax(q kᵀ / √width) v for every head. Scores exist for a few queries at a time only.
  ///
  /// - Parameters:
  ///   - q: `[batch, height, width, heads * head width]` without a border; every pixel is a query.
  ///   - sources: The keys and values of each image of the batch.
  ///   - mask: Which keys a query sees.
  /// - Returns: Of `q`'s shape.
  ///
  /// Source: Vaswani et al. 2017, "Attention Is All You Need", arXiv:1706.03762.
  public func attention(_ q: Tensor, _ sources: [KeysValues], mask: AttentionMask = .none) -> Tensor {
    precondition(q.border == 0 && sources.count == q.batch, "one set of keys and values for each image")
    let out = tensor(like: q)
    let queries = q.height * q.width
    let blockSize = Int(CK_ATTENTION_ROWS)
    let blocks = (queries + blockSize - 1) / blockSize
    let heads = sources[0].heads
    pool.run(q.batch * heads * blocks) { part in
      let image = part / (heads * blocks)
      let head = part / blocks % heads
      let first = part % blocks * blockSize
      let source = sources[image]
      let rows = min(blockSize, queries - first)
      let scoreWidth = (source.count + kernels.panelWidth - 1) / kernels.panelWidth * kernels.panelWidth
      let offset = (image * queries + first) * q.channels + head * source.headWidth
      withUnsafeTemporaryAllocation(byteCount: rows * scoreWidth * 4, alignment: 64) { scores in
        var call = ck_attention()
        call.q = UnsafePointer(q.base + offset)
        call.q_stride = q.channels
        call.rows = rows
        call.d = source.headWidth
        call.keys = UnsafePointer(source.keys(head))
        call.values = UnsafePointer(source.values(head))
        call.count = source.count
        call.visible = mask == .causal ? first + 1 : source.count
        call.scale = 1 / Float(source.headWidth).squareRoot()
        call.scores = scores.baseAddress?.assumingMemoryBound(to: Float.self)
        call.out = out.base + offset
        call.out_stride = q.channels
        kernels.table.pointee.attention(&call)
      }
    }
    return out
  }
}
