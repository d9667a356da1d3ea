import Jobs
import Models
import Tensors
import Tokenization

/// Turns prompts into contexts for the UNet, and remembers the last few: a grid has many images of one prompt.
final class PromptEncoder {
  private let tokenizer: CLIPTokenizer
  private let textModel: CLIPTextModel
  private let unet: UNet
  private let compute: Compute
  private var remembered: [(key: Key, context: UNetContext)] = []

  private struct Key: Hashable {
    let prompt: String
    let clipSkip: Int
  }

  /// Contexts kept: those of a full-size model take some 10 MB each.
  private static let capacity = 32

  init(tokenizer: CLIPTokenizer, textModel: CLIPTextModel, unet: UNet, compute: Compute) {
    self.tokenizer = tokenizer
    self.textModel = textModel
    self.unet = unet
    self.compute = compute
  }

  /// The context of a prompt: its chunks of 77 tokens one after the other, emphasised, projected for every
  /// cross-attention.
  func encode(_ prompt: String, clipSkip: Int) throws -> UNetContext {
    let key = Key(prompt: prompt, clipSkip: clipSkip)
    if let index = remembered.firstIndex(where: { $0.key == key }) {
      let entry = remembered.remove(at: index)
      remembered.append(entry)
      return entry.context
    }
    let context = unet.prepare(try tokens(prompt, clipSkip: clipSkip))
    if remembered.count == Self.capacity { remembered.removeFirst() }
    remembered.append((key, context))
    return context
  }

  /// `[1, 1, 77 * chunks, width]`.
  func tokens(_ prompt: String, clipSkip: Int) throws -> Tensor {
    guard clipSkip <= textModel.layerCount else {
      throw EngineError.clipSkipTooLarge(clipSkip, layers: textModel.layerCount)
    }
    let chunks = try PromptChunks(prompt, tokenizer: tokenizer).chunks
    let encoded = chunks.map { chunk in
      let z = textModel.forward(chunk.ids, clipSkip: clipSkip)
      emphasise(z, weights: chunk.weights)
      return z
    }
    let length = encoded.reduce(0) { $0 + $1.width }
    let context = compute.tensor(batch: 1, height: 1, width: length, channels: encoded[0].channels)
    var position = 0
    for z in encoded {
      context.pixel(0, 0, position).update(from: z.base, count: z.count)
      position += z.width
    }
    return context
  }

  /// Multiplies every token with its weight, then brings the mean of the whole chunk back to what it was (the webui's
  /// "Original" emphasis).
  private func emphasise(_ z: Tensor, weights: [Float]) {
    guard weights.contains(where: { $0 != 1 }) else { return }
    let before = mean(z)
    for (token, weight) in weights.enumerated() {
      let row = z.pixel(0, 0, token)
      for c in 0..<z.channels { row[c] *= weight }
    }
    let factor = Float(before / mean(z))
    for index in 0..<z.count { z.base[index] *= factor }
  }

  private func mean(_ z: Tensor) -> Double {
    var sum = 0.0
    for index in 0..<z.count { sum += Double(z.base[index]) }
    return sum / Double(z.count)
  }
}
