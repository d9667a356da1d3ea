import Networks
import Settings
import Tensors

/// The checkpoints in memory: those of one pass, which are one, or two where one of them refines the other's images.
final class LoadedModels {
  private let catalog: ModelCatalog
  private let compute: Compute
  private let smallBytes: Int
  private var loaded: [LoadedModel] = []

  /// No checkpoint yet; networks of less than `smallBytes` stay in memory once they are read.
  init(_ catalog: ModelCatalog, compute: Compute, smallBytes: Int) {
    self.catalog = catalog
    self.compute = compute
    self.smallBytes = smallBytes
  }

  /// A checkpoint of a pass; those that the pass does not need go before anything is read.
  ///
  /// - Parameters:
  ///   - settings: The settings with the checkpoint.
  ///   - plan: What weights are packed for.
  ///   - pass: The pass.
  ///   - progress: Called where the checkpoint is a new one.
  /// - Returns: Networks that are read when they are first needed.
  /// - Throws: `WeightError` or `EngineError`, and what `progress` throws.
  func get(
    _ settings: ImageSettings, _ plan: MemoryPlan, for pass: ImagePass,
    progress: (GenerationProgress) throws -> Void
  ) throws -> LoadedModel {
    let (model, vae) = try catalog.models(for: settings)
    let key = ModelCatalog.Key(model: settings.model, vae: settings.vae)
    let (precision, packing) = (compute.precision(settings.precision), plan.packing)
    let crew = pass.all.map(\.model)
    func isOfKind(_ other: LoadedModel) -> Bool { other.precision == precision && other.packing == packing }
    if let present = loaded.first(where: { $0.key == key && isOfKind($0) }) { return present }
    let compute = compute.with(precision: precision).with(packing)
    let networks: LoadedModel
    if let present = loaded.first(where: { $0.key.model == key.model && isOfKind($0) }) {
      try progress(.loading(vae?.identity.name ?? model.identity.name))
      networks = try present.replacingVAE(model, vae: vae, key: key, compute: compute)
    } else {
      try progress(.loading(model.identity.name))
      // The old weights go first: they and the new ones need not fit at once.
      loaded.removeAll { !crew.contains($0.key.model) || $0.key.model == key.model || !isOfKind($0) }
      networks = try LoadedModel(model, vae: vae, key: key, compute: compute, smallBytes: smallBytes)
    }
    loaded.removeAll { $0.key.model == key.model }
    loaded.append(networks)
    return networks
  }

  /// Gives the networks the LoRAs of a job, and takes away what an earlier job had.
  func adapt(
    _ networks: LoadedModel, to loras: [AdapterCatalog.PlacedLoRA], progress: (GenerationProgress) throws -> Void
  ) throws {
    guard !networks.adapters.has(loras) else { return }
    try progress(.loading(loras.isEmpty ? networks.name : loras.map(\.identity.name).joined(separator: ", ")))
    do {
      try networks.adapters.set(loras)
      networks.prompts.forget()
    } catch {
      // Some layers may have the new weights and some the old.
      loaded.removeAll { $0.key == networks.key }
      throw error
    }
  }

  /// Takes the weights of the UNets out of memory, until they are needed again.
  func releaseUNets() { for networks in loaded { networks.unet.release() } }
}

extension Compute {
  /// What a choice of precision comes to with these kernels.
  func precision(_ choice: PrecisionChoice) -> Precision {
    switch choice {
    case .auto: Precision(kernels.fastestElementType)
    case .fp32: .fp32
    case .bf16: .bf16
    case .int8: .int8
    }
  }
}
