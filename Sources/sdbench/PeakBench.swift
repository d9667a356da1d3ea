import ArgumentParser
import JSON
import Tensors

/// Measures the machine's peaks.
struct PeakBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "peaks", abstract: "Measure the machine's peaks: arithmetic on registers, and reading memory.")

  @OptionGroup var options: BenchOptions

  func run() throws {
    let peaks = MachinePeaks(threads: options.threadCount)
    var report = BenchReport(options)
    for peak in peaks.arithmetic { report.add(peak.name, rate: peak.rate) }
    report.add("memory read", bandwidth: peaks.bandwidth)
    report.finish()
  }
}
