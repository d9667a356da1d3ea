import Settings
import TestSupport
import Testing

@testable import Recipes

/// Models that are trained by flow matching have their own defaults, sizes and samplers, which are checked when a recipe is
/// read.
@Suite struct FamilyTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder([
      "sd.safetensors", "dev.safetensors", "schnell.safetensors", "klein.safetensors", "turbo.safetensors",
      "sd35.safetensors", "t5xxl_fp16.safetensors", "clip_l.safetensors", "ae.safetensors",
    ])
  }

  /// A recipe next to these files, whose names say their families.
  private func recipe(_ text: String, path: String = "fish.yaml") -> RecipeText {
    var environment = PlanningEnvironment()
    environment.family = { path in
      let families: [(String, FamilyID)] = [
        ("/sd35", .sd35Medium), ("/dev", .flux1Dev), ("/schnell", .flux1Schnell), ("/klein", .klein),
        ("/turbo", .zImageTurbo),
      ]
      return families.first { path.contains($0.0) }?.1 ?? .stableDiffusion
    }
    var recipe = RecipeText(text, environment: environment)
    recipe.path = folder.path + "/" + path
    return recipe
  }

  private func errors(_ text: String) -> [String] {
    recipe(text).errors().map { $0.replacing(folder.path + "/", with: "") }
  }

  @Test func `a recipe that says nothing else has its family's defaults`() throws {
    let defaults: [(String, Int, Double, SamplerID, ScheduleID, Double)] = [
      ("sd", 20, 7, .dpmPP2M, .karras, 0), ("dev", 20, 1, .euler, .simple, 3.158192909689767),
      ("schnell", 4, 1, .euler, .simple, 2.718281828459045), ("klein", 4, 1, .euler, .flux2, 0),
      ("turbo", 8, 1, .euler, .simple, 3),
    ]
    for (model, steps, cfgScale, sampler, schedule, shift) in defaults {
      let settings = try #require(try recipe("model: \(model)\nprompt: fish\n").jobs().first).settings
      #expect(settings.steps == steps && settings.cfgScale == cfgScale && settings.sampler == sampler, "\(model)")
      #expect(settings.namedSchedule == schedule && settings.shift == shift, "\(model)")
    }
  }

  @Test func `values that are given count, and each model of a grid has its own defaults`() throws {
    let text = "model: sd\nprompt: fish\ngrid: {model: [sd, klein, turbo], cfg_scale: [2, 3]}\n"
    let jobs = try recipe(text).jobs()
    #expect(jobs.map(\.settings.steps) == [20, 20, 4, 4, 8, 8])
    #expect(jobs.map(\.settings.cfgScale) == [2, 3, 2, 3, 2, 3])
    let given = try recipe("model: klein\nsteps: 20\nsampler_name: Heun\nscheduler: beta\nshift: 4\n").jobs()[0]
      .settings
    #expect(given.steps == 20 && given.sampler == .heun && given.namedSchedule == .beta && given.shift == 4)
  }

  @Test func `a size that is no multiple of 16 names the two nearest`() {
    #expect(
      errors("model: turbo\nwidth: 520\n") == [
        "fish.yaml:2:8: error: width: found 520, expected a multiple of 16 for Z-Image-Turbo; the nearest are 512 and 528"
      ])
    #expect(errors("model: sd\nwidth: 520\n").isEmpty)
    #expect(errors("model: sd\ngrid: {model: [sd, turbo], width: [512, 520]}\n").count == 1)
    #expect(
      errors("model: sd\ngrid: {model: [sd, turbo], width: [512, 520]}\nexclude: [{width: 520, model: turbo}]\n")
        .isEmpty)
    #expect(errors("model: sd\ninclude: [{model: klein, size: 504x512}]\n").count == 1)
  }

  @Test(arguments: SamplerID.allCases)
  func `samplers that do not fit are refused by name, at the value`(sampler: SamplerID) {
    let found = errors("model: dev\ngrid: {sampler_name: [Euler, \(sampler.rawValue)]}\n")
    guard !sampler.runsInFlow else {
      #expect(found.isEmpty)
      return
    }
    #expect(
      found == [
        "fish.yaml:2:30: error: sampler_name: found \(sampler.rawValue), which does not fit the noise levels of Flux.1 dev; "
          + "use DPM++ 2M, Euler a, Euler, LMS, Heun, DPM2, DPM2 a, LCM, ER SDE or Res Multistep"
      ])
    #expect(errors("model: sd\nsampler_name: \(sampler.rawValue)\n").isEmpty)
  }

  @Test(arguments: [
    "scheduler: align_your_steps", "scheduler: uniform", "scheduler: flux2", "sgm_noise_multiplier: true", "s_churn: 3",
    "prediction_type: epsilon", "sd_noise_schedule: Zero Terminal SNR", "enable_quantization: true", "tiling: true",
    "feature_cache: 2", "token_merging_ratio: 0.5", "sigma_max: 14", "use_old_karras_scheduler_sigmas: true",
  ])
  func `settings that make no sense are refused by name`(setting: String) {
    let found = errors("model: dev\n\(setting)\n")
    let key = setting.prefix { $0 != ":" }
    #expect(found.count == 1 && found[0].hasPrefix("fish.yaml:2:\(key.count + 3): error: \(key): found "), "\(found)")
    #expect(errors("model: sd\n\(setting)\n").isEmpty == (setting != "scheduler: flux2"))
  }

  @Test func `a second pass is checked too, and its sides are rounded down`() throws {
    #expect(errors("model: dev\nenable_hr: true\nhr_sampler_name: DDIM\n").count == 1)
    let text = "model: klein\nenable_hr: true\nhr_scale: 1.3\nwidth: 512\nheight: 256\n"
    let settings = try recipe(text).jobs()[0].settings
    #expect(settings.hiresSize?.width == 665 && settings.finalWidth == 656 && settings.finalHeight == 320)
    let dev = try recipe(text.replacing("klein", with: "dev")).jobs()[0].settings
    #expect(dev.hiresSize?.columns == 0..<82 && dev.finalWidth == 656)
  }

  @Test func `text encoders are one file or a list`() throws {
    func encoders(_ text: String) throws -> [String?] {
      try recipe("model: dev\n\(text)\n").jobs()[0].settings.textEncoders.map(\.path)
    }
    let (t5, clip) = (folder.path + "/t5xxl_fp16.safetensors", folder.path + "/clip_l.safetensors")
    #expect(try encoders("text_encoders: [clip_l, t5xxl_fp16.safetensors]") == [clip, t5])
    #expect(try encoders("text_encoders: t5xxl_fp16") == [t5])
    #expect(try encoders("text_encoders:") == [])
    #expect(try encoders("grid: {text_encoders: [clip_l, t5xxl_fp16]}") == [clip])
    #expect(errors("model: dev\ntext_encoders: [clip_l, other]\n").count == 1)
    let settings = try recipe("model: dev\ntext_encoders: [clip_l, t5xxl_fp16]\n").jobs()[0].settings
    #expect(settings.partFolders.contains(folder.path))
    // A recipe that is written from settings has the list again.
    let again = try recipe(ImageRecipe(settings).text).jobs()[0].settings
    #expect(again.textEncoders.map(\.path) == settings.textEncoders.map(\.path) && again.steps == 20)
  }

  @Test func `a request is rounded down, and Forge's fields and modules are read`() throws {
    let body = """
      {"prompt": "fish", "width": 520, "height": 1000, "cfg_scale": 1, "steps": 6, "distilled_cfg_scale": 2.5,
      "enable_hr": true, "denoising_strength": 0.5, "hr_cfg": 2, "hr_distilled_cfg": 4, "override_settings":
      {"sd_model_checkpoint": "dev.safetensors",
      "forge_additional_modules": ["C:\\\\models\\\\VAE\\\\ae.safetensors", "clip_l.safetensors", "t5xxl_fp16"]}}
      """.replacing("\n", with: " ")
    let request = recipe(body, path: "fish.json")
    let settings = try request.jobs()[0].settings
    #expect(settings.width == 512 && settings.height == 992 && settings.distilledCFGScale == 2.5)
    #expect(settings.secondPass?.cfgScale == 2 && settings.secondPass?.distilledCFGScale == 4)
    #expect(settings.vae?.path == folder.path + "/ae.safetensors")
    #expect(settings.textEncoders.map(\.name) == ["clip_l.safetensors", "t5xxl_fp16"])
    let warnings = try request.warnings()
    #expect(warnings.count { $0.contains("rounded to") } == 2, "\(warnings)")
    let refused = body.replacing("\"steps\": 6", with: "\"sampler_name\": \"DDIM\"")
    #expect(recipe(refused, path: "fish.json").errors().count == 1)
  }

  @Test func `skip-layer guidance is refused for families whose layers cannot be left out`() throws {
    let reason = "which is for Stable Diffusion 3 and 3.5 and not for"
    #expect(
      errors("model: sd\nskip_layer_guidance_scale: 2.8\n") == [
        "fish.yaml:2:28: error: skip_layer_guidance_scale: found 2.8, \(reason) Stable Diffusion; remove it"
      ])
    #expect(
      errors(
        "prompt: x\nmodel: sd35\nsampler_name: Euler\ngrid: {skip_layer_guidance_scale: [0, 2], model: [sd35, dev]}\n"
      )
      .count == 1)
    let hires = "model: sd35\nsampler_name: Euler\nenable_hr: true\n"
    #expect(
      errors(hires + "hr_checkpoint_name: sd\nhr_skip_layer_guidance_scale: 3\n").contains {
        $0.contains("hr_skip_layer_guidance_scale: found 3.0, \(reason) Stable Diffusion")
      })
    // If it is off in the second pass, it applies only to the first.
    #expect(
      errors(hires + "hr_checkpoint_name: sd\nskip_layer_guidance_scale: 3\nhr_skip_layer_guidance_scale: 0\n") == [])
    let jobs = try recipe(
      "model: sd35\nskip_layer_guidance_scale: 2.8\ngrid: {skip_layer_guidance_layers: [[9, 7], \"3, 4\", 5]}\n"
    ).jobs()
    #expect(jobs.map(\.settings.skipLayers.numbers) == [[7, 9], [3, 4], [5]])
    #expect(errors("model: sd35\nskip_layer_guidance_layers: [7, -1]\n").first?.contains("numbers of layers") == true)
  }
}
