import Settings

/// Why the engine cannot make an image.
public enum EngineError: Error, CustomStringConvertible {
  /// The model that comes with the program is in none of these folders.
  case demoModelMissing([String])
  /// The vocabulary has more tokens than the text encoder.
  case vocabularyTooLarge(path: String, count: Int, known: Int)
  /// The text encoders of a model have different vocabularies.
  case vocabulariesDiffer(path: String, folder: String)
  /// More layers would be skipped than the text encoder has.
  case clipSkipTooLarge(Int, layers: Int)
  /// Skip-layer guidance names a layer that the network does not have.
  case skippedLayerMissing(Int, layers: Int)
  /// The checkpoint comes without a VAE, and the recipe names none.
  case noVAE(path: String)
  /// The VAE next to the checkpoint cannot be used.
  case companionVAE(reason: String)
  /// The VAE does not enlarge latents by the same factor as the model's VAE.
  case otherEnlargement(path: String, Int, expected: Int)
  /// A checkpoint cannot continue with another one's latents.
  case otherLatents(key: String, path: String, String, model: String)
  /// The decoder for previews is not a TAESD.
  case noPreviewDecoder(path: String)
  /// The system refuses the memory that an image of this size needs.
  case outOfMemory(bytes: Int, width: Int, height: Int)
  /// The environment variable `SDBATCH_CACHE_LIMIT` is not an amount of memory.
  case cacheLimit(String)
  /// An image of this size needs at least `needed` bytes, which is more than the `memory_limit`.
  case memoryLimit(Int64, needed: Int64, width: Int, height: Int)
  /// A prompt names a LoRA that is in none of the folders. `candidates` are files to which the training gave this name; `known`
  /// are all names in the folders.
  case adapterMissing(String, folders: [String], candidates: [String], known: [String])
  /// A prompt names a LoRA that is in several folders, with the name that PEFT gives to every adapter.
  case adapterAmbiguous(String, folders: [String])
  /// A prompt names a hypernetwork.
  case hypernetwork(String)
  /// The image of a second pass would be too small or too large; sizes in pixels.
  case hiresSize(width: Int, height: Int, limit: Int)
  /// A second pass enlarges images, but the VAE cannot encode them. `fault` is the problem of its encoder; nil if it has none.
  case noVAEEncoder(path: String, fault: String?)
  /// A second pass names an upscaler that does not exist.
  case noHiresUpscaler(String)
  /// The settings result in noise levels that are NaN or infinite; `settings` may be the cause.
  case notFiniteLevels(settings: [String])
  /// Settings that the model's family does not support.
  case notForFamily([FamilyRefusal])
  /// The network's output is NaN or infinite.
  case notFinite(stage: String)
  /// An evaluation of the network ended early, because it was requested to or because weights cannot be read.
  case evaluation(any Error)

  /// Evaluates `body`, and wraps its errors in `.evaluation`.
  static func wrapping<Result>(_ body: () throws -> Result) throws(EngineError) -> Result {
    do { return try body() } catch { throw error as? EngineError ?? .evaluation(error) }
  }

  /// Whether a prompt names a LoRA that was not found or is ambiguous.
  public var isMissingAdapter: Bool {
    switch self {
    case .adapterMissing, .adapterAmbiguous: true
    default: false
    }
  }

  private static func mebibytes(_ bytes: Int64) -> String { "\((bytes + (1 << 20) - 1) >> 20) MiB" }

  /// One sentence for the user.
  public var description: String {
    switch self {
    case .demoModelMissing(let folders):
      "demo model not found. Looked in \(folders.joined(separator: ", ")). Copy the folder \"demo\" next to the program."
    case .vocabularyTooLarge(let path, let count, let known):
      """
      \(path): the vocabulary has \(count) tokens, but the model's text encoder knows \(known); \
      use the vocabulary that belongs to the model
      """
    case .vocabulariesDiffer(let path, let folder):
      """
      \(folder): the vocabulary differs from that of the model's first text encoder, as in no known model; \
      download or convert \(path) again
      """
    case .clipSkipTooLarge(let skip, let layers):
      "clip_skip is \(skip), but the model's text encoder has \(layers) layers; use 1 to \(layers)"
    case .skippedLayerMissing(let layer, let layers):
      "skip_layer_guidance_layers: found layer \(layer), but the model's network has \(layers) layers; use 0 to \(layers - 1)"
    case .evaluation(let error):
      "\(error)"
    case .otherEnlargement(let path, let factor, let expected):
      "\(path): the VAE enlarges latents \(factor) times, expected \(expected) times; use another VAE"
    case .companionVAE(let reason):
      "\(reason)\nThis file is next to the checkpoint, so it replaces its VAE, as in the webui; remove it, or set vae: none"
    case .noVAE(let path):
      "\(path): the checkpoint has no VAE; name one with vae:"
    case .otherLatents(let key, let path, let other, let model):
      "\(key): \(path) is a \(other) model, which cannot continue an image of a \(model) model because their latents differ; "
        + "use one of the same kind"
    case .noPreviewDecoder(let path):
      "\(path): this is a whole VAE, too slow for previews; name a TAESD decoder with --preview-vae"
    case .outOfMemory(let bytes, let width, let height):
      """
      out of memory: \(width)x\(height) pixels take at least \((bytes + (1 << 20) - 1) >> 20) MiB besides the model, which \
      the system refuses; make smaller images
      """
    case .adapterMissing(let name, let folders, let candidates, let known):
      Self.adapterMissing(name, folders: folders, candidates: candidates, known: known)
    case .adapterAmbiguous(let name, let folders):
      "prompt: found the LoRA \"\(name)\", which is in \(folders.count) folders; use the name of one of them: "
        + folders.joined(separator: ", ")
    case .hypernetwork(let tag):
      "prompt: found \(tag), but hypernetworks are not supported by this version; remove it"
    case .cacheLimit(let text):
      "SDBATCH_CACHE_LIMIT is \"\(text)\", expected bytes, or a number with KiB, MiB or GiB; 0 keeps no packed weights"
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
    case .notFiniteLevels(let settings):
      "the noise schedule contains NaN or infinite sigmas, so no image can be sampled"
        + (settings.isEmpty ? "" : "; change \(SettingKind.list(settings))")
    case .notForFamily(let refusals): refusals.map(\.description).joined(separator: "\n")
    case .notFinite(let stage):
      "the \(stage) contains NaN or infinite numbers; the model cannot be used with these settings"
    }
  }

  private static func adapterMissing(_ name: String, folders: [String], candidates: [String], known: [String]) -> String
  {
    let start = "prompt: found no LoRA called \"\(name)\""
    guard candidates.isEmpty else {
      return
        "\(start), but \(candidates.count) files that got this name in training; use the file name of one of them: "
        + candidates.joined(separator: ", ")
    }
    let folded = known.filter { $0.lowercased() == name.lowercased() }
    let hint = folded.isEmpty ? "" : " (did you mean \(folded.map { "\"\($0)\"" }.joined(separator: " or "))?)"
    guard !folders.isEmpty else { return "\(start): there is no folder to search" }
    return "\(start) in \(folders.joined(separator: ", "))\(hint); expected a file with this name, such as "
      + "\(name).safetensors"
  }
}
