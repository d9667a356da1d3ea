import JSON

/// The `info` object of the webui's txt2img response, for one picture.
public enum GenerationInfo {
  /// The object for a picture of a job, with the webui's keys in the webui's order.
  ///
  /// What only other kinds of jobs have (styles, face restoration) has the value that it has there
  /// when it is not used; `version` is null, for it would be taken for a version of the webui.
  ///
  /// - Parameters:
  ///   - parameters: The settings of the job.
  ///   - ingredients: The models, and the precision that runs.
  ///   - infotext: The text in the picture's file.
  ///   - version: The version of this program.
  ///   - timestamp: When the job started, in local time: `yyyymmddhhmmss`.
  /// - Returns: An object.
  public static func json(
    _ parameters: JobParameters, _ ingredients: JobIngredients, infotext: String, version: String, timestamp: String
  ) -> JSONValue {
    var extras = Infotext(parameters, ingredients, version: version).extras.map { JSONMember($0.key, $0.value) }
    if parameters.namedSchedule != .automatic {
      extras.insert(JSONMember("Schedule type", .string(parameters.namedSchedule.label)), at: 0)
    }
    return [
      "prompt": .string(parameters.prompt),
      "all_prompts": [.string(parameters.prompt)],
      "negative_prompt": .string(parameters.negativePrompt),
      "all_negative_prompts": [.string(parameters.negativePrompt)],
      "seed": .integer(parameters.seed),
      "all_seeds": [.integer(parameters.seed)],
      "subseed": .integer(parameters.subseed),
      "all_subseeds": [.integer(parameters.subseed)],
      "subseed_strength": .number(parameters.subseedStrength),
      "width": .integer(Int64(parameters.width)),
      "height": .integer(Int64(parameters.height)),
      "sampler_name": .string(parameters.sampler.rawValue),
      "cfg_scale": .number(parameters.cfgScale),
      "steps": .integer(Int64(parameters.steps)),
      "batch_size": 1,
      "restore_faces": false,
      "face_restoration_model": nil,
      "sd_model_name": .string(ingredients.model.name),
      "sd_model_hash": .string(ingredients.model.shortHash),
      "sd_vae_name": ingredients.vae.map { .string($0.fileName) } ?? .null,
      "sd_vae_hash": ingredients.vae.map { .string($0.shortHash) } ?? .null,
      "seed_resize_from_w": .integer(Int64(parameters.seedResizeFromW)),
      "seed_resize_from_h": .integer(Int64(parameters.seedResizeFromH)),
      "denoising_strength": nil,
      "extra_generation_params": .object(extras),
      "index_of_first_image": 0,
      "infotexts": [.string(infotext)],
      "styles": [],
      "job_timestamp": .string(timestamp),
      "clip_skip": .integer(Int64(parameters.clipSkip)),
      "is_using_inpainting_conditioning": false,
      "version": nil,
    ]
  }
}
