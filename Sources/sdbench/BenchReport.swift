import ArgumentParser
import Foundation
import JSON
import Tensors

/// The options of all benchmarks of arithmetic.
struct BenchOptions: ParsableArguments {
  @Option(help: "Number of threads (default: one for each core that the process may use).")
  var threads: Int?

  @Option(help: "Repeat each measurement this many times; the median and the minimum are printed.")
  var repeats = 3

  @Flag(help: "Print one JSON object at the end instead of lines.")
  var json = false

  var threadCount: Int { threads ?? ProcessorAllotment().threads }
}

/// Prints measurements: as lines at once, or as one JSON object at the end.
struct BenchReport {
  private let isJSON: Bool
  private let threads: Int
  private var group = ""
  private var rows: [JSONValue] = []

  init(_ options: BenchOptions) {
    isJSON = options.json
    threads = options.threadCount
  }

  /// Starts a group of measurements, such as those of one instruction set and precision.
  mutating func begin(_ name: String) {
    group = name
    if !isJSON { print("\(name), \(threads) threads") }
  }

  /// Adds one measurement.
  ///
  /// - Parameters:
  ///   - name: What was measured.
  ///   - time: How long it took.
  ///   - rate: Multiplications and additions per second.
  ///   - share: The rate as a share of the machine's peak.
  ///   - bandwidth: Bytes per second.
  ///   - peakMemory: The most resident memory of the process so far, in bytes.
  ///   - note: A remark.
  mutating func add(
    _ name: String, time: Stopwatch? = nil, rate: Double? = nil, share: Double? = nil, bandwidth: Double? = nil,
    peakMemory: Int64? = nil, note: String? = nil
  ) {
    if isJSON {
      rows.append(
        [
          "group": .string(group), "name": .string(name), "seconds": Self.number(time?.median),
          "smallest_seconds": Self.number(time?.smallest), "gflops_per_second": Self.number(rate.map { $0 * 1e-9 }),
          "share_of_peak": Self.number(share), "gbytes_per_second": Self.number(bandwidth.map { $0 * 1e-9 }),
          "peak_memory_mib": Self.number(peakMemory.map { Double($0 >> 20) }),
          "note": note.map { .string($0) } ?? .null,
        ])
      return
    }
    let parts = [
      time?.text, rate.map { "\(Int(($0 * 1e-9).rounded())) GFLOP/s" },
      share.map { "\(Int(($0 * 100).rounded())) % of peak" },
      bandwidth.map { "\(Stopwatch.decimals($0 * 1e-9)) GB/s" }, peakMemory.map { "peak \($0 >> 20) MiB" }, note,
    ]
    let padded = name + String(repeating: " ", count: max(0, 28 - name.count))
    print("  \(padded) \(parts.compactMap { $0 }.joined(separator: ", "))")
  }

  /// Prints the JSON object, if it was requested.
  func finish() {
    guard isJSON else { return }
    print((["threads": .integer(Int64(threads)), "measurements": .array(rows)] as JSONValue).jsonText)
  }

  private static func number(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
}
