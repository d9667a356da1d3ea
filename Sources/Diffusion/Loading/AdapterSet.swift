import Weights

/// The LoRAs that are applied to the weights of a loaded model.
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

  /// Creates a set without LoRAs.
  ///
  /// - Parameter stores: The weights: the denoising network's, then the text encoders'.
  /// - Throws: `WeightError` if layers with LoRAs cannot be read again.
  init(_ stores: [WeightStore]) throws {
    self.stores = stores
    for store in stores { try store.setPatches([:]) }
  }

  /// Whether exactly these LoRAs are applied.
  func has(_ loras: [AdapterCatalog.MatchedLoRA]) -> Bool { loras.map(Key.init) == keys }

  /// Replaces the LoRAs that are applied.
  ///
  /// Layers that the old or the new LoRAs change are packed again from the files, one after the other, so there is no second
  /// copy of the model.
  ///
  /// - Parameter loras: The LoRAs, in the order in which they change the weights.
  /// - Throws: `WeightError`; the weights must not be used after that.
  func set(_ loras: [AdapterCatalog.MatchedLoRA]) throws {
    // The digests must match what is read now.
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
