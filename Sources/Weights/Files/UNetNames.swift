import TensorFiles

/// The naming of a UNet's tensors in a single file, which may have any prefix.
struct UNetNames {
  let keyMap: KeyMap
  let structure: BlockStructure

  /// Recognises the names of the latent diffusion code and of the diffusers library; nil if there is no UNet.
  init?(_ names: some Collection<String>) {
    // Every UNet embeds the timestep. The shortest name is not that of a copy inside another part.
    func prefix(before ending: String) -> String? {
      names.filter { $0 == ending || $0.hasSuffix("." + ending) }.min { ($0.utf8.count, $0) < ($1.utf8.count, $1) }
        .map { String($0.dropLast(ending.count)) }
    }
    func own(_ prefix: String) -> [Substring] {
      names.filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count) }
    }
    if let prefix = prefix(before: "time_embed.0.weight"), let structure = BlockStructure(ldmUNet: own(prefix)) {
      (keyMap, self.structure) = (.ldmUNet(structure, prefix: prefix), structure)
    } else if let prefix = prefix(before: "time_embedding.linear_1.weight"),
      let structure = BlockStructure(diffusersUNet: own(prefix))
    {
      (keyMap, self.structure) = (.diffusersUNet(prefix: prefix), structure)
    } else {
      return nil
    }
  }

  /// The prefix of the UNet's names.
  var prefix: String { keyMap.prefix }
}
