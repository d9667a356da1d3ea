import Foundation
import Testing
import TestSupport

@testable import Tensors

/// Copies of packed networks: they give the same bits as packing again, and a wrong copy is never used.
@Suite struct PackedCopiesTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private var path: String { folder.path + "/packed" }

  private func copies(limit: Int = 1 << 30) -> PackedCopies { PackedCopies(folder: path, limit: limit) }

  private static let kernels = Kernels.available[Kernels.available.count - 1]

  private static func compute(_ precision: Precision) -> Compute {
    Compute(kernels: kernels, threadCount: 2, precision: precision)
  }

  private static func matrix(_ layer: PanelMatrix.Layer, _ compute: Compute, outputs: Int = 70) -> PanelMatrix {
    var random = SplitMix64(seed: outputs)
    return PanelMatrix(
      weights: random.floats(outputs * 37 * layer.taps), bias: random.floats(outputs), outputs: outputs, inputs: 37,
      layer: layer, compute: compute)
  }

  private static func copy(
    _ layer: PanelMatrix.Layer, _ compute: Compute, of network: PackedNetwork, outputs: Int = 70
  ) -> PanelMatrix? {
    var random = SplitMix64(seed: outputs)
    _ = random.floats(outputs * 37 * layer.taps)
    return PanelMatrix(
      copy: network, name: "layer", outputs: outputs, inputs: 37, bias: random.floats(outputs), layer: layer,
      compute: compute)
  }

  private static func result(_ matrix: PanelMatrix, _ compute: Compute) -> [Float] {
    var random = SplitMix64(seed: 1)
    let x = compute.tensor(batch: 1, height: 9, width: 7, channels: 37, elementType: .fp32)
    for index in 0..<x.count { x.base[index] = random.float() }
    let y =
      matrix.taps == 9
      ? compute.convolution3x3(compute.converted(x, border: 1), matrix, as: .fp32)
      : compute.product(compute.converted(x), matrix, as: .fp32)
    return (0..<y.count).map { y.base[$0] }
  }

  private static let layers: [PanelMatrix.Layer] = [
    .linear, .gatedLinear, .convolution(.direct), .convolution(.winograd2), .convolution(.winograd4),
  ]

  @Test(arguments: Precision.allCases)
  func `a mapped matrix gives the bits of the packed one`(precision: Precision) throws {
    let compute = Self.compute(precision)
    for layer in Self.layers {
      if case .gatedLinear = layer, precision != .int8 { continue }
      if case .convolution(.winograd4) = layer, precision != .fp32 { continue }
      let packed = Self.matrix(layer, compute)
      let copies = copies()
      copies.network("a-\(layer)".filter { $0 != "(" && $0 != ")" }).keep(packed, as: "layer")
      copies.save()
      copies.wait()
      let network = self.copies().network("a-\(layer)".filter { $0 != "(" && $0 != ")" })
      let mapped = try #require(Self.copy(layer, compute, of: network))
      #expect(Self.result(mapped, compute) == Self.result(packed, compute), "\(layer)")
      #expect(Self.copy(layer, compute, of: network, outputs: 140) == nil)
    }
  }

  private func write(_ key: String, outputs: Int = 70, limit: Int = 1 << 30) {
    let copies = copies(limit: limit)
    copies.network(key).keep(Self.matrix(.linear, Self.compute(.fp32), outputs: outputs), as: "layer")
    copies.writesInBackground = false
    copies.save()
  }

  private var files: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
  }

  @Test func `a damaged copy is not used`() throws {
    write("one")
    let file = path + "/one.packed"
    let whole = try Data(contentsOf: URL(fileURLWithPath: file))
    #expect(PackedFile(path: file, key: "one") != nil && PackedFile(path: file, key: "two") == nil)
    var damaged: [Data] = [Data(), whole.prefix(100), whole.prefix(4096), whole.dropLast(4096)]
    for at in [3, 20, 30, 40, 4096] {
      var copy = whole
      copy[at] ^= 1
      damaged.append(copy)
    }
    for data in damaged {
      try data.write(to: URL(fileURLWithPath: file))
      #expect(PackedFile(path: file, key: "one") == nil)
    }
    // The next start replaces it.
    write("one")
    #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == whole)
  }

  @Test func `copies that were not used for longest make room`() throws {
    // The size of a new file is estimated to a few pages, which must be little beside the whole on every processor.
    write("one", outputs: 2000)
    write("two", outputs: 2000)
    write("three", outputs: 2000)
    for (index, name) in ["two", "three", "one"].enumerated() {
      let date = Date(timeIntervalSince1970: 1_000_000 + Double(index))
      try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: "\(path)/\(name).packed")
    }
    let size = try #require(try FileManager.default.attributesOfItem(atPath: path + "/one.packed")[.size] as? Int)
    write("four", outputs: 2000, limit: 3 * size + size / 2)
    #expect(files == ["four.packed", "one.packed", "three.packed"])
    write("five", outputs: 2000, limit: size / 2)
    #expect(files == ["four.packed", "one.packed", "three.packed"])
    write("six", outputs: 2000, limit: 0)
    #expect(files.count == 3)
  }

  @Test func `a copy that is removed or replaced stays readable`() throws {
    write("one")
    let network = copies().network("one")
    let compute = Self.compute(.fp32)
    let mapped = try #require(Self.copy(.linear, compute, of: network))
    write("one")
    try FileManager.default.removeItem(atPath: path + "/one.packed")
    #expect(Self.result(mapped, compute) == Self.result(Self.matrix(.linear, compute), compute))
  }

  @Test func `several writers at once leave one whole copy`() async throws {
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 { group.addTask { write("one") } }
    }
    #expect(files == ["one.packed"])
    #expect(PackedFile(path: path + "/one.packed", key: "one") != nil)
  }

  @Test func `a new matrix joins those of the copy`() throws {
    write("one")
    let copies = copies()
    copies.network("one").keep(Self.matrix(.linear, Self.compute(.fp32), outputs: 5), as: "other")
    copies.writesInBackground = false
    copies.save()
    #expect(
      try #require(PackedFile(path: path + "/one.packed", key: "one")).entries.keys.sorted() == ["layer", "other"])
  }
}
