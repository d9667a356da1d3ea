import CKernels
import Glibc
import Synchronization

/// Compares an instruction set's kernels with portable C, on a few small shapes of every family. It takes milliseconds.
///
/// Without it, a processor, hypervisor or emulator that computes wrong results would only show in images.
enum KernelCheck {
  /// Raised when the comparison changes.
  static let version = 1

  /// Kernels that are compared together.
  private struct Family {
    let name: String
    let precision: Precision
    /// The largest difference that is accepted, relative to the largest value.
    let bound: Float
    /// Runs the kernels on numbers that do not depend on the machine.
    let run: (Compute, inout Numbers) -> [Float]
  }

  /// The first family of kernels that differ from portable C; nil if there is none.
  static func disagreement(of kernels: Kernels) -> String? {
    guard let portable = Kernels.available.first, kernels.name != portable.name else { return nil }
    for family in families {
      func results(_ kernels: Kernels) -> [Float] {
        var numbers = Numbers()
        return family.run(Compute(kernels: kernels, threadCount: 1, precision: family.precision), &numbers)
      }
      let (found, expected) = (results(kernels), results(portable))
      let scale = expected.reduce(0) { max($0, $1.magnitude) }
      // Not the maximum of the differences, which would ignore NaN.
      let agrees =
        found.count == expected.count
        && zip(found, expected).allSatisfy { ($0 - $1).magnitude <= family.bound * scale }
      if !agrees { return "\(family.name) in \(family.precision)" }
    }
    return nil
  }

  // MARK: The families

  private static var families: [Family] {
    // fp32: sums in another order. bf16: results rounded to 8 bits, some of them differently. int8: bytes, whose sums are
    // exact.
    families(.fp32, bound: 1e-4) + families(.bf16, bound: 2e-2) + families(.int8, bound: 3e-2)
  }

  private static func families(_ precision: Precision, bound: Float) -> [Family] {
    [
      Family(name: "linear layers", precision: precision, bound: bound) { compute, numbers in
        values(
          compute.product(numbers.image(compute, height: 3, width: 7, channels: 37), numbers.matrix(.linear, compute))
        )
      },
      Family(name: "convolutions", precision: precision, bound: bound) { compute, numbers in
        let algorithms: [ConvolutionAlgorithm] =
          compute.precision == .fp32 ? [.direct, .winograd2, .winograd4] : [.direct, .winograd2]
        return algorithms.flatMap { algorithm in
          values(
            compute.convolution3x3(
              numbers.image(compute, height: 5, width: 7, channels: 37, border: 1),
              numbers.matrix(.convolution(algorithm), compute)))
        }
      },
      Family(name: "attention", precision: precision, bound: bound) { compute, numbers in
        let q = numbers.image(compute, height: 1, width: 11, channels: 80)
        let source = KeysValues(
          keys: numbers.image(compute, height: 1, width: 150, channels: 80),
          values: numbers.image(compute, height: 1, width: 150, channels: 80), image: 0, heads: 2, compute: compute)
        return values(compute.attention(q, [source]))
      },
      Family(name: "unpacking", precision: precision, bound: bound) { compute, numbers in
        let x = numbers.image(compute, height: 1, width: 5, channels: 256)
        return [StoredWeights.q4_0, .q8_0, .q4_K, .q5_K, .q6_K, .f8E4M3, .f8E5M2].flatMap { form -> [Float] in
          let matrix = PanelMatrix(
            stored: form, factors: nil, outputs: 3, inputs: 256, bias: nil, layer: .linear, compute: compute
          ) { rows, destination in
            // Bytes that give small scales when they are read as half-precision numbers.
            let bytes = destination.assumingMemoryBound(to: UInt8.self)
            for index in 0..<rows.count * (form.rowBytes(inputs: 256) ?? 0) { bytes[index] = UInt8(index * 37 % 41) }
          }
          return matrix.map { values(compute.product(x, $0)) } ?? []
        }
      },
      Family(name: "norms and activations", precision: precision, bound: bound) { compute, numbers in
        pointwise(compute, &numbers)
      },
    ]
  }

  /// Calls the kernels that work on rows directly.
  private static func pointwise(_ compute: Compute, _ numbers: inout Numbers) -> [Float] {
    let (rows, width) = (3, 37)
    let x = numbers.image(compute, height: rows, width: 1, channels: 2 * width)
    let (gamma, beta) = (numbers.take(2 * width), numbers.take(2 * width))
    let table = compute.kernels.table.pointee
    var results: [Float] = []
    func add(_ run: (Tensor) -> Void) {
      let y = compute.tensor(like: x)
      memset(y.pixelBytes(0, 0, 0), 0, y.count * y.elementType.size)
      run(y)
      results += values(y)
    }
    switch x.elementType {
    case .fp32:
      add { table.layer_norm(x.base, rows, 2 * width, gamma, beta, 1e-5, $0.base) }
      add { table.scale_shift(x.base, 2 * width, rows, 2 * width, gamma, beta, 1, $0.base, 2 * width) }
      add { table.geglu(x.base, rows, width, $0.base) }
      for slot in [table.silu, table.gelu, table.quick_gelu, table.gelu_tanh] {
        add { slot?(x.base, x.count, $0.base) }
      }
      add { table.add(x.base, x.base, x.count, $0.base) }
    case .bf16:
      add { table.layer_norm_bf16(x.base16, rows, 2 * width, gamma, beta, 1e-5, $0.base16) }
      add { table.scale_shift_bf16(x.base16, 2 * width, rows, 2 * width, gamma, beta, 1, $0.base16, 2 * width) }
      add { table.geglu_bf16(x.base16, rows, width, $0.base16) }
      for slot in [table.silu_bf16, table.gelu_bf16, table.quick_gelu_bf16, table.gelu_tanh_bf16] {
        add { slot?(x.base16, x.count, $0.base16) }
      }
      add { table.add_bf16(x.base16, x.base16, x.count, $0.base16) }
    }
    return results
  }

  private static func values(_ y: Tensor) -> [Float] {
    switch y.elementType {
    case .fp32: (0..<y.count).map { y.base[$0] }
    case .bf16: (0..<y.count).map { widened(y.base16[$0]) }
    }
  }

  /// Pseudorandom numbers between -1 and 1 that bf16 represents exactly.
  private struct Numbers {
    private var state: UInt64 = 0x9E37_79B9_7F4A_7C15

    mutating func take(_ count: Int) -> [Float] {
      (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(Int(state >> 57) - 64) / 64
      }
    }

    mutating func image(_ compute: Compute, height: Int, width: Int, channels: Int, border: Int = 0) -> Tensor {
      let x = compute.tensor(batch: 1, height: height, width: width, channels: channels, elementType: .fp32)
      for (index, number) in take(x.count).enumerated() { x.base[index] = number }
      return compute.converted(x, border: border)
    }

    mutating func matrix(_ layer: PanelMatrix.Layer, _ compute: Compute) -> PanelMatrix {
      PanelMatrix(
        weights: take(45 * 37 * layer.taps), bias: take(45), outputs: 45, inputs: 37, layer: layer, compute: compute)
    }
  }
}

extension Kernels {
  /// The best kernels that this computer runs correctly, or those that `SDBATCH_ISA` names.
  ///
  /// When an instruction set is first used on a processor, its kernels are compared with portable C. A set that differs is not
  /// used.
  ///
  /// - Parameters:
  ///   - folder: A folder for the results, by processor and version; nil to compare again every time.
  ///   - version: The program's version.
  /// - Returns: The kernels, and a note for the user about each set that is not used.
  /// - Throws: ``TensorError/unknownInstructionSet(_:available:)`` if `SDBATCH_ISA` names an instruction set that does not run
  ///   here.
  public static func checked(rememberingIn folder: String?, version: String) throws -> (
    kernels: Kernels, notes: [String]
  ) {
    let best = try forThisMachine()
    // Only once in a process.
    if agreed.withLock({ $0.contains(best.name) }) { return (best, []) }
    let all = available
    let sets = all.prefix(through: all.firstIndex { $0.name == best.name } ?? 0)
    let found = checked(Array(sets), CheckedSets(folder: folder, version: version))
    agreed.withLock { _ = $0.insert(found.kernels.name) }
    return found
  }

  /// The sets that agree with portable C, found so far by this process.
  private static let agreed = Mutex<Set<String>>([])

  /// The last of these sets whose kernels agree with portable C.
  static func checked(_ sets: [Kernels], _ memory: CheckedSets) -> (kernels: Kernels, notes: [String]) {
    var notes: [String] = []
    for kernels in sets.dropFirst().reversed() {
      if memory.has(kernels.name) { return (kernels, notes) }
      guard let family = KernelCheck.disagreement(of: kernels) else {
        memory.remember(kernels.name)
        return (kernels, notes)
      }
      notes.append(
        "\(kernels.name): this machine computes \(family) wrongly with these instructions, so they are not used "
          + "(SDBATCH_ISA chooses others)")
    }
    return (sets[0], notes)
  }
}

/// The instruction sets that passed the comparison on this processor with this version of the program: one small file each.
struct CheckedSets {
  private let folder: String?
  private let content: String

  /// Creates the record in a folder; nil to remember nothing.
  init(folder: String?, version: String, processor: String = CheckedSets.processor) {
    self.folder = folder
    content = "sdbatch kernels \(KernelCheck.version)\n\(version)\n\(processor)\n"
  }

  /// Whether a set passed the comparison.
  func has(_ name: String) -> Bool {
    guard let folder, let file = fopen("\(folder)/kernels-\(name)", "r") else { return false }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self) == content
  }

  /// Remembers that a set agrees; a failure to write it is not an error.
  func remember(_ name: String) {
    guard let folder else { return }
    var path = ""
    for part in folder.split(separator: "/") {
      path += "/\(part)"
      mkdir(path, 0o700)
    }
    let temporary = "\(folder)/kernels-\(name).\(getpid())-\(UInt32.random(in: 0 ... .max))"
    guard let file = fopen(temporary, "w") else { return }
    let isWritten = fputs(content, file) >= 0
    guard fclose(file) == 0, isWritten, rename(temporary, "\(folder)/kernels-\(name)") == 0 else {
      unlink(temporary)
      return
    }
  }

  /// The description of the first processor in `/proc/cpuinfo`.
  static var processor: String {
    guard let file = fopen("/proc/cpuinfo", "r") else { return "unknown" }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 14)
    let count = fread(&bytes, 1, bytes.count, file)
    let text = String(decoding: bytes[..<count], as: UTF8.self)
    let wanted = [
      "vendor_id", "cpu family", "model", "model name", "stepping", "microcode", "CPU part", "flags", "Features",
    ]
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).prefix { !$0.isEmpty }
    return lines.filter { line in
      guard let end = line.firstIndex(where: { $0 == "\t" || $0 == ":" }) else { return false }
      return wanted.contains(String(line[..<end]).trimmedEnd)
    }.joined(separator: "; ")
  }
}

extension String {
  /// The text without blanks at the end.
  fileprivate var trimmedEnd: String {
    var text = self[...]
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}
