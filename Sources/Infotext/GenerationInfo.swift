import JSON
import Settings

/// The `info` object of the webui's txt2img response.
public enum GenerationInfo {
  /// What a request says besides the settings of its images.
  public struct Request: Hashable, Sendable {
    /// Images of one batch.
    public var batchSize: Int
    /// Names of styles, which are part of the prompts already.
    public var styles: [String]
    /// What only a second pass reads.
    public var denoisingStrength: Double?
    /// Whether a grid of the images stands before them.
    public var hasGrid: Bool

    /// A request; by default that of one image.
    public init(batchSize: Int = 1, styles: [String] = [], denoisingStrength: Double? = nil, hasGrid: Bool = false) {
      self.batchSize = batchSize
      self.styles = styles
      self.denoisingStrength = denoisingStrength
      self.hasGrid = hasGrid
    }
  }

  /// The object for a picture of a job, with the webui's keys in the webui's order.
  ///
  /// What only other kinds of jobs have (styles, face restoration) has the value that it has there
  /// when it is not used; `version` is null, for it would be taken for a version of the webui.
  ///
  /// - Parameters:
  ///   - settings: The settings of the job.
  ///   - ingredients: The models, and the precision that runs.
  ///   - infotext: The text in the picture's file.
  ///   - version: The version of this program.
  ///   - timestamp: When the job started, in local time: `yyyymmddhhmmss`.
  /// - Returns: An object.
  public static func json(
    _ settings: ImageSettings, _ ingredients: JobIngredients, infotext: String, version: String, timestamp: String
  ) -> JSONValue {
    json([settings], ingredients, infotexts: [infotext], version: version, timestamp: timestamp)
  }

  /// The object for the pictures of a request, with the webui's keys in the webui's order.
  ///
  /// - Parameters:
  ///   - images: The settings of each picture, at least one; what is said once is said of the first.
  ///   - ingredients: The models, and the precision that runs.
  ///   - infotexts: The texts in the pictures' files.
  ///   - request: What was asked for besides.
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
      "restore_faces": false,
      "face_restoration_model": nil,
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
