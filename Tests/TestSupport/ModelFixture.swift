/// The tensor names and shapes of a model, as PyTorch libraries have them; see `Tests/FixtureScripts/make_model_names.py`.
package struct ModelFixture: Sendable {
  package static let all = ["sd15", "one-layer", "three-layers"]

  package struct Tensor: Sendable {
    /// The name in the diffusers library.
    package var name: String
    /// The name in a single file, after the network's prefix.
    package var singleName: String
    package var shape: [Int]
    package var singleShape: [Int]
  }

  package struct Network: Sendable {
    package var name: String
    /// The start of its names in a single file.
    package var prefix: String
    package var tensors: [Tensor] = []
  }

  package static let folder = Fixtures.path("Weights")

  package let name: String
  package private(set) var networks: [String: Network] = [:]

  package init(_ name: String) throws {
    self.name = name
    let text = try Fixtures.text("Weights/\(name)/tensors.txt")
    var network = Network(name: "", prefix: "")
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      if line.hasPrefix("[") {
        networks[network.name] = network
        network = Network(name: String(words[0].dropFirst().dropLast()), prefix: words[1])
      } else {
        let shapes = words[2...].map { $0.split(separator: "x").compactMap { Int($0) } }
        network.tensors.append(
          Tensor(name: words[0], singleName: words[1], shape: shapes[0], singleShape: shapes[shapes.count - 1]))
      }
    }
    networks[network.name] = network
  }

  /// The tensors of one network, including the VAE's encoder.
  package func tensors(_ network: String) -> [Tensor] { networks[network]?.tensors ?? [] }

  /// All tensors with the names and shapes of a single file.
  package func singleFile(_ networks: [String] = ["unet", "vae", "text_encoder"]) -> [SyntheticTensor] {
    networks.compactMap { self.networks[$0] }.flatMap { network in
      network.tensors.map { SyntheticTensor(network.prefix + $0.singleName, $0.singleShape) }
    }
  }

  /// The tensors of one network with the names and shapes of a diffusers folder.
  package func diffusers(_ network: String) -> [SyntheticTensor] {
    tensors(network).map { SyntheticTensor($0.name, $0.shape) }
  }

  /// The configuration that diffusers wrote for one network.
  package func configuration(_ network: String) throws -> String {
    try Fixtures.text("Weights/\(name)/\(network).json")
  }

  /// Writes a diffusers folder whose weights are all zero; returns its path.
  package func writeFolder(to folder: TemporaryFolder, as name: String) throws -> String {
    for (network, file) in [
      ("unet", "diffusion_pytorch_model"), ("vae", "diffusion_pytorch_model"), ("text_encoder", "model"),
    ] {
      try folder.write("\(name)/\(network)/config.json", configuration(network))
      try folder.write("\(name)/\(network)/\(file).safetensors", diffusers(network))
    }
    return folder(name)
  }
}
