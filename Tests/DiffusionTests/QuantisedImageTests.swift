import Diffusion
import Foundation
import Settings
import Testing
import TestSupport

@testable import TensorFiles

/// Files with 8-bit weights: the images that PyTorch makes with the same values
/// (`Tests/FixtureScripts/make_quantised_images.py`).
///
/// The files are written here, by the same rules as in that script.
@Suite struct QuantisedImageTests {
  static let cases = ImageCase.cases(in: "../Families/quantised/cases.json")

  @Test func `every image differs from the others`() throws {
    #expect(Self.cases.count == 3)
    let exact = FamilyImageTests.cases.filter { $0.model == "sd2.safetensors" || $0.model == "sdxl.safetensors" }
    let images = try (Self.cases + exact).map { try $0.expectedImage().pixels }
    #expect(Set(images).count == images.count)
  }

  @Test(arguments: cases.prefix(2))
  func `a renamed GGUF file in Q8_0 makes the image of its values`(testCase: ImageCase) throws {
    let tensors = try Self.tensors(testCase)
    let folder = try TemporaryFolder()
    let path = try folder.write("q8_0.gguf", RenamedFileImageTests.file(tensors, .converted, isQuantised: true))
    try expectAgreement(testCase, folder, path)
  }

  @Test(arguments: cases.suffix(1))
  func `FP8 with scales by tensor, row and block makes the image of its values`(testCase: ImageCase) throws {
    let folder = try TemporaryFolder()
    var scaled: [SyntheticTensor] = []
    var kinds: [String: Int] = [:]
    for tensor in try Self.tensors(testCase) {
      guard let scheme = Scaling(tensor) else {
        scaled.append(
          SyntheticTensor(tensor.name, tensor.shape, type: "F16", bytes: try tensor.withRawBytes { Array($0) }))
        continue
      }
      kinds[scheme.ending, default: 0] += 1
      scaled += scheme.tensors(tensor.name, tensor.shape, try tensor.floats())
    }
    // Eight transformer blocks, and three layers in each text encoder; the first one has separate queries, keys and values.
    #expect(kinds == ["scale_weight": 8 * 8, "weight_scale_inv": 8, "weight_scale": 3 * 6 + 3 * 3])
    let path = try folder.write("fp8.safetensors", scaled)
    try expectAgreement(testCase, folder, path)
  }

  private static func tensors(_ testCase: ImageCase) throws -> [StoredTensor] {
    let path = RandomModels.path(try #require(testCase.model))
    return try SafetensorsFile(path: path).tensors.values.sorted { $0.name < $1.name }
  }

  private func expectAgreement(_ testCase: ImageCase, _ folder: TemporaryFolder, _ path: String) throws {
    for name in ["vocab.json", "merges.txt"] {
      try folder.write(name, [UInt8](try RandomModels.data(name)))
    }
    var settings = testCase.settings
    settings.model = ModelReference(name: "quantised", path: path)
    try testCase.expectAgreement(Engine.forTests(), settings)
  }
}

/// GGUF's Q8_0: a scale in half precision, then 32 values of a row in a byte each.
enum Q8 {
  static let type: UInt32 = 8

  /// The blocks of a matrix of UNet or text encoders; nil for other tensors.
  static func blocks(_ tensor: StoredTensor) throws -> [UInt8]? {
    guard tensor.shape.count == 2, tensor.shape[1].isMultiple(of: 32), !tensor.name.hasPrefix("first_stage_model."),
      !tensor.name.hasSuffix("text_projection")
    else { return nil }
    let numbers = try tensor.floats()
    var bytes: [UInt8] = []
    bytes.reserveCapacity(numbers.count / 32 * 34)
    for start in stride(from: 0, to: numbers.count, by: 32) {
      let block = numbers[start..<start + 32]
      let scale = Float16(block.reduce(0) { max($0, abs($1)) } / 127)
      bytes += PickleBytes.littleEndian(scale.bitPattern)
      for number in block {
        let quotient = (number / Float(scale)).rounded(.toNearestOrEven)
        bytes.append(UInt8(bitPattern: Int8(max(-127, min(127, quotient.isNaN ? 0 : quotient)))))
      }
    }
    return bytes
  }
}

/// How a weight is stored in FP8.
private enum Scaling {
  case byTensor
  case byRow
  case byBlock

  init?(_ tensor: StoredTensor) {
    guard tensor.shape.count == 2, tensor.name.hasSuffix(".weight") else { return nil }
    let text = [
      "out_proj", "mlp.fc1", "mlp.fc2", "mlp.c_fc", "mlp.c_proj", "q_proj", "k_proj", "v_proj",
    ]
    if tensor.name.hasPrefix("model.diffusion_model.") {
      if tensor.name.contains(".attn") {
        self = .byTensor
      } else if tensor.name.hasSuffix("ff.net.0.proj.weight") {
        self = .byBlock
      } else {
        return nil
      }
    } else if tensor.name.hasPrefix("conditioner."), text.contains(where: { tensor.name.hasSuffix($0 + ".weight") }) {
      self = .byRow
    } else {
      return nil
    }
  }

  /// The suffix of the scales' name.
  var ending: String {
    switch self {
    case .byTensor: "scale_weight"
    case .byRow: "weight_scale"
    case .byBlock: "weight_scale_inv"
    }
  }

  /// The weight in E4M3 and its scales, for blocks with these sides.
  func tensors(_ name: String, _ shape: [Int], _ numbers: [Float]) -> [SyntheticTensor] {
    let (rows, columns) = (shape[0], shape[1])
    let side =
      switch self {
      case .byTensor: (rows, columns)
      case .byRow: (1, columns)
      case .byBlock: (128, 128)
      }
    let blocks = ((rows + side.0 - 1) / side.0, (columns + side.1 - 1) / side.1)
    func block(_ element: Int) -> Int { element / columns / side.0 * blocks.1 + element % columns / side.1 }
    var scales = [Float](repeating: 0, count: blocks.0 * blocks.1)
    for (element, number) in numbers.enumerated() { scales[block(element)] = max(scales[block(element)], abs(number)) }
    scales = scales.map { $0 / 448 }
    let bytes = numbers.enumerated().map { Self.nearest($1, scales[block($0)]) }
    let scaleName = name.dropLast("weight".count) + ending
    return [
      SyntheticTensor(name, shape, type: "F8_E4M3", bytes: bytes),
      SyntheticTensor(String(scaleName), scales.count == 1 ? [] : [blocks.0, blocks.1], floats: scales),
    ]
  }

  /// The values of E4M3 from 0 to 448, by their codes.
  private static let e4m3: [Float] = (0..<127).map { code in
    let (exponent, mantissa) = (code >> 3, Float(code & 7) / 8)
    return exponent == 0
      ? mantissa * 0x1p-6 : (1 + mantissa) * Float(sign: .plus, exponent: exponent - 7, significand: 1)
  }

  /// The code of the nearest value; ties go to the smaller one.
  private static func nearest(_ number: Float, _ scale: Float) -> UInt8 {
    let x = abs(number / scale)
    var (low, high) = (1, 126)
    while low < high {
      let middle = (low + high) / 2
      if e4m3[middle] < x { low = middle + 1 } else { high = middle }
    }
    let code = x - e4m3[low - 1] <= e4m3[low] - x ? low - 1 : low
    return UInt8(code) | (number.sign == .minus ? 0x80 : 0)
  }
}
