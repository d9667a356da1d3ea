/// Numbers as Python writes and reads them, which is the form in the webui's infotext and prompts.
public enum PythonNumber {
  /// The shortest decimal that reads back as `value`, with at least one decimal: `7.0`, `0.7`, `1e-05`, `1e+16`.
  ///
  /// Exponents are written below -4 and from 16 on, with at least two digits.
  public static func repr(_ value: Double) -> String {
    if value.isNaN { return "nan" }
    if value.isInfinite { return value < 0 ? "-inf" : "inf" }
    if value == 0 { return value.sign == .minus ? "-0.0" : "0.0" }
    // Swift and Python write the same text if neither uses an exponent.
    if value.magnitude >= 1e-4, value.magnitude < 1e15 { return value.description }
    let (digits, exponent) = shortestDigits(value.magnitude)
    let sign = value < 0 ? "-" : ""
    if exponent < -4 || exponent >= 16 {
      let fraction = digits.count > 1 ? "." + digits.dropFirst() : ""
      let size = exponent.magnitude < 10 ? "0\(exponent.magnitude)" : "\(exponent.magnitude)"
      return sign + digits.prefix(1) + fraction + "e" + (exponent < 0 ? "-" : "+") + size
    }
    if exponent < 0 { return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits }
    if digits.count <= exponent + 1 {
      return sign + digits + String(repeating: "0", count: exponent + 1 - digits.count) + ".0"
    }
    return sign + digits.prefix(exponent + 1) + "." + digits.dropFirst(exponent + 1)
  }

  /// The number that Python's `float` reads from digits of any script, points and signs; nil if it would fail.
  package static func value(_ scalars: some Sequence<Unicode.Scalar>) -> Double? {
    var text = ""
    for scalar in scalars {
      if let digit = PythonText.digit(scalar) { text += "\(digit)" } else { text.unicodeScalars.append(scalar) }
    }
    return Double(text)
  }

  /// The significant digits of Swift's own shortest form, and the power of ten of the first digit.
  private static func shortestDigits(_ value: Double) -> (digits: String, exponent: Int) {
    let parts = value.description.lowercased().split(separator: "e")
    let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    let whole = String(mantissa[0])
    let fraction = mantissa.count > 1 ? String(mantissa[1]) : ""
    var exponent = whole.count - 1 + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
    var digits = Substring(whole + fraction)
    while digits.count > 1, digits.first == "0" {
      digits.removeFirst()
      exponent -= 1
    }
    while digits.count > 1, digits.last == "0" { digits.removeLast() }
    return (String(digits), exponent)
  }
}
