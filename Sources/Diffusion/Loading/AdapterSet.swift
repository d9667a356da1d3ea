import Weights

/// The LoRAs that the weights of a loaded model have.
final class AdapterSet {
  private let stores: [WeightStore]
  private var keys: [Key] = []

  /// What the changed weights depend on.
  private struct Key: Hashable {
    let path: String
    let sha256: String
    let textMultiplier: Double
    let unetMultiplier: Double
    let rankLimit: Int?

    init(_ lora: AdapterCatalog.MatchedLoRA) {
      path = lora.identity.path
      sha256 = lora.identity.sha256
      textMultiplier = lora.identity.textMultiplier
      unetMultiplier = lora.identity.unetMultiplier
      rankLimit = lora.identity.rankLimit
    }
  }

  /// No LoRAs.
  ///
  /// - Parameter stores: The weights: the denoising network's, then the text encoders'.
  /// - Throws: `WeightError` if layers that have LoRAs cannot be read again.
  init(_ stores: [WeightStore]) throws {
    self.stores = stores
    for store in stores { try store.setPatches([:]) }
  }

  /// Whether the weights have these LoRAs, and no others.
  func has(_ loras: [AdapterCatalog.MatchedLoRA]) -> Bool { loras.map(Key.init) == keys }

  /// Replaces the LoRAs that the weights have.
  ///
  /// Layers that the old or the new LoRAs change are packed again, one after the other, from the files: there is no second
  /// copy of the model.
  ///
  /// - Parameter loras: In the order in which they change the weights.
  /// - Throws: `WeightError`; the weights can then no longer be used.
  func set(_ loras: [AdapterCatalog.MatchedLoRA]) throws {
    // The digests must be of what is read now.
    func requireUnchanged() throws {
      for store in stores { try store.requireUnchanged() }
      for lora in loras { try lora.match.file.requireUnchanged() }
    }
    var patches: [[String: WeightPatch]] = stores.map { _ in [:] }
    for lora in loras {
      let text = Float(lora.identity.textMultiplier)
      lora.match.add(
        to: &patches,
        multipliers: [Float(lora.identity.unetMultiplier)] + Array(repeating: text, count: stores.count - 1),
        rankLimit: lora.identity.rankLimit)
    }
    try requireUnchanged()
    let outcome = Result { for (store, patches) in zip(stores, patches) { try store.setPatches(patches) } }
    // If a file changed while loading, report that instead of the parse error.
    try requireUnchanged()
    try outcome.get()
    keys = loras.map(Key.init)
  }
}
