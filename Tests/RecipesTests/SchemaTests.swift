import Foundation
import JSON
import Recipes
import Settings
import Testing

/// Checks the schema of recipes against the reader. JSON is YAML, so one text serves both.
@Suite struct SchemaTests {
  private static let validator = SchemaValidator(root: RecipeSchema.json)

  /// Whether the schema and the reader accept a recipe.
  private func verdicts(_ text: String) throws -> (schema: Bool, reader: Bool) {
    let isValid = try Self.validator.accepts(JSONValue(parsing: text))
    return (isValid, RecipeText(text).errors().isEmpty)
  }

  @Test(arguments: [
    #"{"prompt": "a fish"}"#, #"{"prompt": null}"#, #"{"prompt": 7}"#, #"{"prompt": true, "x-note": {"a": [1]}}"#,
    #"{"steps": 20, "cfg_scale": 7}"#, #"{"steps": "20", "cfg_scale": "7.5"}"#, #"{"steps": 20.0}"#,
    #"{"steps": 2e1}"#, #"{"steps": "0x14"}"#, #"{"width": 512, "height": "640"}"#, #"{"cfg_scale": -3.5}"#,
    #"{"seed": -1}"#, #"{"seed": 9223372036854775807}"#, #"{"seed": "nightly 16"}"#, #"{"seed": " NIGHTLY  016"}"#,
    #"{"sampler_name": "Euler a"}"#, #"{"sampler_name": "euler A"}"#, #"{"sampler_index": "DPM++ 2M Karras"}"#,
    #"{"sampler_name": "dpm++ sde SGMUniform"}"#, #"{"sampler_name": "LMS kl_optimal", "scheduler": "automatic"}"#,
    #"{"scheduler": "Karras"}"#, #"{"scheduler": "Align Your Steps"}"#, #"{"scheduler": "sgm_uniform"}"#,
    #"{"rng": "NV", "precision": "FP32"}"#, #"{"emphasis": "No norm"}"#, #"{"vae": null}"#, #"{"vae": "none"}"#,
    #"{"vae": ""}"#, #"{"model": "demo"}"#, #"{"s_tmax": null}"#, #"{"s_tmax": 0}"#, #"{"s_tmax": ".inf"}"#,
    #"{"use_old_scheduling": true, "sgm_noise_multiplier": "True", "enable_prompt_comments": false}"#,
    #"{"uni_pc_variant": "BH2", "uni_pc_skip_type": "logsnr", "sd_noise_schedule": "zero terminal snr"}"#,
    #"{"grid": {"seed": "1, 2, ..., 8"}}"#, #"{"grid": {"seed": [1, 2, "...", 8]}}"#, #"{"grid": {"seed": -1}}"#,
    #"{"grid": {"seed": [1, "10, 20, …, 50", {"title": "x", "value": 9}]}}"#, #"{"grid": {"seed": "nightly 2"}}"#,
    #"{"grid": {"cfg_scale": "5 || 7.0", "steps": 5}}"#, #"{"grid": {"cfg_scale": "'5', \"6\""}}"#,
    #"{"grid": {"prompt": "a || b", "negative_prompt": ["x", null, 3]}}"#, #"{"grid": {"s_tmax": [null, 0, 3]}}"#,
    #"{"grid": {"sampler_name": "Euler a, Heun", "scheduler": ["karras", "Beta"]}}"#,
    #"{"grid": {"CFG Scale": [1, 2], "clip skip": "1, 2"}}"#, #"{"grid": {"eta": [{"steps": 5, "eta": 0}]}}"#,
    #"{"grid": {"style": [{"title": "a"}, {"title": "b", "prompt_append": "c", "steps": 4}]}}"#,
    #"{"grid": {"sgm_noise_multiplier": [true, false], "use_old_scheduling": "true, false"}}"#, #"{"grid": null}"#,
    #"{"grid": {}}"#, #"{"zip": [{"steps": [1, 2], "cfg_scale": [3, 4]}]}"#, #"{"zip": null, "exclude": null}"#,
    #"{"grid": {"steps": [1, 2]}, "exclude": [{"steps": 2}]}"#,
    #"{"grid": {"steps": [1, 2, 3]}, "exclude": [{"steps": [2, 3]}]}"#,
    #"{"grid": {"style": [{"title": "a"}, {"title": "b"}]}, "exclude": [{"style": "a"}], "include": [{"style": "b"}]}"#,
    #"{"include": [{}, {"cfg_scale": 12, "seed": 99}]}"#, #"{"output": "Output/x"}"#, #"{"output": 7}"#,
    #"{"webhook": "http://127.0.0.1/"}"#, #"{"webhook": {"url": "https://x/", "per": ["run", "job"]}}"#,
    #"{"webhook": {"url": "http://x/", "per": "job", "send_images": false}}"#, #"{"webhook": ""}"#,
    #"{"webhook": null, "output": null}"#,
    #"{"grid": {"steps": [1, 2], "eta": [0, 1]}, "sheet": {"x": "steps", "pages": ["eta"]}}"#,
    #"{"grid": {"steps": [1, 2]}, "sheet": {"x": "steps", "y": null, "pages": null}}"#, #"{"sheet": null}"#,
    #"{"rng": "GPU"}"#, #"{"size": "512x768"}"#, #"{"grid": {"Size": "512x512, 64 x 128"}}"#, #"{"styles": []}"#,
    #"{"grid": {"seed": "1-5", "steps": "5-9 (+2), 20", "cfg_scale": "1-2 [5]"}}"#, #"{"grid": {"steps": "5\n6"}}"#,
    #"{"prompt": "a fish", "grid": {"Prompt S/R one": "fish, bird"}}"#,
    #"{"prompt": "a b", "grid": {"prompt_order": "a, b"}}"#,
    #"{"prompt": "a __x__", "__x__": "fish"}"#, #"{"prompt": "a __x__", "grid": {"__x__": ["fish", "bird"]}}"#,
    #"{"sampler_name": "k_euler_a"}"#, #"{"sampler_name": "k_dpmpp_sde_ka"}"#, #"{"randn_source": "CPU"}"#,
    #"{"tiling": false, "restore_faces": "False", "batch_size": 1, "n_iter": "1", "hr_upscaler": null, "script_args": []}"#,
    #"{"enable_hr": true, "hr_scale": 1.5, "hr_resize_x": 0, "hr_upscaler": "latent (bicubic)", "denoising_strength": 1}"#,
    #"{"restore_faces": true, "face_restoration_model": "gfpgan", "code_former_weight": 0.7}"#,
    #"{"grid": {"Face restore": ["None", "CodeFormer", "gfpgan", true, "false"]}}"#,
    #"{"grid": {"face_restore": "codeformer, none"}}"#,
    #"{"hr_upscaler": "none"}"#, #"{"hr_upscaler": "Lanczos"}"#, #"{"hr_upscaler": "NEAREST"}"#,
    #"{"hr_sampler_name": "Use same sampler", "hr_scheduler": "", "hr_prompt": "", "hr_second_pass_steps": 0}"#,
    #"{"hr_sampler_name": "DPM++ 2M Karras", "firstphase_width": 512, "token_merging_ratio_hr": 0.5}"#,
    #"{"enable_quantization": true, "enable_wildcards": false, "k_sched_type": "karras"}"#,
  ])
  func `a recipe that the reader accepts is valid`(recipe: String) throws {
    let verdicts = try verdicts(recipe)
    #expect(verdicts.reader, "\(RecipeText(recipe).errors())")
    #expect(verdicts.schema)
  }

  @Test(arguments: [
    "[]", "7", #"{"promt": "a"}"#, #"{"prompt": ["a"]}"#, #"{"prompt": {"a": 1}}"#, #"{"steps": 0}"#,
    #"{"steps": 10001}"#, #"{"steps": 2.5}"#, #"{"steps": "many"}"#, #"{"steps": null}"#, #"{"steps": true}"#,
    #"{"steps": [1, 2]}"#, #"{"width": 500}"#, #"{"width": 0}"#, #"{"height": 8200}"#, #"{"cfg_scale": "7,5"}"#,
    #"{"cfg_scale": 1001}"#, #"{"cfg_scale": ".inf"}"#, #"{"seed": -2}"#, #"{"seed": 1.5}"#, #"{"seed": "nightly"}"#,
    #"{"seed": "nightly 0"}"#, #"{"seed": "nightly 10001"}"#, #"{"seed": "nightly 3 4"}"#, #"{"subseed": "nightly 3"}"#,
    #"{"sampler_name": "Euler b"}"#, #"{"sampler_name": ""}"#, #"{"sampler_name": 3}"#,
    #"{"sampler_name": "Euler a karas"}"#,
    #"{"sampler_name": "Heun", "sampler_index": "Heun"}"#, #"{"scheduler": "turbo"}"#, #"{"scheduler": null}"#,
    #"{"rng": "tpu"}"#, #"{"precision": "int4"}"#, #"{"emphasis": "original one"}"#, #"{"model": null}"#,
    #"{"model": ""}"#,
    #"{"sgm_noise_multiplier": 1}"#, #"{"sgm_noise_multiplier": "yes"}"#, #"{"use_old_scheduling": null}"#,
    #"{"s_tmax": -1}"#, #"{"s_tmax": "none"}"#, #"{"grid": [1]}"#, #"{"grid": {"seed": []}}"#,
    #"{"grid": {"seed": null}}"#,
    #"{"grid": {"steps": [1, [2]]}}"#, #"{"grid": {"steps": {"a": 1}}}"#, #"{"grid": {"steps": "1; 2"}}"#,
    #"{"grid": {"sampler_name": ["Euler", "Eul"]}}"#, #"{"grid": {"steps": [{"title": "a", "value": 0}]}}"#,
    #"{"grid": {"steps": [{}]}}"#, #"{"grid": {"style": [1, 2]}}"#, #"{"grid": {"style": []}}"#,
    #"{"grid": {"style": [{"title": "a", "value": 3}]}}"#, #"{"grid": {"style": [{"title": "a", "stpes": 3}]}}"#,
    #"{"grid": {"style": [{"title": ["a"]}]}}"#, #"{"grid": {"style": "a, b"}}"#, #"{"grid": {"grid": [1]}}"#,
    #"{"grid": {"output": ["a", "b"]}}"#, #"{"zip": {"steps": [1]}}"#, #"{"zip": [[1]]}"#,
    #"{"zip": [{"stpes": [1]}]}"#,
    #"{"exclude": {"steps": 1}}"#, #"{"exclude": [{}]}"#, #"{"exclude": [1]}"#, #"{"exclude": [{"steps": []}]}"#,
    #"{"exclude": [{"grid": 1}]}"#, #"{"include": [{"steps": [1, 2]}]}"#, #"{"include": [{"output": "a"}]}"#,
    #"{"include": [3]}"#, #"{"output": ""}"#, #"{"output": ["a"]}"#, #"{"webhook": ["a"]}"#,
    #"{"webhook": "ftp://x/"}"#,
    #"{"webhook": {"per": "run"}}"#, #"{"webhook": {"url": "http://x/", "per": []}}"#,
    #"{"webhook": {"url": "http://x/", "a": 1}}"#, #"{"sheet": "x"}"#,
    #"{"sheet": {"z": "steps"}}"#, #"{"sheet": {"x": ["steps"]}}"#, #"{"restore_faces": 2}"#,
    #"{"face_restore": "GPEN"}"#, #"{"code_former_weight": 2}"#, #"{"restore_faces": true, "face_restoration": true}"#,
    #"{"tiling": 2}"#, #"{"hr_scale": null}"#, #"{"hr_upscaler": ["None"]}"#, #"{"denoising_strength": 1.5}"#,
    #"{"hr_sampler_name": "Euler b"}"#, #"{"firstphase_width": 500}"#, #"{"token_merging_ratio": 1}"#,
    #"{"batch_size": 2}"#, #"{"size": "512"}"#, #"{"size": 512}"#,
    #"{"styles": {"a": 1}}"#,
    #"{"sampler_name": "k_euler_x"}"#, #"{"script_args": [1]}"#,
  ])
  func `a recipe that is not valid is rejected by the reader`(recipe: String) throws {
    let verdicts = try verdicts(recipe)
    #expect(!verdicts.schema)
    #expect(!verdicts.reader)
  }

  /// A schema cannot check these: they depend on files, other parts of the recipe, or arithmetic.
  @Test(arguments: [
    #"{"model": "nowhere"}"#, #"{"grid": {"steps": "1, 3, ..., 8"}}"#, #"{"grid": {"steps": ["...", 3]}}"#,
    #"{"zip": [{"steps": [1, 2], "eta": [1]}]}"#, #"{"seed": "nightly 2", "grid": {"seed": [1]}}"#,
    #"{"exclude": [{"stpes": 3}]}"#, #"{"sheet": {"x": "style"}}"#,
    #"{"grid": {"steps": [1]}, "exclude": [{"steps": 1}]}"#,
    #"{"sampler_name": "LMS Karras", "scheduler": "beta"}"#, #"{"width": "500"}"#,
  ])
  func `the schema accepts errors that only the reader can detect`(recipe: String) throws {
    let verdicts = try verdicts(recipe)
    #expect(verdicts.schema && !verdicts.reader)
  }

  @Test func `every key is in the schema with its summary, and rejects a value of the wrong type`() throws {
    let properties = try #require(RecipeSchema.json["properties"])
    for key in RecipeKey.all {
      #expect(properties[key.name]?["description"] == .string(key.summary))
      // A list is not a value of any setting, and a number is not a value of a document key, except a path.
      let text = "{\"\(key.name)\": \(key.isSetting ? "[[1]]" : "[[[1]]]")}"
      let verdicts = try verdicts(text)
      #expect(!verdicts.schema && !verdicts.reader, "\(key.name)")
    }
  }

  @Test func `the recipes of this package are valid`() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Recipes")
    let files = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".yaml") }
    #expect(files.count >= 4)
    for file in files {
      let text = try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
      #expect(try Self.validator.accepts(RecipeText(text).read().json), "\(file)")
    }
  }
}
