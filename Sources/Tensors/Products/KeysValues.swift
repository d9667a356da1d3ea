/// Keys and values of one sequence, packed for the attention kernel, head by head.
///
/// For cross-attention they depend on the prompt only, so they are packed once for each prompt and kept.
public final class KeysValues {
  /// How many tokens there are.
  public let count: Int
  let heads: Int
  let headWidth: Int
  let elementType: ElementType
  private let panelWidth: Int
  private let buffer: Buffer

  /// Packs the keys and values of one image.
  ///
  /// - Parameters:
  ///   - keys: `[batch, height, width, heads * head width]`; every pixel is a token.
  ///   - values: Of the same shape.
  ///   - image: The index of the image in the batch.
  ///   - heads: How many heads share the channels.
  ///   - count: How many tokens are keys, from the first on; nil for all.
  ///   - compute: The kernels to pack for, and the threads to do it.
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
    let keyHeight = Self.paired(headWidth, elementType)
    let valueHeight = Self.paired(count, elementType)
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

  /// The packed keys of a head: `[panels of keys][head width][panel width]`, and in bf16 two channels of a key together.
  func keys<Number: TensorNumber>(_ head: Int, as type: Number.Type) -> UnsafeMutablePointer<Number> {
    start(of: type) + head * keySize
  }

  /// The packed values of a head: `[panels of channels][count][panel width]`, and in bf16 two keys together.
  func values<Number: TensorNumber>(_ head: Int, as type: Number.Type) -> UnsafeMutablePointer<Number> {
    start(of: type) + heads * keySize + head * valueSize
  }

  private func start<Number: TensorNumber>(of type: Number.Type) -> UnsafeMutablePointer<Number> {
    precondition(type.elementType == elementType, "the keys have another element type")
    return buffer.raw.assumingMemoryBound(to: type)
  }

  /// Numbers of one head's keys, and of its values.
  private var keySize: Int {
    (count + panelWidth - 1) / panelWidth * panelWidth * Self.paired(headWidth, elementType)
  }
  private var valueSize: Int {
    (headWidth + panelWidth - 1) / panelWidth * panelWidth * Self.paired(count, elementType)
  }

  /// Numbers along a sum, rounded up to whole pairs in bf16.
  private static func paired(_ length: Int, _ elementType: ElementType) -> Int {
    switch elementType {
    case .fp32: length
    case .bf16: length + length % 2
    }
  }

  // MARK: Packing

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
