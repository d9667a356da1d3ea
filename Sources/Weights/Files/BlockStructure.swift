/// The number of blocks and layers of a network, found from the numbers in the tensors' names.
///
/// It tolerates missing and unknown tensors, because only an audit with the right structure can report them.
package struct BlockStructure: Equatable, Sendable {
  package var blockCount: Int
  /// The number of layers in a down block; up blocks have one more.
  package var layersPerBlock: Int
  /// For each down block, whether the last layer of the mirrored up block is followed by a transformer. The number of the
  /// upsampler in an LDM UNet depends on it.
  package var endsInTransformer: [Bool]

  /// Creates a structure.
  package init(blockCount: Int, layersPerBlock: Int, endsInTransformer: [Bool]) {
    self.blockCount = blockCount
    self.layersPerBlock = layersPerBlock
    self.endsInTransformer = endsInTransformer
  }

  /// Reads the names of an LDM UNet without their prefix; nil if they are not those of such a UNet.
  init?(ldmUNet names: [Substring]) {
    var inputs = Set<Int>()
    var outputs = Set<Int>()
    var attentionOutputs = Set<Int>()
    // What the upsampler's name shows, by the number of the layer.
    var upsamplers: [Int: Bool] = [:]
    // A block ends at each of these numbers, so all of them are multiples of its length.
    var ends = Set<Int>()
    for name in names {
      let components = name.split(separator: ".", maxSplits: 3, omittingEmptySubsequences: false)
      guard components.count == 4, let number = Self.number(components[1]) else { continue }
      let isAttention = components[2] == "1" && components[3].hasPrefix("transformer_blocks.")
      switch components[0] {
      case "input_blocks":
        inputs.insert(number)
        if components[2] == "0" && components[3].hasPrefix("op.") && number > 0 { ends.insert(number) }
      case "output_blocks":
        outputs.insert(number)
        if isAttention { attentionOutputs.insert(number) }
        if components[3].hasPrefix("conv.") {
          ends.insert(number + 1)
          upsamplers[number] = components[2] == "2"
        }
      default: continue
      }
    }
    guard let last = inputs.union(outputs).max() else { return nil }
    let stride = ends.isEmpty ? last + 1 : ends.reduce(0, Self.greatestCommonDivisor)
    guard stride >= 2 else { return nil }
    // Inputs and outputs both have `blockCount * stride` numbers. Choose the count with the fewest missing or extra numbers.
    func faults(_ blockCount: Int) -> Int {
      [inputs, outputs].reduce(0) { faults, row in
        let within = row.count { $0 < blockCount * stride }
        return faults + (blockCount * stride - within) + (row.count - within)
      }
    }
    let blockCount = (1...last / stride + 1).min { faults($0) < faults($1) } ?? 1
    self.blockCount = blockCount
    layersPerBlock = stride - 1
    endsInTransformer = (0..<blockCount).map { block in
      let last = stride * (blockCount - block) - 1
      return upsamplers[last] ?? attentionOutputs.contains { blockCount - 1 - $0 / stride == block }
    }
  }

  /// Reads the names of a diffusers UNet without their prefix; nil if they are not those of such a UNet.
  init?(diffusersUNet names: [Substring]) {
    var blocks = 0
    var layers = 0
    for name in names {
      let components = name.split(separator: ".", maxSplits: 4, omittingEmptySubsequences: false)
      guard components.count == 5, let block = Self.number(components[1]), let layer = Self.number(components[3]) else {
        continue
      }
      let isDown = components[0] == "down_blocks"
      guard isDown || components[0] == "up_blocks" else { continue }
      blocks = max(blocks, block + 1)
      // Up blocks have one layer more.
      if components[2] == "resnets" { layers = max(layers, isDown ? layer + 1 : layer) }
    }
    guard blocks > 0, layers > 0 else { return nil }
    self.init(
      blockCount: blocks, layersPerBlock: layers, endsInTransformer: Array(repeating: false, count: blocks))
  }

  /// Reads the names of an LDM VAE without their prefix; nil if there is no decoder.
  init?(ldmVAE names: [Substring]) {
    self.init(upward: names, block: "decoder.up.", layer: "block")
  }

  /// Reads the names of a diffusers VAE without their prefix; nil if there is no decoder.
  init?(diffusersVAE names: [Substring]) {
    self.init(upward: names, block: "decoder.up_blocks.", layer: "resnets")
  }

  /// Counts up blocks and their layers in names like `decoder.up.3.block.2.conv1.weight`.
  private init?(upward names: [Substring], block prefix: String, layer: String) {
    var lastBlock = -1
    var lastLayer = -1
    for name in names where name.hasPrefix(prefix) {
      let inner = name.dropFirst(prefix.count)
      let components = inner.split(separator: ".", maxSplits: 3, omittingEmptySubsequences: false)
      guard components.count > 2, let block = Self.number(components[0]) else { continue }
      lastBlock = max(lastBlock, block)
      if components[1] == layer, let layer = Self.number(components[2]) { lastLayer = max(lastLayer, layer) }
    }
    guard lastBlock >= 0, lastLayer > 0 else { return nil }
    blockCount = lastBlock + 1
    layersPerBlock = lastLayer
    endsInTransformer = Array(repeating: false, count: blockCount)
  }

  /// The number in a name; nil for other text and for numbers larger than any network has.
  private static func number(_ component: Substring) -> Int? {
    guard let number = Int(component), (0..<100).contains(number) else { return nil }
    return number
  }

  private static func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
    b == 0 ? a : greatestCommonDivisor(b, a % b)
  }
}
