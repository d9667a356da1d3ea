import Networks
import Weights

/// The LoRAs that the weights of a loaded model have.
final class AdapterSet {
  private let archive: ModelArchive
  private var key: [Key] = []

  /// What decides about the weights.
  private struct Key: Hashable {
    let path: String
    let sha256: String
    let textMultiplier: Double
    let unetMultiplier: Double
    let rankLimit: Int?

    init(_ lora: AdapterCatalog.PlacedLoRA) {
      path = lora.identity.path
      sha256 = lora.identity.sha256
      textMultiplier = lora.identity.textMultiplier
      unetMultiplier = lora.identity.unetMultiplier
      rankLimit = lora.identity.rankLimit
    }
  }

  /// No LoRAs; throws `WeightError` if layers that have some cannot be read again.
  init(_ archive: ModelArchive) throws {
    self.archive = archive
    for store in archive.adaptedStores { try store.setPatches([:]) }
  }

  /// Whether the weights have these LoRAs, and no others.
  func has(_ loras: [AdapterCatalog.PlacedLoRA]) -> Bool { loras.map(Key.init) == key }

  /// Gives the weights these LoRAs in the place of those that they have; what no LoRA changes is left alone.
  ///
  /// The layers that any of both change are packed anew, one after the other, from the model's file and the LoRAs': there
  /// is no second copy of the model.
  ///
  /// - Parameter loras: In the order in which they change the weights.
  /// - Throws: `WeightError`; the weights are then unusable.
  func set(_ loras: [AdapterCatalog.PlacedLoRA]) throws {
    let stores = archive.adaptedStores
    // What is read now must be what the digests are of.
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
    // A fault of a file that is being written is none of the model or the LoRA.
    try requireUnchanged()
    try outcome.get()
    key = loras.map(Key.init)
  }
}
