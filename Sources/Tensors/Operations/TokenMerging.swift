/// Which tokens of one image are merged into similar ones.
///
/// Source: Bolya & Hoffman 2023, "Token Merging for Fast Stable Diffusion", arXiv:2303.17604. Destinations are chosen as in the
/// webui: the top left token of every 2x2 square, not a random one.
public struct MergedTokens {
  /// The number of remaining tokens.
  public let count: Int
  /// For each token of the image, row by row, the index of the token that it was merged into.
  fileprivate let indices: [Int32]
  /// For each remaining token, the number of tokens that it is the mean of.
  fileprivate let sizes: [Int32]

  /// Creates the record.
  ///
  /// - Parameters:
  ///   - count: The number of tokens of the image.
  ///   - destinations: For each merged token, the token that it is merged into.
  fileprivate init(count: Int, destinations: [Int: Int]) {
    var indices = [Int32](repeating: 0, count: count)
    var left: Int32 = 0
    for token in 0..<count where destinations[token] == nil {
      indices[token] = left
      left += 1
    }
    for (token, destination) in destinations { indices[token] = indices[destination] }
    var sizes = [Int32](repeating: 0, count: Int(left))
    for index in indices { sizes[Int(index)] += 1 }
    self.count = Int(left)
    self.indices = indices
    self.sizes = sizes
  }
}

extension Compute {
  /// Finds the tokens of each image that are most similar to a destination, measured by the cosine.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]` without a border.
  ///   - ratio: The share of all tokens to merge; limited to those that are not destinations.
  /// - Returns: One choice for each image; nil if no token is merged.
  public func mergedTokens(_ x: Tensor, ratio: Double) -> [MergedTokens]? {
    let tokens = TokenSquares(x)
    let count = min(Int(Double(x.height * x.width) * ratio), tokens.sources.count)
    guard count > 0, !tokens.destinations.isEmpty else { return nil }
    let directions = directions(x)
    return (0..<x.batch).map { image in
      let best = nearest(directions, image: image, tokens)
      // Sort ties in the order of the image, so that the choice does not depend on the sorting algorithm.
      let order = tokens.sources.indices.sorted { a, b in
        best[a].cosine == best[b].cosine ? a < b : best[a].cosine > best[b].cosine
      }
      let pairs = order.prefix(count).map { (tokens.sources[$0], tokens.destinations[best[$0].destination]) }
      return MergedTokens(count: x.height * x.width, destinations: Dictionary(uniqueKeysWithValues: pairs))
    }
  }

  /// The remaining tokens of each image; each is the mean of the tokens that were merged into it.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]` without a border.
  ///   - merged: One choice for each image, all with the same count.
  /// - Returns: `[batch, 1, count, channels]`.
  public func merge(_ x: Tensor, _ merged: [MergedTokens]) -> Tensor {
    let y = tensor(batch: x.batch, height: 1, width: merged[0].count, channels: x.channels, elementType: x.elementType)
    let values = converted(x, to: .fp32)
    let sums =
      x.elementType == .fp32
      ? y
      : tensor(
        batch: y.batch, height: 1, width: y.width, channels: y.channels, elementType: .fp32)
    pool.run(x.batch) { image in
      let (choice, sum) = (merged[image], sums.pixel(image, 0, 0))
      sum.update(repeating: 0, count: choice.count * x.channels)
      for (token, index) in choice.indices.enumerated() {
        let (source, target) = (values.pixel(image, 0, 0) + token * x.channels, sum + Int(index) * x.channels)
        for c in 0..<x.channels { target[c] += source[c] }
      }
      for (index, size) in choice.sizes.enumerated() where size > 1 {
        let target = sum + index * x.channels
        for c in 0..<x.channels { target[c] /= Float(size) }
      }
    }
    return converted(sums, to: x.elementType)
  }

  /// Gives every token the result of the token that it was merged into.
  ///
  /// - Parameters:
  ///   - y: `[batch, 1, count, channels]`.
  ///   - merged: The choices that `merge` was called with.
  ///   - x: Added to the result: `[batch, height, width, channels]`.
  /// - Returns: A tensor of `x`'s shape.
  public func unmerge(_ y: Tensor, _ merged: [MergedTokens], adding x: Tensor) -> Tensor {
    let spread = tensor(like: x)
    let size = x.channels * x.elementType.size
    pool.run(x.batch * x.height) { row in
      let (image, line) = (row / x.height, row % x.height)
      for column in 0..<x.width {
        let index = merged[image].indices[line * x.width + column]
        spread.pixelBytes(image, line, column).copyMemory(from: y.pixelBytes(image, 0, Int(index)), byteCount: size)
      }
    }
    return add(x, spread)
  }

  /// Every token in float32, scaled to length 1.
  private func directions(_ x: Tensor) -> Tensor {
    let values = converted(x, to: .fp32)
    let y = tensor(batch: x.batch, height: x.height, width: x.width, channels: x.channels, elementType: .fp32)
    forEachRowBlock(x.pixels) { first, rows in
      for pixel in first..<first + rows {
        let (source, target) = (values.base + pixel * x.channels, y.base + pixel * x.channels)
        var sum: Float = 0
        for c in 0..<x.channels { sum += source[c] * source[c] }
        let length = sum.squareRoot()
        for c in 0..<x.channels { target[c] = source[c] / length }
      }
    }
    return y
  }

  /// The most similar destination of each source, and their cosine.
  private func nearest(
    _ directions: Tensor, image: Int, _ tokens: TokenSquares
  ) -> [(destination: Int, cosine: Float)] {
    let (start, channels) = (directions.pixel(image, 0, 0), directions.channels)
    let matrix = PanelMatrix(
      outputs: tokens.destinations.count, inputs: channels, bias: nil, layer: .linear, compute: with(.fp32)
    ) { rows, target in
      for (index, row) in rows.enumerated() {
        (target + index * channels).update(from: start + tokens.destinations[row] * channels, count: channels)
      }
    }
    var nearest = [(destination: Int, cosine: Float)](repeating: (0, -.infinity), count: tokens.sources.count)
    nearest.withUnsafeMutableBufferPointer { nearest in
      nonisolated(unsafe) let nearest = nearest
      // A few at a time: all cosines of a large image would take more memory than everything else.
      for first in stride(from: 0, to: tokens.sources.count, by: Self.sourcesAtATime) {
        let count = min(Self.sourcesAtATime, tokens.sources.count - first)
        let sources = tensor(batch: 1, height: 1, width: count, channels: channels, elementType: .fp32)
        forEachRowBlock(count) { block, rows in
          for row in block..<block + rows {
            (sources.base + row * channels).update(
              from: start + tokens.sources[first + row] * channels, count: channels)
          }
        }
        let cosines = product(sources, matrix)
        forEachRowBlock(count) { block, rows in
          for row in block..<block + rows {
            let cosine = cosines.base + row * cosines.channels
            for destination in 0..<cosines.channels where cosine[destination] > nearest[first + row].cosine {
              nearest[first + row] = (destination, cosine[destination])
            }
          }
        }
      }
    }
    return nearest
  }

  private static var sourcesAtATime: Int { 1024 }
}

/// The tokens of an image, split into those that others may be merged into and all others.
private struct TokenSquares {
  private(set) var destinations: [Int] = []
  private(set) var sources: [Int] = []

  init(_ x: Tensor) {
    // An odd last row or column has no whole square, and so no destinations.
    let (height, width) = (x.height / 2 * 2, x.width / 2 * 2)
    for token in 0..<x.height * x.width {
      let (row, column) = (token / x.width, token % x.width)
      if row % 2 == 0, column % 2 == 0, row < height, column < width {
        destinations.append(token)
      } else {
        sources.append(token)
      }
    }
  }
}
