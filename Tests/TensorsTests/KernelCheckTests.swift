import CKernels
import Foundation
import Testing
import TestSupport

@testable import Tensors

/// The comparison of kernels at the first use of an instruction set.
@Suite struct KernelCheckTests {
  /// The kernels with some slots replaced.
  private func broken(_ kernels: Kernels, _ change: (inout ck_table) -> Void) -> Kernels {
    let table = UnsafeMutablePointer<ck_table>.allocate(capacity: 1)
    table.initialize(to: kernels.table.pointee)
    change(&table.pointee)
    return Kernels(UnsafePointer(table))
  }

  private static let best = Kernels.available[Kernels.available.count - 1]

  @Test(arguments: Kernels.available) func `this machine's sets agree with portable C`(kernels: Kernels) {
    #expect(KernelCheck.disagreement(of: kernels) == nil)
  }

  @Test func `a kernel that computes something else is found`() throws {
    let changes: [(String, (inout ck_table) -> Void)] = [
      ("linear layers in fp32", { $0.product = { $0?.pointee.out?.pointee = 5 } }),
      ("linear layers in bf16", { $0.product_bf16 = { $0?.pointee.out?.pointee = 5 } }),
      ("linear layers in int8", { $0.product_int8 = { $0?.pointee.out?.pointee = 5 } }),
      ("convolutions in fp32", { $0.winograd_output = { _ in } }),
      ("attention in bf16", { $0.attention_bf16 = { $0?.pointee.out?.pointee = 0x4000 } }),
      ("unpacking in bf16", { $0.unpack_bf16 = { _ in } }),
      ("norms and activations in fp32", { $0.silu = { _, _, y in y?.pointee = .nan } }),
    ]
    for (family, change) in changes { #expect(KernelCheck.disagreement(of: broken(Self.best, change)) == family) }
  }

  @Test func `a set that disagrees is left out with a note, and one that agrees is remembered`() throws {
    let folder = try TemporaryFolder()
    let path = folder("cache/sdbatch")
    let memory = CheckedSets(folder: path, version: "1.0")
    let portable = Kernels.available[0]
    let bad = broken(Self.best) { $0.gelu = { _, _, y in y?.pointee = 7 } }
    let (kernels, notes) = Kernels.checked([portable, bad], memory)
    #expect(kernels.name == "portable" && notes.count == 1)
    #expect(notes[0].contains(Self.best.name) && notes[0].contains("norms and activations in fp32"))
    #expect(!memory.has(Self.best.name))

    #expect(Kernels.checked([portable, Self.best], memory).kernels.name == Self.best.name)
    #expect(memory.has(Self.best.name))
    // The stored result counts: the comparison is not repeated.
    #expect(Kernels.checked([portable, bad], memory).kernels.name == Self.best.name)
    #expect(!CheckedSets(folder: path, version: "1.1").has(Self.best.name))
    #expect(!CheckedSets(folder: path, version: "1.0", processor: "another").has(Self.best.name))
  }
}
