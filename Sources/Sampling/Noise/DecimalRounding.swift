extension Double {
  /// The double nearest to `self` rounded to six decimals, as Python's `round(x, 6)`: the exact value of the double decides,
  /// and ties go to the even digit.
  func roundedToSixDecimals() -> Double {
    let scale = 1e6
    // Doubles of this size are further apart than six decimals.
    guard magnitude < 0x1p33 else { return self }
    let product = self * scale
    // product + error is the exact product.
    let error = (-product).addingProduct(self, scale)
    let below = product.rounded(.down)
    // Both terms are exact, so the sign of their sum is right, and 0 means a tie.
    let beyondHalf = (product - below - 0.5) + error
    let isOdd = below.truncatingRemainder(dividingBy: 2) != 0
    let up = beyondHalf > 0 || (beyondHalf == 0 && isOdd)
    return (up ? below + 1 : below) / scale
  }
}
