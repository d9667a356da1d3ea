/// Families of models. The models of a family are sampled in the same way. The raw value is the name in plans.
///
/// A family determines how images are sampled, which defaults recipes have, and how prompts are read: see ``traits``. The
/// engine finds out which network a file holds, because a family may have networks of several sizes.
public enum FamilyID: String, CaseIterable, Codable, Hashable, Sendable {
  /// Stable Diffusion 1.x, 2.x and XL.
  case stableDiffusion = "stable-diffusion"
  /// Stable Diffusion 3 medium.
  case sd3
  /// Stable Diffusion 3.5 medium.
  case sd35Medium = "sd3.5-medium"
  /// Stable Diffusion 3.5 large.
  case sd35Large = "sd3.5-large"
  /// Stable Diffusion 3.5 large turbo.
  case sd35LargeTurbo = "sd3.5-large-turbo"
  /// Flux.1 dev, whose network takes the guidance scale as an input.
  case flux1Dev = "flux1-dev"
  /// Flux.1 schnell.
  case flux1Schnell = "flux1-schnell"
  /// Z-Image.
  case zImage = "z-image"
  /// Z-Image-Turbo.
  case zImageTurbo = "z-image-turbo"
  /// FLUX.2 klein, distilled, 4B and 9B.
  case klein = "flux2-klein"
  /// FLUX.2 klein base, 4B and 9B.
  case kleinBase = "flux2-klein-base"

  /// What settings, schedules, prompts and defaults need to know about the family.
  public var traits: FamilyTraits {
    switch self {
    case .stableDiffusion: .stableDiffusion
    case .sd3: .sd3
    case .sd35Medium: .sd35Medium
    case .sd35Large: .sd35Large
    case .sd35LargeTurbo: .sd35LargeTurbo
    case .flux1Dev: .flux1Dev
    case .flux1Schnell: .flux1Schnell
    case .zImage: .zImage
    case .zImageTurbo: .zImageTurbo
    case .klein: .klein
    case .kleinBase: .kleinBase
    }
  }
}
