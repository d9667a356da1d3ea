/// Which tokens of one image stand in for others that are like them.
///
/// Source: Bolya & Hoffman 2023, "Token Merging for Fast Stable Diffusion", arXiv:2303.17604, with the destinations that
/// the webui chooses: the top left token of every 2x2 square, without chance.
public struct MergedTokens {
  /// Tokens that are left.
  public let count: Int
  /// Where each token has gone, row by row of the image.
  fileprivate let places: [Int32]
  /// How many tokens have gone to each place.
  fileprivate let sizes: [Int32]

  /// - Parameters:
  ///   - count: Tokens of the image.
  ///   - destinations: Where each of the merged tokens goes, by token.
  fileprivate init(count: Int, destinations: [Int: Int]) {
    var places = [Int32](repeating: 0, count: count)
    var left: Int32 = 0
    for token in 0..<count where destinations[token] == nil {
      places[token] = left
      left += 1
    }
    for (token, destination) in destinations { places[token] = places[destination] }
    var sizes = [Int32](repeating: 0, count: Int(left))
    for place in places { sizes[Int(place)] += 1 }
    self.count = Int(left)
    self.places = places
    self.sizes = sizes
  }
}

extension Compute {
  /// Finds the tokens of each image that are most like a destination, by the cosine between them.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]` without a border.
  ///   - ratio: The part of all tokens that is merged, as far as there are so many besides the destinations.
  /// - Returns: One choice for each image; nothing where nothing would be merged.
  public func mergedTokens(_ x: Tensor, ratio: Double) -> [MergedTokens]? {
    let tokens = TokenSquares(x)
    let count = min(Int(Double(x.height * x.width) * ratio), tokens.sources.count)
    guard count > 0, !tokens.destinations.isEmpty else { return nil }
    let directions = directions(x)
    return (0..<x.batch).map { image in
      let best = nearest(directions, image: image, tokens)
      // Equal ones in the order of the image, so that the choice is the same everywhere.
      let order = tokens.sources.indices.sorted { a, b in
        best[a].cosine == best[b].cosine ? a < b : best[a].cosine > best[b].cosine
      }
      let pairs = order.prefix(count).map { (tokens.sources[$0], tokens.destinations[best[$0].destination]) }
      return MergedTokens(count: x.height * x.width, destinations: Dictionary(uniqueKeysWithValues: pairs))
    }
  }

  /// The tokens that are left of each image, each the mean of those that went there.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]` without a border.
  ///   - merged: One choice for each image, all of one count.
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
      for (token, place) in choice.places.enumerated() {
        let (source, target) = (values.pixel(image, 0, 0) + token * x.channels, sum + Int(place) * x.channels)
        for c in 0..<x.channels { target[c] += source[c] }
      }
      for (place, size) in choice.sizes.enumerated() where size > 1 {
        let target = sum + place * x.channels
        for c in 0..<x.channels { target[c] /= Float(size) }
      }
    }
    return converted(sums, to: x.elementType)
  }

  /// Gives every token what came of the one that stood in for it.
  ///
  /// - Parameters:
  ///   - y: `[batch, 1, count, channels]`.
  ///   - merged: What `merge` was given.
  ///   - x: Added to the result: `[batch, height, width, channels]`.
  /// - Returns: Of `x`'s shape.
  public func unmerge(_ y: Tensor, _ merged: [MergedTokens], adding x: Tensor) -> Tensor {
    let spread = tensor(like: x)
    let size = x.channels * x.elementType.size
    pool.run(x.batch * x.height) { row in
      let (image, line) = (row / x.height, row % x.height)
      for column in 0..<x.width {
        let place = merged[image].places[line * x.width + column]
        spread.pixelBytes(image, line, column).copyMemory(from: y.pixelBytes(image, 0, Int(place)), byteCount: size)
      }
    }
    return add(x, spread)
  }

  /// Every token in floats, at length 1.
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

  /// The destination that each source is most like, and how much.
  private func nearest(
    _ directions: Tensor, image: Int, _ tokens: TokenSquares
  ) -> [(destination: Int, cosine: Float)] {
    let (start, channels) = (directions.pixel(image, 0, 0), directions.channels)
    let matrix = PanelMatrix(
      outputs: tokens.destinations.count, inputs: channels, taps: 1, bias: nil, compute: with(.fp32)
    ) { rows, target in
      for (index, row) in rows.enumerated() {
        (target + index * channels).update(from: start + tokens.destinations[row] * channels, count: channels)
      }
    }
    var nearest = [(destination: Int, cosine: Float)](repeating: (0, -.infinity), count: tokens.sources.count)
    nearest.withUnsafeMutableBufferPointer { nearest in
      nonisolated(unsafe) let nearest = nearest
      // Some at a time: all cosines of a large image would take more memory than all else.
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

/// The tokens of an image that others may be merged into, and the others.
private struct TokenSquares {
  private(set) var destinations: [Int] = []
  private(set) var sources: [Int] = []

  init(_ x: Tensor) {
    // A last row or column that fills no square has no destinations.
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
