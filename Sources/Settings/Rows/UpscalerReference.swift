/// What enlarges an image between its passes, as the recipe names it, and where it was found.
public struct UpscalerReference: Codable, Hashable, Sendable {
  /// What the recipe says: the webui's name of a filter, or a network's file.
  public var name: String
  /// The absolute path of a network's file; nothing for filters.
  public var path: String?

  /// An upscaler of this name.
  public init(name: String, path: String? = nil) {
    self.name = name
    self.path = path
  }

  /// What the webui takes where nothing is asked for.
  public static let latent = UpscalerReference(name: LatentFilter.bilinear.rawValue)

  /// What kind of thing an upscaler is.
  public enum Kind: Hashable, Sendable {
    /// A filter that enlarges latents.
    case latent(LatentFilter)
    /// A filter that enlarges the decoded image.
    case image(PixelFilter)
    /// A network that enlarges the decoded image.
    case network
  }

  /// What it is.
  public var kind: Kind {
    if path == nil {
      if let filter = LatentFilter(rawValue: name) { return .latent(filter) }
      if let filter = PixelFilter(rawValue: name) { return .image(filter) }
    }
    return .network
  }

  /// The filter, where it is one that enlarges latents.
  public var latentFilter: LatentFilter? { if case .latent(let filter) = kind { filter } else { nil } }

  /// Whether the decoded image is enlarged, and encoded again.
  public var enlargesImages: Bool { latentFilter == nil }

  /// What infotexts and people call it, which is what the webui does: a file's name without folders and extension.
  public var title: String {
    guard kind == .network else { return name }
    let file = name.split(separator: "/").last.map(String.init) ?? name
    for ending in Self.endings where file.count > ending.count && file.lowercased().hasSuffix(ending) {
      return String(file.dropLast(ending.count))
    }
    return file
  }

  private static let endings = [".pth", ".safetensors", ".pt", ".ckpt", ".bin", ".gguf"]
}

/// How a decoded image is enlarged without a network; the raw value is the webui's name of the upscaler.
public enum PixelFilter: String, CaseIterable, Codable, Hashable, Sendable {
  /// By Lanczos to the size in one go.
  case none = "None"
  /// By Lanczos to a multiple of 8, then to the size.
  case lanczos = "Lanczos"
  /// By copies of the nearest pixel to a multiple of 8, then by Lanczos to the size.
  case nearest = "Nearest"
}
