import ArgumentParser
import Diffusion
import Foundation
import Imaging
import Infotext
import Recipes
import Settings

/// How commands restore the faces of finished images: each network with its own strength, GFPGAN first, as in the webui's
/// Extras.
struct FaceOptions: ParsableArguments {
  @Option(help: "How much of CodeFormer's result is shown, from 0 to 1 (default: 1, or 0 with --gfpgan-visibility).")
  var codeformerVisibility: Double?

  @Option(help: "How much of GFPGAN's result is shown, from 0 to 1 (default: 0).")
  var gfpganVisibility: Double?

  @Option(help: "How much of the original face CodeFormer keeps, from 0 to 1: 0 changes the face most.")
  var codeformerWeight = 0.5

  /// Checks the numbers; throws `ValidationError`.
  func check() throws {
    for (name, value) in [
      ("--codeformer-visibility", codeformerVisibility), ("--gfpgan-visibility", gfpganVisibility),
      ("--codeformer-weight", codeformerWeight),
    ] {
      if let value, !(0...1).contains(value) { throw ValidationError("\(name) takes 0 to 1") }
    }
  }

  /// The networks to use, in order, and how much of each one's result is shown.
  var steps: [(model: FaceRestorationModel, visibility: Double)] {
    let gfpgan = gfpganVisibility ?? 0
    let codeFormer = codeformerVisibility ?? (gfpgan > 0 ? 0 : 1)
    return [(.gfpgan, gfpgan), (.codeFormer, codeFormer)].filter { $0.1 > 0 }
  }

  /// What the webui writes as "postprocessing".
  var note: String {
    steps.map { step in
      switch step.model {
      case .gfpgan: "Postprocess GFPGAN visibility: \(step.visibility)"
      case .codeFormer:
        "Postprocess CodeFormer visibility: \(step.visibility), Postprocess CodeFormer weight: \(codeformerWeight)"
      }
    }.joined(separator: ", ")
  }
}

/// Restores the faces of finished images. Only one network is in memory at a time.
final class ImageFaces {
  private let options: FaceOptions
  private let files: [FaceRestorationModel: FaceRestorerFiles]
  private let folders: FaceFolders
  private let threads: Int
  private var loaded: (model: FaceRestorationModel, restorer: FaceRestorer)?

  /// Finds the files of all networks that are used.
  ///
  /// Throws `FaceFilesMissing`, or `WeightError` for a file that cannot be used.
  init(_ options: FaceOptions, threads: Int) throws {
    self.options = options
    self.threads = threads
    let locator = ModelLocator(
      recipePath: FileManager.default.currentDirectoryPath + "/.", environment: .ofProcess)
    folders = FaceFolders(roots: locator.folders)
    var files: [FaceRestorationModel: FaceRestorerFiles] = [:]
    for step in options.steps { files[step.model] = try folders.files(for: step.model) }
    self.files = files
  }

  /// The name of the network for the infotext: the last one.
  var name: String? { options.steps.last?.model.rawValue }

  /// Restores the faces of images: first all of them with one network, then all with the next, so each network is loaded once.
  ///
  /// - Parameters:
  ///   - images: The images, each with its infotext, which contains the seed of GFPGAN's noise; 0 without a seed.
  ///   - proceed: Called before each part of the work; the work ends if it throws.
  /// - Returns: Each image, and the largest number of faces that a network found in it.
  /// - Throws: `WeightError`, or what `proceed` throws.
  func restored(
    _ images: [(image: RGBImage, text: String?)], proceed: () throws -> Void
  ) throws -> [(image: RGBImage, faces: Int)] {
    var results = images.map { (image: $0.image, faces: 0) }
    for step in options.steps where !images.isEmpty {
      let restorer = try restorer(step.model)
      for (index, text) in images.map(\.text).enumerated() {
        let settings = text.map { InfotextSettings(ParsedInfotext($0)).settings }
        let restored = try restorer.restored(
          results[index].image,
          FaceRestorer.Options(
            codeFormerWeight: options.codeformerWeight, seed: settings?.seed ?? 0, source: settings?.rng ?? .nv),
          progress: { _ in try proceed() })
        results[index].image = Self.blended(results[index].image, restored.image, step.visibility)
        results[index].faces = max(results[index].faces, restored.faces)
      }
    }
    return results
  }

  /// Whether there are enough images to restore them now. With a single network, no image has to wait.
  func isEnough(_ images: [RGBImage]) -> Bool {
    options.steps.count < 2 || images.count >= 16 || images.reduce(0) { $0 + $1.pixels.count } >= 64 << 20
  }

  private func restorer(_ model: FaceRestorationModel) throws -> FaceRestorer {
    if let loaded, loaded.model == model { return loaded.restorer }
    // The old weights are released first, so both networks need not fit into memory.
    loaded = nil
    let restorer = try FaceRestorer(try files[model] ?? folders.files(for: model), threads: threads)
    loaded = (model, restorer)
    return restorer
  }

  /// Blends as Pillow does: in single precision, with fractions cut off.
  private static func blended(_ old: RGBImage, _ new: RGBImage, _ visibility: Double) -> RGBImage {
    guard visibility < 1 else { return new }
    let alpha = Float(visibility)
    var result = new
    result.pixels = zip(old.pixels, new.pixels).map { old, new in
      UInt8(min(max(Float(old) + alpha * Float(Int(new) - Int(old)), 0), 255))
    }
    return result
  }
}

/// Images that wait until their faces are restored together.
final class FaceQueue {
  /// An image that waits.
  struct Entry {
    var file: UpscaledFile
    var original: PNGFile
    /// The image, enlarged or unchanged.
    var image: RGBImage
    /// The text "postprocessing" for the file.
    var text: String
  }

  private let faces: ImageFaces
  private var entries: [Entry] = []
  private let proceed: () throws -> Void

  /// How many images have been written.
  private(set) var made = 0

  /// An empty queue; `proceed` is called before each part of the work, which ends if it throws.
  init(_ faces: ImageFaces, proceed: @escaping () throws -> Void) {
    (self.faces, self.proceed) = (faces, proceed)
  }

  /// Adds an image; restores and writes the waiting images if there are enough.
  func add(_ entry: Entry, report: (Entry, _ faces: Int) -> Void) throws {
    entries.append(entry)
    if faces.isEnough(entries.map(\.image)) { try finish(report: report) }
  }

  /// Restores and writes all images that wait.
  func finish(report: (Entry, _ faces: Int) -> Void) throws {
    let results = try faces.restored(
      entries.map { (image: $0.image, text: $0.original.text("parameters")) }, proceed: proceed)
    for (entry, result) in zip(entries, results) {
      try entry.file.write(result.image, from: entry.original, text: entry.text, restoredBy: faces.name)
      made += 1
      report(entry, result.faces)
    }
    entries = []
  }
}
