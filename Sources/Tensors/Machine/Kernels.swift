import CKernels
import Glibc

/// The table of SIMD kernels for one instruction set.
///
/// The table is filled once and never changes, so threads can share it.
public struct Kernels: @unchecked Sendable {
  let table: UnsafePointer<ck_table>

  /// The instruction set's name, such as `avx512`.
  public let name: String

  /// The number of columns in one panel of packed weights.
  public var panelWidth: Int { table.pointee.nr }

  /// The fastest element type of these kernels that keeps the quality of images.
  public var fastestElementType: ElementType { table.pointee.has_native_bf16 != 0 ? .bf16 : .fp32 }

  /// Whether these kernels multiply 8-bit integers faster than anything else.
  public var isFastInInt8: Bool { table.pointee.has_native_int8 != 0 }

  /// Creates kernels from a table that is never released.
  init(_ table: UnsafePointer<ck_table>) {
    self.table = table
    name = String(cString: table.pointee.name)
  }

  /// The best kernels that run on this computer, or those that `SDBATCH_ISA` names.
  ///
  /// - Throws: ``TensorError/unknownInstructionSet(_:available:)`` if `SDBATCH_ISA` names an instruction set that does not run
  ///   here.
  public static func forThisMachine() throws -> Kernels {
    guard let table = ck_kernels(), ck_isa_refused() == 0 else {
      let asked = getenv("SDBATCH_ISA").map { String(cString: $0) } ?? ""
      throw TensorError.unknownInstructionSet(asked, available: available.map(\.name))
    }
    return Kernels(table)
  }

  /// The kernels of every instruction set that runs on this computer, portable first.
  public static var available: [Kernels] {
    var found: [Kernels] = []
    var index = 0
    while let name = ck_isa_name(index) {
      if let table = ck_kernels_named(name) { found.append(Kernels(table)) }
      index += 1
    }
    return found
  }
}

/// Why the kernels cannot be used.
public enum TensorError: Error, CustomStringConvertible {
  /// `SDBATCH_ISA` names an instruction set that this build or this computer lacks.
  case unknownInstructionSet(String, available: [String])

  /// One sentence for the user.
  public var description: String {
    switch self {
    case .unknownInstructionSet(let name, let available):
      "SDBATCH_ISA is \"\(name)\", which this machine cannot run; it can run \(available.joined(separator: ", "))"
    }
  }
}
