import Testing
import TestSupport

@testable import Tensors

/// Operations that are special in bfloat16; `ComputeTests` compares products and convolutions of both element types.
@Suite struct BF16ComputeTests {
  @Test(arguments: Kernels.available)
  func `a group norm agrees with the one in floats`(kernels: Kernels) {
    let compute = Compute(kernels: kernels, threadCount: 2, elementType: .bf16)
    var random = SplitMix64(seed: 5)
    let (channels, groups) = (24, 3)
    let x = compute.tensor(batch: 2, height: 40, width: 50, channels: channels)
    for index in 0..<x.count { x.base16[index] = narrowed(random.float() + 5) }
    let gamma = random.floats(channels)
    let beta = random.floats(channels)
    let outputs = [x, compute.converted(x, to: .fp32)].map {
      compute.groupNorm($0, groups: groups, gamma: gamma, beta: beta, epsilon: 1e-5, activation: .silu, border: 1)
    }
    #expect(relativeDifference(outputs[0].values, outputs[1].values) < 0x1.1p-8)
    #expect((0..<52 * channels).allSatisfy { outputs[0].base16[$0] == 0 })
  }

  @Test(arguments: Kernels.available, [1, 2, 3, 7])
  func `the bits do not depend on the number of threads`(kernels: Kernels, threads: Int) {
    func run(_ threadCount: Int) -> [Float] {
      let compute = Compute(kernels: kernels, threadCount: threadCount, elementType: .bf16)
      var random = SplitMix64(seed: 9)
      let x = compute.tensor(batch: 1, height: 24, width: 20, channels: 48)
      for index in 0..<x.count { x.base16[index] = narrowed(random.float()) }
      let convolution = PanelMatrix(
        weights: random.floats(96 * 48 * 9), bias: random.floats(96), outputs: 96, inputs: 48,
        layer: .convolution(.direct), compute: compute)
      let normal = compute.groupNorm(
        x, groups: 8, gamma: random.floats(48), beta: random.floats(48), epsilon: 1e-5, activation: .silu, border: 1)
      let y = compute.convolution3x3(normal, convolution)
      let source = KeysValues(keys: y, values: y, image: 0, heads: 6, compute: compute)
      return compute.layerNorm(
        compute.attention(y, [source]), gamma: random.floats(96), beta: random.floats(96), epsilon: 1e-5
      ).values
    }
    #expect(run(1) == run(threads))
  }

  @Test func `converting to bfloat16 and back keeps bfloat16 numbers, and adds or removes a border`() {
    let compute = Compute(kernels: Kernels.available[0], threadCount: 2)
    let x = compute.tensor(batch: 2, height: 3, width: 5, channels: 7)
    for index in 0..<x.count { x.base[index] = widened(UInt16(0x3f80 + index)) }
    let narrow = compute.converted(x, to: .bf16, border: 1)
    #expect(narrow.values == x.values && narrow.border == 1)
    #expect((0..<narrow.rowStride).allSatisfy { narrow.base16[$0] == 0 })
    #expect(compute.converted(narrow, to: .fp32).values == x.values)
  }
}
