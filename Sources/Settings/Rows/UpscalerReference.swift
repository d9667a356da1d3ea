/// An upscaler as the recipe names it, and where it was found.
public struct UpscalerReference: Codable, Hashable, Sendable {
  /// The name in the recipe: a filter's name in the webui, or a network's file.
  public var name: String
  /// The absolute path of a network's file; nil for filters.
  public var path: String?

  /// Creates an upscaler with this name.
  public init(name: String, path: String? = nil) {
    self.name = name
    self.path = path
  }

  /// The webui's default.
  public static let latent = UpscalerReference(name: LatentFilter.bilinear.rawValue)

  /// The kinds of upscalers.
  public enum Kind: Hashable, Sendable {
    /// A filter that enlarges latents.
    case latent(LatentFilter)
    /// A filter that enlarges the decoded image.
    case image(PixelFilter)
    /// A network that enlarges the decoded image.
    case network
  }

  /// The kind of the upscaler.
  public var kind: Kind {
    if path == nil {
      if let filter = LatentFilter(rawValue: name) { return .latent(filter) }
      if let filter = PixelFilter(rawValue: name) { return .image(filter) }
    }
    return .network
  }

  /// The filter, if the upscaler is a filter for latents.
  public var latentFilter: LatentFilter? { if case .latent(let filter) = kind { filter } else { nil } }

  /// Whether the decoded image is enlarged and then encoded again.
  public var enlargesImages: Bool { latentFilter == nil }

  /// The name in infotexts and messages, as in the webui: a file's name without folders and extension.
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

/// How a decoded image is resized without a network; the raw value is the upscaler's name in the webui.
public enum PixelFilter: String, CaseIterable, Codable, Hashable, Sendable {
  /// Lanczos, directly to the size.
  case none = "None"
  /// Lanczos to a multiple of 8, then Lanczos to the size.
  case lanczos = "Lanczos"
  /// Nearest neighbour to a multiple of 8, then Lanczos to the size.
  case nearest = "Nearest"
}
