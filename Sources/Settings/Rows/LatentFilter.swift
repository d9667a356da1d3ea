/// How a latent is resized; the raw value is the upscaler's name in the webui.
public enum LatentFilter: String, CaseIterable, Codable, Hashable, Sendable {
  case bilinear = "Latent"
  case antialiasedBilinear = "Latent (antialiased)"
  case bicubic = "Latent (bicubic)"
  case antialiasedBicubic = "Latent (bicubic antialiased)"
  case nearest = "Latent (nearest)"
  case nearestExact = "Latent (nearest-exact)"
}
