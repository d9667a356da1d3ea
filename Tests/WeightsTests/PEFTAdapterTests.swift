import Foundation
import TensorFiles
import Testing
import TestSupport
import Weights

/// Adapters in the form in which PEFT saves them, against the weights that PEFT itself merges
/// (`Tests/FixtureScripts/make_peft_adapters.py`), and the settings that are refused.
@Suite struct PEFTAdapterTests {
  struct Fixture: Decodable {
    struct Layer: Decodable {
      var shape: [Int]
      var values: [Float]
    }
    struct Case: Decodable, Sendable, CustomTestStringConvertible {
      var name: String
      var network: String
      var merged: [String: [Float]]
      var testDescription: String { name }
    }

    var layers: [String: [String: Layer]]
    var cases: [Case]
  }

  static let fixture = Result { try Fixtures.decode(Fixture.self, from: "PEFT/cases.json") }
  static let cases = (try? fixture.get().cases) ?? []

  /// The name in code of a tensor of the fixture's text encoder.
  private static func named(_ name: String) -> String {
    name.hasPrefix("text_model.") ? String(name.dropFirst("text_model.".count)) : name
  }

  /// The weights of the fixture's layers after the adapter in `folder` is applied.
  private func merged(_ path: String, network: String) throws -> [String: [Float]] {
    let layers = try #require(try Self.fixture.get().layers[network])
    let shapes = Dictionary(uniqueKeysWithValues: layers.map { (Self.named($0.key), $0.value.shape) })
    var names = AdapterNames()
    let modules = shapes.keys.filter { $0.hasSuffix(".weight") }.map { String($0.dropLast(".weight".count)) }
    if network == "unet" {
      names.addUNet(
        modules, structure: BlockStructure(blockCount: 2, layersPerBlock: 1, endsInTransformer: [true, true]),
        network: 0)
    } else {
      names.addTextEncoder(modules, ModelFamily.sd1.textEncoders[0], network: 0)
    }
    let match = try AdapterMatch(
      AdapterFile(path: path), names: names, shapes: [shapes], model: "model", title: ModelFamily.sd1.title)
    var patches: [[String: WeightPatch]] = [[:]]
    match.add(to: &patches, multipliers: [1], rankLimit: nil)
    var merged: [String: [Float]] = [:]
    for (key, layer) in layers {
      guard let patch = patches[0][Self.named(key)] else { continue }
      let rowSize = layer.shape.dropFirst().reduce(1, *)
      let prepared = try patch.prepared(
        shape: layer.shape, parallel: { (0..<$0).forEach($1) },
        read: { (rows, destination) throws(TensorFileError) in
          for index in 0..<rows.count * rowSize {
            destination[index] = layer.values[rows.lowerBound * rowSize + index]
          }
        })
      var values = layer.values
      values.withUnsafeMutableBufferPointer { buffer in
        if let base = buffer.baseAddress { prepared.apply(to: base, rows: 0..<layer.shape[0]) }
      }
      merged[key] = values
    }
    return merged
  }

  @Test(arguments: cases)
  func `weights are those that PEFT merges`(testCase: Fixture.Case) throws {
    let merged = try merged(
      Fixtures.path("PEFT/\(testCase.name)/adapter_model.safetensors"), network: testCase.network)
    #expect(Set(merged.keys) == Set(testCase.merged.keys))
    for (name, expected) in testCase.merged {
      let found = try #require(merged[name])
      #expect(zip(found, expected).allSatisfy { abs($0 - $1) <= 2e-5 * max(1, abs($1)) }, "\(testCase.name) \(name)")
    }
  }

  @Test func `there is a case for each setting`() {
    #expect(Self.cases.count == 10)
  }

  /// A folder with an adapter of rank 2 for one layer.
  private func folder(_ settings: String, name: String = "adapter_model") throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let layer = "base_model.model.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    try folder.write(
      "\(name).safetensors",
      [SyntheticTensor("\(layer).lora_A.weight", [2, 6]), SyntheticTensor("\(layer).lora_B.weight", [8, 2])])
    try folder.write("adapter_config.json", settings)
    return folder
  }

  @Test(arguments: [
    (#"{"peft_type": "VERA", "r": 2}"#, "peft_type"), (#"{"peft_type": "LORA", "r": 4}"#, "has the rank 2"),
    (#"{"r": 2, "lora_alpha": "16"}"#, "lora_alpha"), (#"{"r": 2, "init_lora_weights": "pissa"}"#, "init_lora_weights"),
    (#"{"r": 2, "init_lora_weights": "olora"}"#, "init_lora_weights"), (#"{"r": 2, "use_dora": true}"#, "use_dora"),
    (#"{"r": 2, "layer_replication": [[0, 4]]}"#, "layer_replication"),
    (#"{"r": 2, "alora_invocation_tokens": [1]}"#, "alora_invocation_tokens"),
    (#"{"r": 2, "alpha_pattern": {"(": 3}}"#, "alpha_pattern"),
    (#"{"r": 2, "rank_pattern": {"to_q": 0}}"#, "rank_pattern"),
    (#"{"r": 2, "a_setting_of_the_future": 3}"#, "a_setting_of_the_future"), (#"{"r": 1e300}"#, "r is"),
    ("[]", "an object is expected"), ("{", "adapter_config.json"),
  ])
  func `settings that would change the image are refused by name`(settings: String, word: String) throws {
    let folder = try folder(settings)
    let error = #expect(throws: WeightError.self) { try AdapterFile(path: folder("adapter_model.safetensors")) }
    #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
  }

  @Test func `settings that are off, or only matter in training, are no obstacle`() throws {
    let folder = try folder(
      """
      {"r": 2, "lora_alpha": 4, "auto_mapping": null, "bias": "none", "fan_in_fan_out": true, "inference_mode": true,
       "init_lora_weights": "gaussian", "lora_dropout": 0.1, "layer_replication": null, "use_qalora": false,
       "rank_pattern": {}, "a_setting_of_the_future": null, "target_modules": ["to_q"], "runtime_config": {"a": 1}}
      """)
    #expect(try AdapterFile(path: folder("adapter_model.safetensors")).companions == ["adapter_config.json"])
  }

  @Test func `a renamed adapter keeps its settings, unless another one is in the folder`() throws {
    let folder = try folder(#"{"r": 2, "lora_alpha": 4}"#, name: "style")
    #expect(try AdapterFile(path: folder("style.safetensors")).companions == ["adapter_config.json"])
    try folder.write("adapter_model.safetensors", [SyntheticTensor("a.diff", [2])])
    #expect(try AdapterFile(path: folder("style.safetensors")).companions.isEmpty)
    // They do not belong to a LoRA that PEFT did not name.
    let other = try TemporaryFolder()
    try other.write("adapter_config.json", "{}")
    try other.write("a.safetensors", [SyntheticTensor("lora_unet_a.diff", [2])])
    #expect(try AdapterFile(path: other("a.safetensors")).companions.isEmpty)
  }

  @Test func `changed settings are noticed before the adapter is loaded`() throws {
    let folder = try folder(#"{"r": 2, "lora_alpha": 4}"#)
    let file = try AdapterFile(path: folder("adapter_model.safetensors"))
    try file.requireUnchanged()
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: 1e9)], ofItemAtPath: folder("adapter_config.json"))
    #expect(throws: TensorFileError.changed(path: folder("adapter_config.json"))) { try file.requireUnchanged() }
  }
}
