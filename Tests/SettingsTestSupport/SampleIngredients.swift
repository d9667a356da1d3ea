import Settings

/// The ingredients of an image of Stable Diffusion 1.5.
package let sampleIngredients = JobIngredients(
  model: ModelIdentity(
    name: "v1-5-pruned-emaonly", path: "/models/v1-5-pruned-emaonly.safetensors",
    sha256: "6ce0161689" + String(repeating: "0", count: 54), family: "sd1"),
  vae: nil, vocabularySHA256: String(repeating: "a", count: 64), precision: "fp32", isa: "avx512", numerics: 1)
