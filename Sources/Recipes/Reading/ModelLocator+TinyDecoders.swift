import Foundation

/// Finds the small decoders of previews: like models, beside a checkpoint, and where the webui and ComfyUI keep them.
extension ModelLocator {
  private static let subfolders = ["vae_approx", "VAE-taesd"]

  /// The absolute path of a TAESD; nil if there is none.
  ///
  /// - Parameters:
  ///   - name: Its name without `_decoder`, such as `taef1`. A file or diffusers folder of this name, with both halves, is found
  ///     too.
  ///   - model: The checkpoint whose images are shown.
  /// - Returns: The path of the first match.
  public func tinyDecoder(_ name: String, forModelAt model: String) -> String? {
    for name in [name + "_decoder", name] {
      let paths = tinyDecoderFolders(forModelAt: model).lazy.compactMap { exactPath(of: $0 + "/" + name) }
      if let path = paths.first(where: Self.isNetwork) ?? path(of: name), Self.isNetwork(path) { return path }
    }
    return nil
  }

  /// The folders that are searched first, in order; absolute paths.
  public func tinyDecoderFolders(forModelAt model: String) -> [String] {
    let beside = URL(fileURLWithPath: model).standardizedFileURL.deletingLastPathComponent()
    let roots = folders + [beside.path, beside.deletingLastPathComponent().path]
    let all = roots.flatMap { root in [root] + Self.subfolders.map { "\(root)/\($0)" } }
    var seen: Set<String> = []
    return all.filter { Self.isFolder($0) && seen.insert($0).inserted }
  }

  /// Whether it is a file, or a folder with a network.
  private static func isNetwork(_ path: String) -> Bool { isFile(path) || isFile(path + "/config.json") }

  private static func isFolder(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: path) && !isFile(path)
  }
}
