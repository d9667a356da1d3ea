import ArgumentParser

/// An amount of memory or disk space on the command line: `10GiB`, `500 MB`; a number alone means bytes.
struct ByteAmount: ExpressibleByArgument {
  let bytes: Int64

  private static let units: [String: Double] = [
    "": 1, "b": 1, "kib": 0x1p10, "mib": 0x1p20, "gib": 0x1p30, "tib": 0x1p40, "kb": 1e3, "mb": 1e6, "gb": 1e9,
    "tb": 1e12,
  ]

  init?(argument: String) {
    let text = argument.lowercased()
    let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let unit = text.dropFirst(number.count).drop { $0 == " " }
    guard let factor = Self.units[String(unit)], let value = Double(number), value * factor < 0x1p53 else { return nil }
    bytes = Int64(value * factor)
  }
}
