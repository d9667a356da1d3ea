import Foundation
import Networks

/// Finds a VAE for a checkpoint without one, by its tensors, whatever its name. It searches next to the checkpoint, in `vae/`
/// next to it and above it, and in each folder of models.
struct VAESearch {
  private let model: String
  private let folders: [String]
  private let channels: Int

  private static let subfolders = ["vae", "VAE"]
  private static let endings = [".safetensors", ".sft", ".gguf", ".pt", ".ckpt"]
  /// The largest number of files in a folder whose tensors are examined.
  private static let fileLimit = 200

  /// Creates a search.
  ///
  /// - Parameters:
  ///   - model: The checkpoint.
  ///   - folders: The folders of models.
  ///   - channels: The number of channels of the latents that the VAE must decode.
  init(model: String, folders: [String], channels: Int) {
    self.model = model
    self.folders = folders
    self.channels = channels
  }

  /// The folders that are searched, in order.
  var searched: [String] {
    let beside = URL(fileURLWithPath: model).standardizedFileURL.deletingLastPathComponent()
    let roots = [beside.path, beside.deletingLastPathComponent().path] + folders
    let places = [beside.path] + roots.flatMap { root in Self.subfolders.map { "\(root)/\($0)" } }
    var seen = Set<String>()
    return places.filter { seen.insert($0).inserted }
  }

  /// The first suitable file; nil if there is none.
  func find() -> String? { searched.lazy.flatMap(Self.files).first(where: fits) }

  private func fits(_ path: String) -> Bool {
    guard path != model, let vae = try? ModelArchive.openVAE(path: path), !vae.isTiny else { return false }
    return vae.latentChannels == channels
  }

  private static func files(in folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted().filter { name in
      endings.contains { name.hasSuffix($0) }
    }.prefix(fileLimit).map { "\(folder)/\($0)" }
  }
}
