/// One part of a plan that several processes share, for example part 3 of 50; parts are counted from 0.
public struct Shard: Hashable, Sendable, CustomStringConvertible {
  /// The number of the part, from 0.
  public let index: Int
  /// How many parts there are.
  public let count: Int

  /// A number that is larger than any scheduler needs.
  public static let limit = 1_000_000

  /// A part of `count` parts; nil unless `0 <= index < count <= limit`.
  public init?(index: Int, count: Int) {
    guard (1...Self.limit).contains(count), (0..<count).contains(index) else { return nil }
    self.index = index
    self.count = count
  }

  /// A part as the command line names it, `2/50`; nil for other text.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { ("0"..."9").contains($0) } }),
      let index = Int(parts[0]), let count = Int(parts[1])
    else { return nil }
    self.init(index: index, count: count)
  }

  /// `2/50`.
  public var description: String { "\(index)/\(count)" }

  /// Distinguishes the files of the shard: `2-of-50`.
  var label: String { "\(index)-of-\(count)" }

  /// Splits a file's name that begins with a label into the shard and the rest; nil for other names.
  static func labelled(_ name: Substring) -> (shard: Shard, rest: Substring)? {
    let first = name.prefix { $0.isNumber }
    guard name.dropFirst(first.count).hasPrefix("-of-") else { return nil }
    let second = name.dropFirst(first.count + 4).prefix { $0.isNumber }
    guard let index = Int(first), let count = Int(second), let shard = Shard(index: index, count: count),
      shard.label == "\(first)-of-\(second)"
    else { return nil }
    return (shard, name.dropFirst(first.count + 4 + second.count))
  }

  /// Chooses the shard's pieces of work.
  ///
  /// Imagine the pieces in a row, each as long as its cost. The row is cut into equal lengths; a piece belongs to the length
  /// that contains its middle. So all parts cost the same, to within one piece, and neighbours stay together: they share a
  /// model and a prompt. Only the costs decide.
  ///
  /// - Parameter costs: The cost of each piece, in the order in which they are done; 0 or more.
  /// - Returns: The indices of the shard's pieces.
  public func positions(_ costs: some Sequence<Int>) -> [Int] {
    // Costs count twice, so that the middle of a piece is a whole number.
    let total = costs.reduce(UInt64(0)) { $0 + 2 * UInt64(max($1, 1)) }
    guard total > 0 else { return [] }
    var positions: [Int] = []
    var before: UInt64 = 0
    for (position, cost) in costs.enumerated() {
      let cost = UInt64(max(cost, 1))
      let middle = before + cost
      let product = middle.multipliedFullWidth(by: UInt64(count))
      if total.dividingFullWidth(product).quotient == UInt64(index) { positions.append(position) }
      before += 2 * cost
    }
    return positions
  }
}
