import Imaging
import Settings

/// Restores the faces of finished images.
extension Engine {
  /// Restores the faces of a job's decoded image, if its settings say so.
  ///
  /// - Parameters:
  ///   - image: The decoded image.
  ///   - settings: The settings of the job.
  ///   - progress: Called before each face; an error from it ends the work.
  /// - Returns: The image, and how many faces were restored.
  /// - Throws: The error of `progress`, `FaceFilesMissing` or `WeightError`.
  func restoringFaces(
    _ image: RGBImage, _ settings: ImageSettings, progress: (GenerationProgress) throws -> Void
  ) throws -> FinishedPicture {
    guard let networks = try catalog.faces(for: settings.base) else { return FinishedPicture(image) }
    compute.profiler.begin("restoring")
    defer { compute.profiler.begin(nil) }
    try progress(.restoring(face: 0, of: 0))
    let plan = try memoryPlan(for: settings)
    if faceRestorer?.files != networks.identities {
      // Release the old weights first, so that both need not fit into memory.
      faceRestorer = nil
      for archive in networks.files.all { try archive.requireUnchanged() }
      try progress(.loading(networks.identities[0].name))
      faceRestorer = (try FaceRestorer(networks.files, compute: compute.with(.fast)), networks.identities)
    }
    defer {
      compute.workspace.trim()
      if plan.limit != nil { faceRestorer = nil }
    }
    guard let restorer = faceRestorer?.restorer else { return FinishedPicture(image) }
    let options = FaceRestorer.Options(
      codeFormerWeight: settings.codeFormerWeight, seed: settings.seed, source: settings.rng)
    let result = try restorer.restored(image, options) { stage in
      switch stage {
      case .detecting: try progress(.restoring(face: 0, of: 0))
      case .restoring(let face, let faces): try progress(.restoring(face: face, of: faces))
      }
    }
    return FinishedPicture(result.image, faces: result.faces, before: image)
  }
}
