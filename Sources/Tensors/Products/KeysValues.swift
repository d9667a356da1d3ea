import CKernels

/// The keys and values of one sequence, packed for the attention kernel, head by head.
///
/// For cross-attention they depend only on the prompt, so they are packed once for each prompt and kept.
public final class KeysValues {
  /// The number of tokens.
  public let count: Int
  let heads: Int
  let headWidth: Int
  let elementType: ElementType
  /// Whether the keys are bytes: quantised after subtracting their mean, with a scale for each.
  let hasByteKeys: Bool
  private let panelWidth: Int
  private let buffer: Buffer

  /// Sequences with fewer keys than this use bf16, because their scores take little of the time.
  private static let leastByteKeys = 128

  /// Packs the keys and values of one image.
  ///
  /// - Parameters:
  ///   - keys: `[batch, height, width, heads * head width]`; every pixel is a token.
  ///   - values: The values, of the same shape.
  ///   - image: The index of the image in the batch.
  ///   - heads: The number of heads that share the channels.
  ///   - count: The number of tokens that are keys, from the first on; nil for all.
  ///   - compute: The kernels to pack for, and the threads that pack.
  public init(keys: Tensor, values: Tensor, image: Int, heads: Int, count: Int? = nil, compute: Compute) {
    self.count = count ?? keys.height * keys.width
    precondition((1...max(keys.height * keys.width, 1)).contains(self.count), "more keys than tokens")
    let count = self.count
    self.heads = heads
    headWidth = keys.channels / heads
    panelWidth = compute.kernels.panelWidth
    elementType = keys.elementType
    let keyPanels = (count + panelWidth - 1) / panelWidth
    let valuePanels = (headWidth + panelWidth - 1) / panelWidth
    hasByteKeys =
      compute.precision == .int8 && compute.kernels.isFastInInt8 && elementType == .bf16
      && count >= Self.leastByteKeys && headWidth <= Int(CK_INT8_ATTENTION_WIDTH)
    let keyHeight = Self.paired(headWidth, elementType)
    let valueHeight = Self.paired(count, elementType)
    let keySize =
      hasByteKeys
      ? keyPanels * panelWidth * ((headWidth + 3) / 4 * 4 + 8) : keyPanels * keyHeight * panelWidth * elementType.size
    buffer = compute.workspace.buffer(
      bytes: heads * (keySize + valuePanels * valueHeight * panelWidth * elementType.size))
    if hasByteKeys {
      let means = Self.means(keys, image: image, compute)
      compute.pool.run(heads * keyPanels) { part in
        packByteKeys(keys.pixel16(image, 0, 0), means, head: part / keyPanels, panel: part % keyPanels, compute)
      }
    } else {
      compute.pool.run(heads * keyPanels) { part in
        let (head, panel) = (part / keyPanels, part % keyPanels)
        switch elementType {
        case .fp32: packKeys(keys.pixel(image, 0, 0), head: head, panel: panel)
        case .bf16: packKeyPairs(keys.pixel16(image, 0, 0), head: head, panel: panel)
        }
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

  /// The packed keys of a head: `[panels of keys][head width][panel width]`; in bf16, two channels of a key are stored
  /// together.
  func keys<Number: TensorNumber>(_ head: Int, as type: Number.Type) -> UnsafeMutablePointer<Number> {
    start(of: type) + head * keySize
  }

  /// The packed values of a head: `[panels of channels][count][panel width]`; in bf16, two keys are stored together.
  func values<Number: TensorNumber>(_ head: Int, as type: Number.Type) -> UnsafeMutablePointer<Number> {
    let keyBytes = heads * (hasByteKeys ? byteKeySize : keySize * elementType.size)
    return start(of: type) + keyBytes / elementType.size + head * valueSize
  }

  /// The keys of a head as bytes, `[panels of keys][head width / 4][panel width][4]`, then the scale of each key, and the start
  /// value of its sums.
  func byteKeys(_ head: Int) -> (
    keys: UnsafeMutablePointer<Int8>, scales: UnsafeMutablePointer<Float>, sums: UnsafeMutablePointer<Int32>
  ) {
    let panels = (count + panelWidth - 1) / panelWidth
    let bytes = panels * panelWidth * ((headWidth + 3) / 4 * 4)
    let start = buffer.raw + head * byteKeySize
    return (
      start.assumingMemoryBound(to: Int8.self), (start + bytes).assumingMemoryBound(to: Float.self),
      (start + bytes + panels * panelWidth * 4).assumingMemoryBound(to: Int32.self)
    )
  }

  /// The size in bytes of one head's keys with their scales and sums.
  private var byteKeySize: Int {
    (count + panelWidth - 1) / panelWidth * panelWidth * ((headWidth + 3) / 4 * 4 + 8)
  }

  private func start<Number: TensorNumber>(of type: Number.Type) -> UnsafeMutablePointer<Number> {
    precondition(type.elementType == elementType, "the keys have another element type")
    return buffer.raw.assumingMemoryBound(to: type)
  }

  /// The count of numbers in one head's keys, and in its values.
  private var keySize: Int {
    (count + panelWidth - 1) / panelWidth * panelWidth * Self.paired(headWidth, elementType)
  }
  private var valueSize: Int {
    (headWidth + panelWidth - 1) / panelWidth * panelWidth * Self.paired(count, elementType)
  }

  /// The length of a sum; in bf16 it is rounded up to whole pairs.
  private static func paired(_ length: Int, _ elementType: ElementType) -> Int {
    switch elementType {
    case .fp32: length
    case .bf16: length + length % 2
    }
  }

  // MARK: Packing

  /// The mean of each channel over all tokens of an image. Tokens are summed in blocks, whose order depends only on the sizes.
  private static func means(_ keys: Tensor, image: Int, _ compute: Compute) -> [Float] {
    let (count, channels) = (keys.height * keys.width, keys.channels)
    let block = 256
    let blocks = (count + block - 1) / block
    var partial = [Float](repeating: 0, count: blocks * channels)
    partial.withUnsafeMutableBufferPointer { partial in
      guard let partial = partial.baseAddress else { return }
      nonisolated(unsafe) let start = partial
      compute.pool.run(blocks) { index in
        let first = index * block
        withUnsafeTemporaryAllocation(of: Float.self, capacity: channels) { unused in
          guard let unused = unused.baseAddress else { return }
          compute.kernels.table.pointee.moments_bf16(
            keys.pixel16(image, 0, 0) + first * channels, min(block, count - first), channels,
            start + index * channels, unused)
        }
      }
    }
    var means = [Float](repeating: 0, count: channels)
    for index in 0..<blocks {
      let share = Float(min(block, count - index * block)) / Float(count)
      for channel in 0..<channels { means[channel] += share * partial[index * channels + channel] }
    }
    return means
  }

  private func packByteKeys(
    _ source: UnsafePointer<UInt16>, _ means: [Float], head: Int, panel: Int, _ compute: Compute
  ) {
    let channels = heads * headWidth
    let (keys, scales, sums) = byteKeys(head)
    means.withUnsafeBufferPointer { means in
      var call = ck_quantized_keys()
      call.x = source + panel * panelWidth * channels + head * headWidth
      call.x_stride = channels
      call.rows = min(panelWidth, count - panel * panelWidth)
      call.d = headWidth
      call.mean = means.baseAddress.map { $0 + head * headWidth }
      call.panel = keys + panel * panelWidth * ((headWidth + 3) / 4 * 4)
      call.scale = scales + panel * panelWidth
      call.sum = sums + panel * panelWidth
      compute.kernels.table.pointee.quantize_keys(&call)
    }
  }

  /// A panel is the transpose of `panelWidth` keys.
  private func packKeys(_ source: UnsafePointer<Float>, head: Int, panel: Int) {
    let channels = heads * headWidth
    let destination = keys(head, as: Float.self) + panel * headWidth * panelWidth
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
    var destination = values(head, as: Float.self) + panel * count * panelWidth
    for key in 0..<count {
      destination.update(from: source + key * channels + head * headWidth + first, count: present)
      (destination + present).update(repeating: 0, count: panelWidth - present)
      destination += panelWidth
    }
  }

  /// `[head width / 2][panel width][2]`: a transpose of pairs.
  private func packKeyPairs(_ source: UnsafePointer<UInt16>, head: Int, panel: Int) {
    let channels = heads * headWidth
    let pairs = Self.paired(headWidth, elementType) / 2
    let destination = UnsafeMutableRawPointer(keys(head, as: UInt16.self) + panel * 2 * pairs * panelWidth)
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

  /// `[count / 2][panel width][2]`: two rows, interleaved.
  private func packValuePairs(_ source: UnsafePointer<UInt16>, head: Int, panel: Int) {
    let channels = heads * headWidth
    let first = panel * panelWidth
    let present = min(panelWidth, headWidth - first)
    let start = values(head, as: UInt16.self) + panel * Self.paired(count, elementType) * panelWidth
    var destination = UnsafeMutableRawPointer(start).assumingMemoryBound(to: UInt32.self)
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
