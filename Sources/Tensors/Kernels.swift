import CKernels
import Glibc

/// The table of SIMD kernels for one instruction set.
///
/// The table is filled once and never written again, so it may be shared between threads.
public struct Kernels: @unchecked Sendable {
  let table: UnsafePointer<ck_table>

  /// The instruction set's name, such as `avx512`.
  public let name: String

  /// Outputs in one panel of packed weights.
  public var panelWidth: Int { table.pointee.nr }

  /// What these kernels compute fastest in, of the types that keep quality.
  public var fastestElementType: ElementType { table.pointee.has_native_bf16 != 0 ? .bf16 : .fp32 }

  /// Whether these kernels multiply 8-bit integers faster than anything else.
  public var isFastInInt8: Bool { table.pointee.has_native_int8 != 0 }

  private init(_ table: UnsafePointer<ck_table>) {
    self.table = table
    name = String(cString: table.pointee.name)
  }

  /// The best kernels that this machine runs, or those that `SDBATCH_ISA` names.
  ///
  /// - Throws: ``TensorError/unknownInstructionSet(_:available:)`` when `SDBATCH_ISA` names none that runs here.
  public static func forThisMachine() throws -> Kernels {
    guard let table = ck_kernels(), ck_isa_refused() == 0 else {
      let asked = getenv("SDBATCH_ISA").map { String(cString: $0) } ?? ""
      throw TensorError.unknownInstructionSet(asked, available: available.map(\.name))
    }
    return Kernels(table)
  }

  /// The kernels of every instruction set that this machine runs, portable first.
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

/// What can go wrong before any arithmetic starts.
public enum TensorError: Error, CustomStringConvertible {
  /// `SDBATCH_ISA` names an instruction set that this build or this machine lacks.
  case unknownInstructionSet(String, available: [String])

  /// One sentence for the user.
  public var description: String {
    switch self {
    case .unknownInstructionSet(let name, let available):
      "SDBATCH_ISA is \"\(name)\", which this machine cannot run; it can run \(available.joined(separator: ", "))"
    }
  }
}
