import Foundation

/// The files next to a checkpoint that the webui finds by the checkpoint's name.
package struct CompanionFiles: Sendable {
  /// The VAE that replaces the checkpoint's own unless the settings name one: the webui's "Automatic".
  package let vae: String?
  /// The configuration, `NAME.yaml`.
  let configuration: String?

  /// Looks next to the checkpoint at `path`; a folder has no companions.
  package init(of path: String) {
    guard !DiffusersFolder.isFolder(path) else {
      (vae, configuration) = (nil, nil)
      return
    }
    let stem = URL(fileURLWithPath: path).deletingPathExtension().path
    func existing(_ path: String) -> String? {
      FileManager.default.fileExists(atPath: path) && !DiffusersFolder.isFolder(path) ? path : nil
    }
    // In the order in which the webui lists them.
    vae = [".vae.ckpt", ".vae.pt", ".vae.safetensors"].lazy.compactMap { existing(stem + $0) }.first
    configuration = existing(stem + ".yaml")
  }
}
