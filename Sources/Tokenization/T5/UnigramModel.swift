/// Splits a text into the pieces with the largest sum of scores.
///
/// If sums are equal, the first one found wins. Pieces are tried from the first position on, the shortest first.
struct UnigramModel: Sendable {
  /// How sums are rounded, which matters between splits with almost equal sums.
  enum Sums: Sendable {
    /// As SentencePiece does: scores and sums are Float32.
    case single
    /// As the `tokenizers` library does.
    case double
  }

  /// A piece that a text can be split into.
  struct Piece {
    let text: [UInt8]
    let id: Int32
    let score: Double
  }

  private static let unknownPenalty = 10.0

  private let unknownID: Int32
  private let unknownScore: Double
  private let sums: Sums
  /// The pieces in the order of their bytes.
  private let pieces: [Piece]

  /// Creates a model from its pieces.
  ///
  /// - Parameters:
  ///   - pieces: The pieces; if two have the same text, the later one counts.
  ///   - unknownID: The id for characters that are not in any piece.
  ///   - leastScore: The lowest score; the score of an unknown character is 10 lower.
  ///   - sums: How sums are rounded.
  init(_ pieces: [Piece], unknownID: Int32, leastScore: Double, sums: Sums) {
    var last: [[UInt8]: Piece] = [:]
    last.reserveCapacity(pieces.count)
    for piece in pieces where !piece.text.isEmpty { last[piece.text] = piece }
    self.pieces = last.values.sorted { $0.text.lexicographicallyPrecedes($1.text) }
    self.unknownID = unknownID
    unknownScore =
      sums == .single
      ? Double(Float(leastScore) - Float(Self.unknownPenalty)) : leastScore - Self.unknownPenalty
    self.sums = sums
  }

  /// The best split found so far of the text before a position.
  private struct Node {
    var score = 0.0
    var start = -1
    var id: Int32 = 0
  }

  /// The ids of a text in UTF-8; neighbouring unknown characters are one id.
  func encode(_ text: ArraySlice<UInt8>) -> [Int32] {
    let text = Array(text)
    var nodes = [Node](repeating: Node(), count: text.count + 1)
    var start = 0
    while start < text.count {
      let width = min(Self.width(of: text[start]), text.count - start)
      let before = nodes[start].score
      var hasSingle = false
      forEachPiece(text, at: start) { piece in
        let end = start + piece.text.count
        propose(piece.score + before, from: start, piece.id, to: &nodes[end])
        if piece.text.count == width { hasSingle = true }
      }
      if !hasSingle {
        let score =
          sums == .single ? Double(Float(unknownScore) + Float(before)) : unknownScore + before
        propose(score, from: start, unknownID, to: &nodes[start + width])
      }
      start += width
    }
    var ids: [Int32] = []
    var end = text.count
    while end > 0 {
      let node = nodes[end]
      if node.id != unknownID || ids.last != unknownID { ids.append(node.id) }
      end = node.start
    }
    return ids.reversed()
  }

  private func propose(_ score: Double, from start: Int, _ id: Int32, to node: inout Node) {
    guard node.start < 0 || score > node.score else { return }
    // Compare the sum before rounding it, as SentencePiece's code does.
    node = Node(score: sums == .single ? Double(Float(score)) : score, start: start, id: id)
  }

  /// Calls `body` with the pieces that match at a position, the shortest first.
  private func forEachPiece(_ text: [UInt8], at start: Int, _ body: (Piece) -> Void) {
    var candidates = 0..<pieces.count
    var depth = 0
    while start + depth < text.count {
      let byte = Int(text[start + depth])
      // Pieces that end before this byte come first among those with the same bytes so far.
      let low = candidates.partition { Self.byte(pieces[$0], at: depth) >= byte }
      let high = candidates.partition { Self.byte(pieces[$0], at: depth) > byte }
      candidates = low..<high
      depth += 1
      guard let first = candidates.first else { return }
      if pieces[first].text.count == depth { body(pieces[first]) }
    }
  }

  private static func byte(_ piece: Piece, at index: Int) -> Int {
    index < piece.text.count ? Int(piece.text[index]) : -1
  }

  /// The number of bytes of a character, from its first byte.
  private static func width(of byte: UInt8) -> Int {
    switch byte {
    case 0xF0...: 4
    case 0xE0...: 3
    case 0xC0...: 2
    default: 1
    }
  }
}

extension Range<Int> {
  /// The first index at which a condition holds; it must hold for all later indices too. The upper bound if there is none.
  fileprivate func partition(_ condition: (Int) -> Bool) -> Int {
    var (low, high) = (lowerBound, upperBound)
    while low < high {
      let middle = (low + high) / 2
      if condition(middle) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
