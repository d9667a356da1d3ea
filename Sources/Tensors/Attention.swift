import CKernels

/// Keys and values of one sequence, packed for the attention kernel, head by head.
///
/// For cross-attention they depend on the prompt alone, so they are packed once a prompt and kept.
public final class KeysValues {
  /// How many tokens there are.
  public let count: Int
  let heads: Int
  let headWidth: Int
  let elementType: ElementType
  private let panelWidth: Int
  private let buffer: Buffer

  /// Numbers of one head's keys, and of its values. In bf16 neighbours along the sums lie in pairs.
  private var keySize: Int { (count + panelWidth - 1) / panelWidth * panelWidth * paired(headWidth) }
  private var valueSize: Int { (headWidth + panelWidth - 1) / panelWidth * panelWidth * paired(count) }

  private func paired(_ length: Int) -> Int { elementType == .bf16 ? length + length % 2 : length }

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
    elementType = keys.elementType
    let keyPanels = (count + panelWidth - 1) / panelWidth
    let valuePanels = (headWidth + panelWidth - 1) / panelWidth
    let pairing = elementType == .bf16 ? 2 : 1
    let keyHeight = (headWidth + pairing - 1) / pairing * pairing
    let valueHeight = (count + pairing - 1) / pairing * pairing
    buffer = compute.workspace.buffer(
      bytes: heads * (keyPanels * keyHeight + valuePanels * valueHeight) * panelWidth * elementType.size)
    compute.pool.run(heads * keyPanels) { part in
      let (head, panel) = (part / keyPanels, part % keyPanels)
      switch elementType {
      case .fp32: packKeys(keys.pixel(image, 0, 0), head: head, panel: panel)
      case .bf16: packKeyPairs(keys.pixel16(image, 0, 0), head: head, panel: panel)
      }
    }
    compute.pool.run(heads * valuePanels) { part in
      let (head, panel) = (part / valuePanels, part % valuePanels)
      switch elementType {
      case .fp32: packValues(values.pixel(image, 0, 0), head: head, panel: panel)
      case .bf16: packValuePairs(values.pixel16(image, 0, 0), head: head, panel: panel)
      }
    }
  }

  func keys(_ head: Int) -> UnsafeMutablePointer<Float> {
    buffer.raw.assumingMemoryBound(to: Float.self) + head * keySize
  }

  func values(_ head: Int) -> UnsafeMutablePointer<Float> {
    buffer.raw.assumingMemoryBound(to: Float.self) + heads * keySize + head * valueSize
  }

  func keys16(_ head: Int) -> UnsafeMutablePointer<UInt16> {
    buffer.raw.assumingMemoryBound(to: UInt16.self) + head * keySize
  }

  func values16(_ head: Int) -> UnsafeMutablePointer<UInt16> {
    buffer.raw.assumingMemoryBound(to: UInt16.self) + heads * keySize + head * valueSize
  }

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

  /// `[head width / 2][panel width][2]`: a transpose of pairs.
  private func packKeyPairs(_ source: UnsafePointer<UInt16>, head: Int, panel: Int) {
    let channels = heads * headWidth
    let pairs = paired(headWidth) / 2
    let destination = UnsafeMutableRawPointer(keys16(head) + panel * 2 * pairs * panelWidth)
      .assumingMemoryBound(to: UInt32.self)
    let present = min(panelWidth, count - panel * panelWidth)
    if present < panelWidth { destination.update(repeating: 0, count: pairs * panelWidth) }
    for column in 0..<present {
      let row = source + (panel * panelWidth + column) * channels + head * headWidth
      for pair in 0..<headWidth / 2 {
        destination[pair * panelWidth + column] = UInt32(row[2 * pair]) | UInt32(row[2 * pair + 1]) << 16
      }
      if headWidth % 2 > 0 { destination[(pairs - 1) * panelWidth + column] = UInt32(row[headWidth - 1]) }
    }
  }

  /// `[count / 2][panel width][2]`: two rows, number by number.
  private func packValuePairs(_ source: UnsafePointer<UInt16>, head: Int, panel: Int) {
    let channels = heads * headWidth
    let first = panel * panelWidth
    let present = min(panelWidth, headWidth - first)
    var destination = UnsafeMutableRawPointer(values16(head) + panel * paired(count) * panelWidth)
      .assumingMemoryBound(to: UInt32.self)
    for key in stride(from: 0, to: count, by: 2) {
      let even = source + key * channels + head * headWidth + first
      if key + 1 < count {
        let odd = even + channels
        for c in 0..<present { destination[c] = UInt32(even[c]) | UInt32(odd[c]) << 16 }
      } else {
        for c in 0..<present { destination[c] = UInt32(even[c]) }
      }
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
    precondition(sources.allSatisfy { $0.elementType == q.elementType }, "the keys hold other numbers than the queries")
    let out = tensor(like: q)
    let queries = q.height * q.width
    let blockSize = Int(q.elementType == .fp32 ? CK_ATTENTION_ROWS : CK_BF16_ATTENTION_ROWS)
    let blocks = (queries + blockSize - 1) / blockSize
    let heads = sources[0].heads
    pool.run(q.batch * heads * blocks) { part in
      let image = part / (heads * blocks)
      let head = part / blocks % heads
      let first = part % blocks * blockSize
      let source = sources[image]
      let offset = (image * queries + first) * q.channels + head * source.headWidth
      let rows = min(blockSize, queries - first)
      let visible = mask == .causal ? first + 1 : source.count
      switch q.elementType {
      case .fp32: attend(q, source, head: head, rows: rows, visible: visible, offset: offset, into: out)
      case .bf16: attend16(q, source, head: head, rows: rows, visible: visible, offset: offset, into: out)
      }
    }
    return out
  }

  private func attend(
    _ q: Tensor, _ source: KeysValues, head: Int, rows: Int, visible: Int, offset: Int, into out: Tensor
  ) {
    let scoreWidth = (source.count + kernels.panelWidth - 1) / kernels.panelWidth * kernels.panelWidth
    withUnsafeTemporaryAllocation(byteCount: rows * scoreWidth * 4, alignment: 64) { scores in
      var call = ck_attention()
      call.q = UnsafePointer(q.base + offset)
      call.q_stride = q.channels
      call.rows = rows
      call.d = source.headWidth
      call.keys = UnsafePointer(source.keys(head))
      call.values = UnsafePointer(source.values(head))
      call.count = source.count
      call.visible = visible
      call.scale = 1 / Float(source.headWidth).squareRoot()
      call.scores = scores.baseAddress?.assumingMemoryBound(to: Float.self)
      call.out = out.base + offset
      call.out_stride = q.channels
      kernels.table.pointee.attention(&call)
    }
  }

  private func attend16(
    _ q: Tensor, _ source: KeysValues, head: Int, rows: Int, visible: Int, offset: Int, into out: Tensor
  ) {
    let width = (source.headWidth + kernels.panelWidth - 1) / kernels.panelWidth * kernels.panelWidth
    // CK_BF16_ATTENTION_SCRATCH, which the importer does not see.
    let scratchSize = Int(CK_BF16_ATTENTION_ROWS) * (Int(CK_BF16_ATTENTION_KEYS) * 3 / 2 + width)
    withUnsafeTemporaryAllocation(byteCount: scratchSize * 4, alignment: 64) { scratch in
      var call = ck_bf16_attention()
      call.q = UnsafePointer(q.base16 + offset)
      call.q_stride = q.channels
      call.rows = rows
      call.d = source.headWidth
      call.keys = UnsafePointer(source.keys16(head))
      call.values = UnsafePointer(source.values16(head))
      call.count = source.count
      call.visible = visible
      call.scale = 1 / Float(source.headWidth).squareRoot()
      call.scratch = scratch.baseAddress?.assumingMemoryBound(to: Float.self)
      call.out = out.base16 + offset
      call.out_stride = q.channels
      kernels.table.pointee.attention_bf16(&call)
    }
  }
}
