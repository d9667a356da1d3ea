/// A text that is always the same except in a few slots, such as the seed in the lines of a plan.
///
/// The slots are found by comparing two texts that were written with different values in them. So nothing else has to know
/// where they are, and a byte that changed is never taken for a constant one.
package struct TextTemplate: Sendable {
  /// What a slot of one kind holds in each of the two texts that are compared.
  package struct Probe: Sendable {
    /// Two strings of equal length that differ in every byte.
    package let one, two: String

    private init(_ one: Character, _ two: Character, count: Int) {
      self.one = String(repeating: one, count: count)
      self.two = String(repeating: two, count: count)
    }

    /// Numbers of 18 digits, which fit `Int64`.
    package static let number = Probe("1", "2", count: 18)
    /// Any text.
    package static let text = Probe("x", "y", count: 24)
    /// Digits other than those of `number`.
    package static let digits = Probe("3", "4", count: 14)
  }

  /// What is between the slots, without gaps.
  private var bytes: [UInt8] = []
  /// The offset of each slot in `bytes`, and the index of its kind among the probes.
  private var slots: [(offset: Int, kind: Int)] = []

  /// Compares two texts; nil if they differ anywhere but in slots of these kinds.
  ///
  /// - Parameters:
  ///   - one: Written with `one` of each probe in the slots of its kind.
  ///   - two: Written with `two` of each.
  ///   - probes: The kinds of slots.
  package init?(_ one: [UInt8], _ two: [UInt8], _ probes: [Probe]) {
    guard one.count == two.count else { return nil }
    let probes = probes.map { (one: Array($0.one.utf8), two: Array($0.two.utf8)) }
    var (start, offset) = (0, 0)
    while offset < one.count {
      if one[offset] == two[offset] {
        offset += 1
        continue
      }
      let kind = probes.firstIndex { probe in
        one[offset...].starts(with: probe.one) && two[offset...].starts(with: probe.two)
      }
      guard let kind else { return nil }
      bytes += one[start..<offset]
      slots.append((bytes.count, kind))
      offset += probes[kind].one.count
      start = offset
    }
    bytes += one[start...]
  }

  /// Appends the text with its slots filled in.
  ///
  /// - Parameters:
  ///   - text: Receives the result.
  ///   - fill: Appends the text of a slot, given the index of its kind among the probes.
  package func append(to text: inout [UInt8], _ fill: (Int, inout [UInt8]) -> Void) {
    var start = 0
    for (offset, kind) in slots {
      text += bytes[start..<offset]
      fill(kind, &text)
      start = offset
    }
    text += bytes[start...]
  }
}

extension [UInt8] {
  /// Appends a number in decimal.
  package mutating func append(decimal number: some BinaryInteger) { append(contentsOf: String(number).utf8) }
}
