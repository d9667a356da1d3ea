import JSON
import Settings

/// The `info` object of the webui's txt2img response.
public enum GenerationInfo {
  /// The parts of a request that are not settings of its images.
  public struct Request: Hashable, Sendable {
    /// The number of images in a batch.
    public var batchSize: Int
    /// The names of the styles, which are already merged into the prompts.
    public var styles: [String]
    /// The denoising strength; only a second pass uses it.
    public var denoisingStrength: Double?
    /// Whether a grid of the images comes first.
    public var hasGrid: Bool

    /// Creates a request; with the defaults, for one image.
    public init(batchSize: Int = 1, styles: [String] = [], denoisingStrength: Double? = nil, hasGrid: Bool = false) {
      self.batchSize = batchSize
      self.styles = styles
      self.denoisingStrength = denoisingStrength
      self.hasGrid = hasGrid
    }
  }

  /// The object for the image of a job, with the webui's keys in the webui's order.
  ///
  /// Features that a job does not have (styles) have the value that means unused. `version` is null, because readers would take
  /// it for a version of the webui.
  ///
  /// - Parameters:
  ///   - settings: The settings of the job.
  ///   - ingredients: The models and the precision in use.
  ///   - infotext: The text in the image's file.
  ///   - version: The version of this program.
  ///   - timestamp: When the job started, in local time: `yyyymmddhhmmss`.
  /// - Returns: An object.
  public static func json(
    _ settings: ImageSettings, _ ingredients: JobIngredients, infotext: String, version: String, timestamp: String
  ) -> JSONValue {
    json([settings], ingredients, infotexts: [infotext], version: version, timestamp: timestamp)
  }

  /// The object for the images of a request, with the webui's keys in the webui's order.
  ///
  /// - Parameters:
  ///   - images: The settings of each image, at least one; values that the object holds only once are those of the
  ///     first.
  ///   - ingredients: The models and the precision in use.
  ///   - infotexts: The texts in the images' files.
  ///   - request: The other parts of the request.
  ///   - version: The version of this program.
  ///   - timestamp: When the work started, in local time: `yyyymmddhhmmss`.
  /// - Returns: An object.
  public static func json(
    _ images: [ImageSettings], _ ingredients: JobIngredients, infotexts: [String], request: Request = Request(),
    version: String, timestamp: String
  ) -> JSONValue {
    let settings = images[0]
    let extras = Infotext.extras(SettingsInUse(settings, ingredients), version: version, for: .info)
      .map { JSONMember($0.key, $0.value) }
    return [
      "prompt": .string(settings.prompt),
      "all_prompts": .array(images.map { .string($0.prompt) }),
      "negative_prompt": .string(settings.negativePrompt),
      "all_negative_prompts": .array(images.map { .string($0.negativePrompt) }),
      "seed": .integer(settings.seed),
      "all_seeds": .array(images.map { .integer($0.seed) }),
      "subseed": .integer(settings.subseed),
      "all_subseeds": .array(images.map { .integer($0.subseed) }),
      "subseed_strength": .number(settings.subseedStrength),
      "width": .integer(Int64(settings.width)),
      "height": .integer(Int64(settings.height)),
      "sampler_name": .string(settings.sampler.rawValue),
      "cfg_scale": .number(settings.cfgScale),
      "steps": .integer(Int64(settings.steps)),
      "batch_size": .integer(Int64(request.batchSize)),
      "restore_faces": .bool(settings.restoreFaces),
      "face_restoration_model": settings.restoreFaces ? .string(settings.faceRestorationModel.rawValue) : .null,
      "sd_model_name": .string(ingredients.model.name),
      "sd_model_hash": .string(ingredients.model.shortHash),
      "sd_vae_name": ingredients.vae.map { .string($0.fileName) } ?? .null,
      "sd_vae_hash": ingredients.vae.map { .string($0.shortHash) } ?? .null,
      "seed_resize_from_w": .integer(Int64(settings.seedResizeFromW)),
      "seed_resize_from_h": .integer(Int64(settings.seedResizeFromH)),
      "denoising_strength": (request.denoisingStrength ?? settings.hires?.denoisingStrength).map { .number($0) }
        ?? .null,
      "extra_generation_params": .object(extras),
      "index_of_first_image": request.hasGrid ? 1 : 0,
      "infotexts": .array(((request.hasGrid ? [infotexts[0]] : []) + infotexts).map { .string($0) }),
      "styles": .array(request.styles.map { .string($0) }),
      "job_timestamp": .string(timestamp),
      "clip_skip": .integer(Int64(settings.clipSkip)),
      "is_using_inpainting_conditioning": false,
      "version": nil,
    ]
  }
}
