import Settings

/// What keeps the engine from making an image.
public enum EngineError: Error, CustomStringConvertible {
  /// The model that comes with the program is in none of these places.
  case demoModelMissing([String])
  /// The vocabulary has ids that the text encoder does not know.
  case vocabularyTooLarge(path: String, count: Int, known: Int)
  /// The text encoders of a model want different tokens.
  case vocabulariesDiffer(path: String, folder: String)
  /// More layers are to be skipped than the text encoder has.
  case clipSkipTooLarge(Int, layers: Int)
  /// The checkpoint comes without a VAE, and the recipe names none.
  case noVAE(path: String)
  /// The VAE makes images of another size of latents than all other parts reckon with.
  case otherEnlargement(path: String, Int)
  /// The latents of a checkpoint that is to go on mean something else than those of the one before.
  case otherLatents(key: String, path: String, String, model: String)
  /// What is to decode previews is no TAESD.
  case noPreviewDecoder(path: String)
  /// The system refuses the memory that an image of this size takes.
  case outOfMemory(bytes: Int, width: Int, height: Int)
  /// No way of making an image of this size keeps to the `memory_limit`; the least that one takes is `needed`.
  case memoryLimit(Int64, needed: Int64, width: Int, height: Int)
  /// A prompt asks for a LoRA that is in none of the folders; `candidates` are files that all have this name from their
  /// training, `known` are the names that there are.
  case adapterMissing(String, places: [String], candidates: [String], known: [String])
  /// A prompt asks for a hypernetwork.
  case hypernetwork(String)
  /// What a second pass would make is no image, or is too large; sizes in pixels.
  case hiresSize(width: Int, height: Int, limit: Int)
  /// A second pass enlarges images, but there is no encoder that makes latents of them; `fault` is what is wrong with the
  /// one that is there.
  case noVAEEncoder(path: String, fault: String?)
  /// A second pass asks for an upscaler that is not there.
  case noHiresUpscaler(String)
  /// The network's output has become NaN or infinite.
  case notFinite(stage: String)

  /// Whether a prompt asks for a LoRA that is nowhere.
  public var isMissingAdapter: Bool { if case .adapterMissing = self { true } else { false } }

  private static func mebibytes(_ bytes: Int64) -> String { "\((bytes + (1 << 20) - 1) >> 20) MiB" }

  /// One sentence for the user.
  public var description: String {
    switch self {
    case .demoModelMissing(let places):
      "demo model not found. Looked in \(places.joined(separator: ", ")). Copy the folder \"demo\" next to the program."
    case .vocabularyTooLarge(let path, let count, let known):
      """
      \(path): the vocabulary has \(count) tokens, but the model's text encoder knows \(known); \
      use the vocabulary that belongs to the model
      """
    case .vocabulariesDiffer(let path, let folder):
      """
      \(folder): the vocabulary is another than that of the model's first text encoder, which no known model has; \
      write \(path) again
      """
    case .clipSkipTooLarge(let skip, let layers):
      "clip_skip is \(skip), but the model's text encoder has \(layers) layers; use 1 to \(layers)"
    case .otherEnlargement(let path, let factor):
      "\(path): the VAE enlarges latents \(factor) times, expected 8 times as those of Stable Diffusion; use another VAE"
    case .noVAE(let path):
      "\(path): the checkpoint has no VAE; name one with vae:"
    case .otherLatents(let key, let path, let other, let model):
      "\(key): \(path) is a \(other) model, which cannot go on with what a \(model) model began, for their latents differ; "
        + "use one of the same kind"
    case .noPreviewDecoder(let path):
      "\(path): this is a whole VAE, too slow for previews; name a TAESD decoder with --preview-vae"
    case .outOfMemory(let bytes, let width, let height):
      """
      out of memory: \(width)x\(height) pixels take at least \((bytes + (1 << 20) - 1) >> 20) MiB besides the model, which \
      the system refuses; make smaller images
      """
    case .adapterMissing(let name, let places, let candidates, let known):
      Self.adapterMissing(name, places: places, candidates: candidates, known: known)
    case .hypernetwork(let tag):
      "prompt: found \(tag), but hypernetworks are not supported by this version; remove it"
    case .memoryLimit(let limit, let needed, let width, let height):
      """
      memory_limit is \(Self.mebibytes(limit)), but \(width)x\(height) pixels with this model take at least \
      \(Self.mebibytes(needed)); raise it, or make smaller images
      """
    case .hiresSize(let width, let height, let limit):
      "hires fix: found a second pass of \(width)x\(height) pixels, expected sides from 8 to \(limit); change hr_scale, "
        + "hr_resize_x or hr_resize_y"
    case .noVAEEncoder(let path, let fault):
      "\(path): the VAE has no \(fault == nil ? "" : "usable ")encoder\(fault.map { " (\($0))" } ?? ""), which an "
        + "hr_upscaler of images needs; name a whole VAE with vae:, or use one of "
        + LatentFilter.allCases.map(\.rawValue).joined(separator: ", ")
    case .noHiresUpscaler(let name):
      "hr_upscaler: found \"\(name)\", expected one of "
        + (LatentFilter.allCases.map(\.rawValue) + PixelFilter.allCases.map(\.rawValue)).joined(separator: ", ")
        + ", or the file of a network of the ESRGAN family"
    case .notFinite(let stage):
      "the \(stage) holds NaN or infinite numbers; the model's weights do not stand these settings"
    }
  }
  private static func adapterMissing(_ name: String, places: [String], candidates: [String], known: [String]) -> String
  {
    let start = "prompt: found no LoRA called \"\(name)\""
    guard candidates.isEmpty else {
      return
        "\(start), but \(candidates.count) files whose training gave them this name; call the one that is meant by its "
        + "file name: \(candidates.joined(separator: ", "))"
    }
    let folded = known.filter { $0.lowercased() == name.lowercased() }
    let hint = folded.isEmpty ? "" : " (did you mean \(folded.map { "\"\($0)\"" }.joined(separator: " or "))?)"
    guard !places.isEmpty else { return "\(start): no folder is known in which to look for it" }
    return "\(start) in \(places.joined(separator: ", "))\(hint); expected a file of this name there, such as "
      + "\(name).safetensors"
  }
}
