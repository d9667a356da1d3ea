/// How a latent of a new size is made from an old one; the raw value is the webui's name of the upscaler.
public enum LatentFilter: String, CaseIterable, Codable, Hashable, Sendable {
  case bilinear = "Latent"
  case antialiasedBilinear = "Latent (antialiased)"
  case bicubic = "Latent (bicubic)"
  case antialiasedBicubic = "Latent (bicubic antialiased)"
  case nearest = "Latent (nearest)"
  case nearestExact = "Latent (nearest-exact)"
}
