import Foundation

/// What was measured on this machine: numbers from the `trace.tsv` of runs, kept in `$XDG_CACHE_HOME/sdbatch/costs.tsv` by kind
/// of image.
///
/// The file is replaced as a whole. If two runs end at the same time, the numbers of one of them may get lost, which is
/// harmless.
public struct CostBook: Sendable {
  private var costs: [ImageKind: (cost: ImageCost, measured: String)] = [:]
  private let path: String?

  /// Reads the measurements of the user with these environment variables; lines that cannot be read are ignored.
  public init(environment: [String: String]) {
    // The XDG specification says to ignore relative paths.
    let caches = [environment["XDG_CACHE_HOME"], environment["HOME"].map { $0 + "/.cache" }]
    path = caches.compactMap { $0 }.first { $0.hasPrefix("/") }.map { $0 + "/sdbatch/costs.tsv" }
    if let path { Self.forEachRow(of: path) { note($0) } }
  }

  /// The cost of an image of a kind: measured, or scaled from another sampler's by the number of network evaluations.
  ///
  /// - Parameter kind: The kind of image.
  /// - Returns: The cost; nil if no image with this model, size and precision was measured.
  public func cost(of kind: ImageKind) -> ImageCost? {
    if let known = costs[kind] { return known.cost }
    // Choose the latest, since the order of a dictionary is random.
    let nearest = costs.filter { kind.ratio(to: $0.key) != nil }.max {
      ($0.value.measured, $0.key.sampler) < ($1.value.measured, $1.key.sampler)
    }
    guard let nearest, let ratio = kind.ratio(to: nearest.key) else { return nil }
    var cost = nearest.value.cost
    cost.secondsPerStep *= ratio
    return cost
  }

  // MARK: Learning

  /// Learns from a run's `trace.tsv`: for each kind of image, the medians of the last nine images.
  public mutating func learn(from folder: RunFolder) {
    var rows: [ImageKind: [[String: Substring]]] = [:]
    let names = ((try? AtomicFile.names(in: folder.path)) ?? []).filter {
      $0.hasPrefix("trace") && $0.hasSuffix(".tsv")
    }
    for name in names.sorted() {
      Self.forEachRow(of: folder.file(name)) { row in
        guard let kind = ImageKind(row), row["seconds_per_step"].flatMap({ Double($0) }) != nil else { return }
        rows[kind, default: []].append(row)
        if rows[kind, default: []].count > 9 { rows[kind]?.removeFirst() }
      }
    }
    for (kind, rows) in rows {
      func numbers(_ value: ([String: Substring]) -> Double?) -> Double? { Self.median(rows.compactMap(value)) }
      func number(_ row: [String: Substring], _ name: String) -> Double? { row[name].flatMap { Double($0) } }
      guard let pace = numbers({ number($0, "seconds_per_step") }), Self.seconds.contains(pace),
        let other = numbers({ row in
          guard let seconds = number(row, "seconds"), let pace = number(row, "seconds_per_step"),
            let steps = number(row, "steps")
          else { return nil }
          return max(0, seconds - pace * (steps - (number(row, "steps_shared") ?? 0)))
        }), Self.seconds.contains(other), let measured = rows.last?["started"].map(String.init),
        measured > costs[kind]?.measured ?? ""
      else { continue }
      let cost = ImageCost(
        secondsPerStep: pace, otherSeconds: other,
        peakMemory: numbers { number($0, "peak_memory_mib") }.flatMap { Self.count($0, 1 << 30) },
        fileBytes: numbers { number($0, "file_bytes") }.flatMap { Self.count($0, 1 << 40) })
      costs[kind] = (cost, measured)
    }
  }

  /// The range of a time in these files; other values are damaged.
  private static let seconds = 0.0...1e9

  /// A whole number from 0 to a limit; nil for other values.
  private static func count(_ value: Double, _ limit: Int) -> Int? {
    (0...Double(limit)).contains(value) ? Int(value) : nil
  }

  private static func median(_ values: [Double]) -> Double? {
    values.isEmpty ? nil : values.sorted()[values.count / 2]
  }

  private mutating func note(_ row: [String: Substring]) {
    guard let kind = ImageKind(row), let pace = row["seconds_per_step"].flatMap({ Double($0) }),
      Self.seconds.contains(pace),
      let other = row["other_seconds"].flatMap({ Double($0) }), Self.seconds.contains(other),
      let measured = row["measured"]
    else { return }
    let cost = ImageCost(
      secondsPerStep: pace, otherSeconds: other,
      peakMemory: row["peak_memory_mib"].flatMap { Double($0) }.flatMap { Self.count($0, 1 << 30) },
      fileBytes: row["file_bytes"].flatMap { Double($0) }.flatMap { Self.count($0, 1 << 40) })
    costs[kind] = (cost, String(measured))
  }

  /// Calls `body` with the last lines of a table, by the names of its columns; a long table is not read completely.
  private static func forEachRow(of path: String, _ body: ([String: Substring]) -> Void) {
    guard let size = try? FileMark(path: path).size, let reader = try? FileReader(path: path),
      let head = try? reader.read(0..<min(size, 4096)), let end = head.firstIndex(of: UInt8(ascii: "\n"))
    else { return }
    let names = String(decoding: head[..<end], as: UTF8.self).split(separator: "\t").map(String.init)
    let start = max(Int64(end) + 1, size - (256 << 10))
    guard start < size, let bytes = try? reader.read(start..<size) else { return }
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    // The first and the last piece of the bytes that were read may be incomplete lines.
    if start > Int64(end) + 1, !lines.isEmpty { lines.removeFirst() }
    for line in lines.dropLast() {
      let fields = String(decoding: line, as: UTF8.self).split(separator: "\t", omittingEmptySubsequences: false)
      guard fields.count == names.count else { continue }
      body(Dictionary(zip(names, fields), uniquingKeysWith: { $1 }))
    }
  }

  // MARK: Keeping

  private static let limit = 500

  /// Saves the measurements for later runs; errors are ignored.
  public func save() {
    guard let path else { return }
    let newest = costs.sorted { ($0.value.measured, $0.key.sampler) > ($1.value.measured, $1.key.sampler) }
    let names = ImageKind.names + ["seconds_per_step", "other_seconds", "peak_memory_mib", "file_bytes", "measured"]
    let rows = newest.prefix(Self.limit).map { kind, entry in
      kind.fields + [
        "\(entry.cost.secondsPerStep)", "\(entry.cost.otherSeconds)", entry.cost.peakMemory.map { "\($0)" } ?? "",
        entry.cost.fileBytes.map { "\($0)" } ?? "", entry.measured,
      ]
    }
    let text = ([names] + rows).map { $0.joined(separator: "\t") + "\n" }.joined()
    let folder = (path as NSString).deletingLastPathComponent
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    DerivedFile.removeLeftovers(of: [path])
    _ = try? AtomicFile.write(to: path, on: Disk(isShared: true), isDurable: false) { file in
      try file.write(Array(text.utf8))
    }
  }
}
