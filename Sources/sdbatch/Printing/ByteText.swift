/// Sizes of files and memory, as text for people.
enum ByteText {
  /// "850 KiB", "12 MiB", "4.5 GiB", rounded up.
  static func text(_ bytes: some BinaryInteger) -> String {
    let mebibytes = Double(bytes) / 1_048_576
    if mebibytes < 1 { return "\((Int64(bytes) + 1023) / 1024) KiB" }
    if mebibytes < 1024 { return "\(Int(mebibytes.rounded(.up))) MiB" }
    return "\((mebibytes / 102.4).rounded(.up) / 10) GiB"
  }
}
