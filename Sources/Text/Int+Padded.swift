extension Int {
  /// The number in decimal, with leading zeros up to a width of `width` characters.
  package func padded(to width: Int) -> String {
    let digits = String(self)
    return String(repeating: "0", count: Swift.max(0, width - digits.utf8.count)) + digits
  }
}
