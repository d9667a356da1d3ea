import Networks
import Settings
import Tensors

/// The checkpoints in memory: those of one pass. There is one, or two if a refiner takes over.
final class LoadedModels {
  private let catalog: ModelCatalog
  private let compute: Compute
  private let smallBytes: Int
  private var loaded: [LoadedModel] = []

  /// Creates the set without checkpoints; networks smaller than `smallBytes` stay in memory after they are read.
  init(_ catalog: ModelCatalog, compute: Compute, smallBytes: Int) {
    self.catalog = catalog
    self.compute = compute
    self.smallBytes = smallBytes
  }

  /// A checkpoint of a pass. Checkpoints that the pass does not need are released before anything is read.
  ///
  /// - Parameters:
  ///   - settings: The settings with the checkpoint.
  ///   - plan: The memory plan, which decides how weights are packed.
  ///   - pass: The pass.
  ///   - progress: Called if the checkpoint is not in memory.
  /// - Returns: Networks, which are read when they are first needed.
  /// - Throws: `WeightError` or `EngineError`, and the error of `progress`.
  func get(
    _ settings: PassSettings, _ plan: MemoryPlan, for pass: ImagePass,
    progress: (GenerationProgress) throws -> Void
  ) throws -> LoadedModel {
    let (model, vae) = try catalog.models(for: settings)
    let key = ModelCatalog.Key(settings)
    let (precision, packing) = (compute.precision(settings.precision), plan.packing)
    let needed = pass.all.map(ModelCatalog.Checkpoint.init)
    func isOfKind(_ other: LoadedModel) -> Bool { other.precision == precision && other.packing == packing }
    if let present = loaded.first(where: { $0.key == key && isOfKind($0) }) { return present }
    let compute = compute.with(precision: precision).with(packing)
    let new: LoadedModel
    if let present = loaded.first(where: { $0.key.checkpoint == key.checkpoint && isOfKind($0) }) {
      try progress(.loading(vae?.identity.name ?? model.identity.name))
      new = try present.replacingVAE(model, vae: vae, key: key, compute: compute)
    } else {
      try progress(.loading(model.identity.name))
      // Release the old weights first, so that both need not fit into memory.
      loaded.removeAll { !needed.contains($0.key.checkpoint) || $0.key.checkpoint == key.checkpoint || !isOfKind($0) }
      // A copy that is still being written keeps its weights.
      compute.machine.packedCopies?.wait()
      new = try LoadedModel(model, vae: vae, key: key, compute: compute, smallBytes: smallBytes)
    }
    loaded.removeAll { $0.key.checkpoint == key.checkpoint }
    loaded.append(new)
    return new
  }

  /// Applies the LoRAs of a job to the networks, instead of those of an earlier job.
  func adapt(
    _ model: LoadedModel, to loras: [AdapterCatalog.MatchedLoRA], progress: (GenerationProgress) throws -> Void
  ) throws {
    guard !model.adapters.has(loras) else { return }
    try progress(.loading(loras.isEmpty ? model.name : loras.map(\.identity.name).joined(separator: ", ")))
    do {
      try model.adapters.set(loras)
      model.networks.forgetPrompts()
    } catch {
      // Some layers may have the new weights and some the old ones.
      loaded.removeAll { $0.key == model.key }
      throw error
    }
  }

  /// Releases the denoising networks' memory, until they are needed again.
  func releaseDenoisers() { for model in loaded { model.networks.releaseDenoiser() } }
}

extension Compute {
  /// The precision that a choice means with these kernels.
  func precision(_ choice: PrecisionChoice) -> Precision {
    switch choice {
    case .auto: Precision(kernels.fastestElementType)
    case .fp32: .fp32
    case .bf16: .bf16
    case .int8: .int8
    }
  }
}
