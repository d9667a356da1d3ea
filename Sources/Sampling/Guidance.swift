/// Classifier-free guidance.
///
/// Source: Ho & Salimans 2022, "Classifier-Free Diffusion Guidance", arXiv:2207.12598.
public enum Guidance {
  /// D_u + cfgScale · (D_c − D_u), with no short cut at 1: the webui has none.
  public static func combine(conditional: Latent, unconditional: Latent, cfgScale: Float) -> Latent {
    var denoised = unconditional
    denoised.add(cfgScale, conditional.difference(from: unconditional))
    return denoised
  }
}
