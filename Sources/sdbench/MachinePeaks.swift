import CPeaks
import Tensors

/// The measured peaks of the machine: each type of arithmetic on registers, and reading memory.
struct MachinePeaks {
  struct Peak {
    let name: String
    /// Multiplications and additions per second, on all threads.
    let rate: Double
  }

  /// The types of arithmetic, simplest first.
  let arithmetic: [Peak]
  /// Bytes read per second, on all threads.
  let bandwidth: Double

  /// Measures the peaks, which takes about a second.
  init(threads: Int) {
    let pool = WorkerPool(threadCount: threads)
    var found: [Peak] = []
    while let peak = cp_peak_at(found.count)?.pointee {
      guard let run = peak.run else { break }
      // Find a number of iterations that takes some milliseconds, by doubling it.
      var iterations = 1 << 12
      while Stopwatch(repeats: 1, { run(iterations) }).smallest < 0.005 { iterations *= 2 }
      let time = Stopwatch(repeats: 20) { pool.run(threads) { _ in run(iterations) } }
      let operations = peak.operations * Double(iterations) * Double(threads)
      found.append(Peak(name: String(cString: peak.name), rate: operations / time.smallest))
    }
    arithmetic = found

    // Use far more memory than any cache holds. Each part is read by the thread that wrote it.
    let pieceBytes = 64 << 20
    let pieces = max(threads, 4)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: pieces * pieceBytes, alignment: 64)
    defer { memory.deallocate() }
    nonisolated(unsafe) let start = memory
    pool.run(pieces) { piece in
      (start + piece * pieceBytes).initializeMemory(as: UInt8.self, repeating: 1, count: pieceBytes)
    }
    let reading = Stopwatch(repeats: 8) {
      pool.run(pieces) { piece in blackHole(cp_read(start + piece * pieceBytes, pieceBytes)) }
    }
    bandwidth = Double(pieces * pieceBytes) / reading.smallest
  }

  /// The peak rate for an instruction set and precision; nil if no measured loop corresponds to them.
  func rate(isa: String, precision: String) -> Double? {
    let names: [String: String] = [
      "avx2 fp32": "fp32 AVX2 FMA", "avx512 fp32": "fp32 AVX-512 FMA", "avx512bf16 fp32": "fp32 AVX-512 FMA",
      "avx512vnni fp32": "fp32 AVX-512 FMA", "avx512bf16 bf16": "bf16 vdpbf16ps",
      "avxvnni fp32": "fp32 AVX2 FMA", "avxvnni int8": "int8 vpdpbusd, 256 bits", "avx512vnni int8": "int8 vpdpbusd",
      "avx512bf16 int8": "int8 vpdpbusd", "neon fp32": "fp32 NEON FMA",
      "neondot fp32": "fp32 NEON FMA", "neoni8mm fp32": "fp32 NEON FMA", "neonbf16 fp32": "fp32 NEON FMA",
    ]
    return names["\(isa) \(precision)"].flatMap { name in arithmetic.first { $0.name == name }?.rate }
  }
}

/// Uses a value, so that the compiler cannot remove the computation.
@inline(never) private func blackHole(_ value: UInt64) {}
