import JSON
import Recipes
import Settings
import Testing
import TestSupport

/// A request in a test, without a file.
private func request(
  _ text: String, set overrides: [String] = [], path: String = "request.json",
  environment: PlanningEnvironment = PlanningEnvironment(demoWidth: 128, demoHeight: 128)
) -> RecipeText {
  var recipe = RecipeText(text, set: overrides, environment: environment)
  recipe.path = path
  return recipe
}

@Suite struct RequestTests {
  /// A request as serverless clients send it, shortened by hand.
  static let envelope =
    #"{"webhook": "https://…", "input": {"api": {"method": "POST", "endpoint": "/sdapi/v1/txt2img"}, "payload": {"prompt": "an astronaut riding a horse", "negative_prompt": "", "seed": -1, "batch_size": 1, "steps": 30, "cfg_scale": 7, "width": 512, "height": 512, "sampler_name": "DPM++ SDE Karras", "sampler_index": "DPM++ SDE Karras", "restore_faces": false}}}"#

  @Test func `the envelope in use is read as it is`() throws {
    let text = request(Self.envelope)
    let parameters = try #require(try text.jobs().first).settings
    #expect(parameters.prompt == "an astronaut riding a horse")
    #expect(parameters.sampler == .dpmPPSDE && parameters.scheduler == .karras)
    #expect(parameters.steps == 30 && parameters.cfgScale == 7 && parameters.width == 512 && parameters.height == 512)
    #expect(parameters.model == .demo && parameters.eta == 1 && parameters.sNoise == 1)
    #expect((0...4_294_967_293).contains(parameters.seed))
    #expect(
      try text.warnings() == [
        "request.json:1:13: warning: webhook: expected an address that begins with http:// or https:// and names a host; "
          + "nothing will be sent"
      ])
    let asked = try #require(try text.read().requests?.requests.first)
    #expect(asked.input["payload"]?["seed"] == -1 && asked.parameters["seed"] == -1)
    #expect(asked.parameters["cfg_scale"]?.jsonText == "7.0")
  }

  @Test(arguments: [
    #"{"input": {"payload": {"prompt": "a", "seed": 1}}}"#, #"{"input": {"prompt": "a", "seed": 1}}"#,
    #"{"payload": {"prompt": "a", "seed": 1}}"#, #"{"prompt": "a", "seed": 1}"#,
    #"{"id": "x", "policy": {"ttl": 10000}, "prompt": "a", "seed": 1, "s3Config": {"accessSecret": "S"}}"#,
    "\u{FEFF}{\"input\": {\"prompt\": \"a\", \"seed\": 1}}", "input:\n  prompt: a\n  seed: 1\n",
  ])
  func `an envelope, its parts and only the body are the same request`(text: String) throws {
    for path in text.hasPrefix("{\"input") || text.hasPrefix("input") ? ["a.json", "a.txt", "a.yaml"] : ["a.json"] {
      if text.hasPrefix("input"), path.hasSuffix("json") { continue }
      let parameters = try #require(try request(text, path: path).jobs().first).settings
      #expect(parameters.prompt == "a" && parameters.seed == 1 && parameters.steps == 50, "\(path)")
      #expect(parameters.sampler == .euler && parameters.width == 512)
    }
    let asked = try #require(
      try request(text, path: text.hasPrefix("input") ? "a.yaml" : "a.json").read().requests?.requests.first)
    #expect(!asked.input.jsonText.contains("s3Config") && !asked.parameters.jsonText.contains("s3Config"))
  }

  @Test func `a file of JSON with a key of ours is a recipe`() throws {
    #expect(try request(#"{"prompt": "a", "model": "demo"}"#).read().requests == nil)
    #expect(try request(#"{"prompt": "a", "grid": {"seed": [1, 2]}}"#).jobs().count == 2)
    #expect(try request("{\"prompt\": a,\n # only YAML\n \"model\": demo}").read().requests == nil)
  }

  @Test func `lines are requests, and their errors are reported by line and column`() throws {
    let text = request("{\"prompt\": \"a\"}\n\n  {\"prompt\": \"b\", \"steps\": 3}\r\n", path: "a.jsonl")
    #expect(try text.jobs().map(\.settings.prompt) == ["a", "b"])
    #expect(try text.jobs().map { $0.axes.map(\.title) } == [["line 1"], ["line 3"]])
    #expect(
      request("{\"steps\": 0}\n{\"a\": NaN}\n[1]\n{\"é\": 1, \"width\": 100}\n", path: "a.jsonl").errors() == [
        "a.jsonl:1:11: error: steps: found 0, expected a whole number from 1 to 10000",
        "a.jsonl:2:7: error: not JSON: a JSON value is expected, found NaN, which JSON does not have",
        "a.jsonl:3:1: error: found a list, expected a request: an object",
        "a.jsonl:4:19: error: width: found 100, expected a multiple of 8 from 8 to 8192; the nearest are 96 and 104",
      ])
    #expect(
      request("\n\n", path: "a.jsonl").errors() == [
        "a.jsonl: error: found an empty file, expected a request on each line"
      ])
  }

  // MARK: Expansion

  @Test func `seeds and subseeds increase by one per image of a batch, as in the webui`() throws {
    let jobs = try request(#"{"prompt": "a", "seed": 10, "subseed": 20, "batch_size": 2, "n_iter": 2}"#).jobs()
    #expect(jobs.map(\.settings.seed) == [10, 11, 12, 13])
    #expect(jobs.map(\.settings.subseed) == [20, 21, 22, 23])
    #expect(jobs.map { $0.axes.map(\.value) } == [["0"], ["1"], ["2"], ["3"]])
    let variations = try request(
      #"{"prompt": "a", "seed": 10, "subseed": 20, "batch_size": 3, "subseed_strength": 0.5}"#
    ).jobs()
    #expect(variations.map(\.settings.seed) == [10, 10, 10])
    #expect(variations.map(\.settings.subseed) == [20, 21, 22])
  }

  @Test func `a seed of -1 is drawn once and kept, wherever the request is in the file`() throws {
    var seeds = SeedDraws()
    let first = try request(#"{"prompt": "a"}"# + "\n" + #"{"prompt": "a"}"#, path: "a.jsonl").plan(seeds: &seeds)
    let drawn = first.jobs.map(\.settings.seed)
    #expect(drawn[0] != drawn[1] && Set(first.requests?.map(\.id) ?? []).count == 2)
    let again = try request(
      #"{"prompt": "b"}"# + "\n" + #"{"prompt": "a"}"# + "\n" + #"{"prompt":"a"}"#, path: "b.jsonl"
    ).plan(seeds: &seeds)
    #expect(again.jobs.map(\.settings.seed).dropFirst() == drawn[...])
    #expect(again.requests?.map(\.id).dropFirst() == first.requests?.map(\.id)[...])
    let named = request(#"{"id": "mine", "prompt": "a"}"#)
    let seed = try named.plan(seeds: &seeds).jobs.map(\.settings.seed)
    #expect(try named.plan(seeds: &seeds).jobs.map(\.settings.seed) == seed)
    #expect(try named.plan(seeds: &seeds).requests?[0].id == "mine")
  }

  // MARK: Fields

  @Test func `the defaults are the webui's or the worker's, by choice`() throws {
    let body = #"{"prompt": "a", "seed": 1}"#
    for text in [
      request(#"{"defaults": "worker-a1111", "input": {"prompt": "a", "seed": 1}}"#),
      request(body, set: ["defaults=worker-a1111"]),
    ] {
      let parameters = try #require(try text.jobs().first).settings
      #expect(parameters.sampler == .eulerAncestral && parameters.steps == 20)
      #expect(parameters.eta == 0 && parameters.sNoise == 0 && parameters.etaDDIM == 0)
      let plan = try text.plan()
      #expect(plan.json["requests"]?.elements?.first?["defaults"] == "worker-a1111")
      #expect(plan.requests?[0].request.parameters["eta"] == 0)
    }
    #expect(try request(body).plan().json["requests"]?.elements?.first?["defaults"] == "a1111")
  }

  @Test func `fields override options, and a schedule in the sampler's name overrides scheduler`() throws {
    let text = request(
      """
      {"prompt": "a\\n# note", "negative_prompt": null, "steps": 7, "cfg_scale": 4.5, "sampler_name": "DPM++ 2M Exponential",
       "scheduler": "karras", "sampler_index": "Heun", "eta": 0.5, "s_tmax": 0, "s_noise": 1.01, "seed": 3.0,
       "override_settings": {"CLIP_stop_at_last_layers": 2, "randn_source": "CPU", "s_noise": 2, "s_churn": 3,
        "sd_vae": "Automatic", "eta_noise_seed_delta": 31337, "sd_model_checkpoint": "demo", "emphasis": "No norm",
        "samples_format": "png"},
       "enable_hr": false, "hr_scale": 2, "denoising_strength": 0.7, "refiner_switch_at": 0.8, "styles": [],
       "tiling": false, "script_name": "", "script_args": [], "alwayson_scripts": {}, "send_images": true,
       "force_task_id": "task(1)", "do_not_save_grid": true, "comments": {"a": 1}}
      """)
    #expect(try text.warnings() == [])
    let parameters = try #require(try text.jobs().first).settings
    #expect(parameters.prompt == "a\n" && parameters.negativePrompt == "" && parameters.seed == 3)
    #expect(parameters.sampler == .dpmPP2M && parameters.scheduler == .exponential)
    #expect(parameters.eta == 0.5 && parameters.sNoise == 1.01 && parameters.sChurn == 3 && parameters.sTmax == nil)
    #expect(parameters.clipSkip == 2 && parameters.rng == .cpu && parameters.etaNoiseSeedDelta == 31337)
    #expect(parameters.emphasis == .noNorm)
    #expect(try text.plan().requests?[0].request.denoisingStrength == 0.7)
    let index = request(#"{"prompt": "a", "sampler_index": "k_euler_a", "sampler_name": ""}"#)
    #expect(try index.jobs().first?.settings.sampler == .eulerAncestral)
  }

  @Test func `a refiner takes over at the start unless a request sets when`() throws {
    func refinement(_ fields: String) throws -> (name: String?, at: Double) {
      let parameters = try #require(try request(#"{"prompt": "a", \#(fields)}"#).jobs().first).settings
      return (parameters.refiner?.name, parameters.refinerSwitchAt)
    }
    #expect(try refinement(#""refiner_checkpoint": "demo""#) == ("demo", 0))
    #expect(try refinement(#""refiner_checkpoint": "demo [6ce0161689]", "refiner_switch_at": 0.7"#) == ("demo", 0.7))
    for none in [#""""#, "null", #""None""#] {
      #expect(try refinement(#""refiner_checkpoint": \#(none), "refiner_switch_at": null"#).name == nil)
    }
  }

  @Test func `wildcards are the webui's extension and stay as they are`() throws {
    #expect(try request(#"{"prompt": "a __sky__"}"#).jobs().map(\.settings.prompt) == ["a __sky__"])
  }

  @Test func `the command line replaces fields and adds settings`() throws {
    let text = request(
      #"{"input": {"payload": {"prompt": "a", "steps": 3}}}"#,
      set: ["steps=5", "seed=7", "rng=cpu", "n_iter=2", "prompt=b: [c]", "output=Output/x"])
    let jobs = try text.jobs()
    #expect(jobs.map(\.settings.seed) == [7, 8])
    #expect(jobs[0].settings.steps == 5 && jobs[0].settings.rng == .cpu && jobs[0].settings.prompt == "b: [c]")
    let recipe = try text.read()
    #expect(recipe.output == "Output/x")
    #expect(recipe.requests?.requests[0].parameters["steps"] == 5)
    #expect(recipe.requests?.requests[0].input["payload"]?["steps"] == 3)
    #expect(
      request("{}", set: ["grid={seed: [1]}"]).errors().first?.hasPrefix("--set grid={seed: [1]}: error: ") == true)
  }

  @Test func `unknown fields are ignored with a warning, as in the webui, and the worker's are rejected`() throws {
    let body = #"{"prompt": "a", "step": 3, "override_settings": {"nothing": 1}}"#
    #expect(
      try request(body).warnings() == [
        #"request.json:1:17: warning: found the unknown field "step", which is ignored, as in the webui "#
          + #"(did you mean "steps"?)"#,
        #"request.json:1:50: warning: found the unknown option "nothing", which is ignored"#,
      ])
    #expect(
      request(body, set: ["defaults=worker-a1111"]).errors() == [
        #"request.json:1:17: error: found the unknown field "step", which the worker rejects (did you mean "steps"?)"#
      ])
    #expect(request(#"{"steps": 1}"#, set: ["defaults=worker-a1111"]).errors().count == 1)
  }

  @Test(arguments: [
    (#"{"script_name": "x/y/z plot"}"#, #"1:17: error: script_name: found "x/y/z plot", which is not supported"#),
    (
      #"{"alwayson_scripts": {"a": {"args": []}}}"#, "1:22: error: alwayson_scripts: found a mapping, which is not supp"
    ),
    (#"{"refiner_checkpoint": "x"}"#, "1:24: error: refiner_checkpoint: "),
    (#"{"firstphase_width": 256}"#, "1:22: error: firstphase_width: found 256, "),
    (#"{"infotext": "Steps: 1"}"#, "1:14: error: infotext: "),
    (#"{"restore_faces": "maybe"}"#, #"1:19: error: restore_faces: found "maybe", expected true or false"#),
    (
      #"{"override_settings": {"face_restoration_model": "GPEN"}}"#,
      #"1:50: error: face_restoration_model: found "GPEN", expected CodeFormer or GFPGAN"#
    ),
    (
      #"{"override_settings": {"code_former_weight": 1.5}}"#,
      "1:46: error: code_former_weight: found 1.5, expected a number from 0 to 1"
    ),
    (#"{"override_settings": {"randn_source": 3}}"#, "1:40: error: randn_source: found 3, expected nv or cpu"),
    (#"{"prompt": {}}"#, "1:12: error: prompt: found a mapping, expected text"),
    (#"{"steps": "5.5"}"#, #"1:11: error: steps: found "5.5", expected a whole number"#),
    (#"{"steps": false}"#, "1:11: error: steps: found 0, expected a whole number from 1 to 10000"),
    (#"{"steps": 0.5}"#, "1:11: error: steps: found 0, expected a whole number from 1 to 10000"),
    (#"{"seed": 1e400}"#, "1:10: error: seed: found 1e400, expected -1 or a whole number"),
    (#"{"cfg_scale": 1e400}"#, "1:15: error: cfg_scale: found 1e400, expected a number from -1000 to 1000"),
    (#"{"seed": 123456789012345678901}"#, "1:10: error: seed: found 123456789012345678901, expected -1 or a whole"),
    (#"{"seed": 9223372036854775807, "n_iter": 2}"#, "1:10: error: seed: found 9223372036854775807, which leaves no"),
    (#"{"batch_size": 0}"#, "1:16: error: batch_size: found 0, expected a whole number from 1 to 10000"),
    (#"{"batch_size": 10000, "n_iter": 2}"#, "1:33: error: n_iter: found 2 batches of 10000, expected 10000 images"),
    (#"{"sampler_name": "Euler b"}"#, #"1:18: error: sampler_name: found "Euler b", expected a sampler's name"#),
    (#"{"scheduler": "carras"}"#, #"1:15: error: scheduler: found "carras", expected automatic"#),
    (#"{"styles": ["a", [3]]}"#, "1:12: error: styles: found a list with a list, expected a list of texts"),
    (#"{"send_images": 2}"#, "1:17: error: send_images: found 2, expected true or false"),
    (#"{"prompt": "\u0000"}"#, "1:12: error: prompt: found text with a NUL character"),
    (#"{"input": 3}"#, "1:11: error: input: found 3, expected an object"),
    (#"{"input": {"api": {"endpoint": "/sdapi/v1/img2img"}, "payload": {}}}"#, "1:32: error: endpoint: found"),
    (#"{"input": {"api": {"method": "GET"}, "payload": {}}}"#, "1:30: error: method: found"),
    (#"{"input": {"api": {}}}"#, "1:12: error: found api without payload"),
    (#"{"input": {}, "policy": {"ttl": -1}}"#, "1:33: error: ttl: found -1, expected milliseconds"),
    (#"{"input": {}, "webhook": 3}"#, "1:26: error: webhook: found 3, expected an address"),
    (#"{"input": {}, "id": "../x"}"#, #"1:21: error: id: found "../x", expected 1 to 128 letters"#),
    (#"{"prompt": "a", "prompt": "b"}"#, "1:17: error: not JSON: the key 'prompt' is repeated"),
    (#"{"prompt": "a""#, "1:15: error: not JSON: ',' or '}' is expected, found the end"),
    ("{\n  \"seed\": NaN\n}", "2:11: error: not JSON: a JSON value is expected, found NaN"),
    (#"{"name": "x", "version": 1}"#, "1:1: error: found an object without any field of a request"),
    ("[]", "1:1: error: found a list, expected a request: an object"), ("", "1:1: error: not JSON: "),
  ])
  func `a body that cannot be run is an error with its position and the reason`(text: String, error: String) {
    let errors = request(text).errors()
    #expect(errors.count == 1 && errors[0].hasPrefix("request.json:" + error), "\(errors)")
  }

  @Test func `a second pass is read only with enable_hr`() throws {
    let body = """
      {"enable_hr": true, "hr_scale": 1.5, "denoising_strength": 0.5, "hr_upscaler": "Latent (nearest-exact)",
       "hr_second_pass_steps": 9, "hr_sampler_name": "DPM++ 2M Karras", "hr_prompt": "b # c", "hr_negative_prompt": null,
       "hr_resize_x": 0, "hr_checkpoint_name": "", "hr_scheduler": null, "prompt": "a", "width": 128, "steps": 5,
       "override_settings": {"token_merging_ratio_hr": 0.4}}
      """
    let job = try #require(try request(body).jobs().first).settings
    let hires = try #require(job.hires)
    #expect(hires.scale == 1.5 && hires.denoisingStrength == 0.5 && hires.steps == 9 && hires.prompt == "b \n")
    #expect(hires.upscaler?.latentFilter == .nearestExact && hires.tokenMergingRatio == 0.4)
    #expect(hires.sampler == .dpmPP2M && hires.scheduler == .karras && hires.negativePrompt.isEmpty)
    #expect((job.finalWidth, job.finalHeight, job.allSteps) == (192, 768, 14))
    let lanczos = try request(#"{"enable_hr": true, "denoising_strength": 0.3, "hr_upscaler": "Lanczos"}"#).jobs()
    #expect(lanczos.first?.settings.hires?.upscaler?.kind == .image(.lanczos))
    let plain = try #require(try request(#"{"hr_scale": 3, "hr_prompt": "x", "denoising_strength": 0}"#).jobs().first)
    #expect(plain.settings.hires == nil)
  }

  @Test func `with the size of a first pass, the request's own is that of the second`() throws {
    func job(_ fields: String) throws -> ImageSettings {
      try #require(
        try request(#"{"enable_hr": true, "denoising_strength": 0.5, "width": 1024, "height": 640, \#(fields)}"#).jobs()
          .first
      ).settings
    }
    let given = try job(#""firstphase_width": 512, "firstphase_height": 320"#)
    #expect((given.width, given.height, given.finalWidth, given.finalHeight) == (512, 320, 1024, 640))
    let open = try job(#""firstphase_width": 512"#)
    // About 512x512 pixels with the image's aspect ratio, in multiples of 64.
    #expect((open.width, open.height, open.finalWidth, open.finalHeight) == (512, 448, 1024, 640))
  }

  @Test(arguments: [
    (#"{"enable_hr": true}"#, "denoising_strength: found no value, expected a number from 0 to 1"),
    (#"{"enable_hr": true, "denoising_strength": 2}"#, "denoising_strength: found"),
    (#"{"enable_hr": true, "denoising_strength": 0.5, "hr_upscaler": "ldsr"}"#, "hr_upscaler: found"),
    (#"{"enable_hr": true, "denoising_strength": 0.5, "hr_checkpoint_name": "other"}"#, "hr_checkpoint_name: found"),
    (#"{"firstphase_width": 512}"#, "firstphase_width: found"),
  ])
  func `a second pass that cannot be made is rejected with its field's name`(body: String, error: String) {
    let errors = request(body).errors()
    #expect(errors.count == 1 && errors[0].contains("error: \(error)"), "\(errors)")
  }

  @Test func `a folder's files are read in order of name, and their errors are reported together`() throws {
    let folder = try TemporaryFolder(["notes.txt", ".hidden.json"])
    try folder.write("b.json", #"{"prompt": "b", "n_iter": 2}"#)
    try folder.write("a.jsonl", "{\"prompt\": \"a1\"}\n{\"input\": {\"prompt\": \"a2\"}}\n")
    let reader = RecipeReader(environment: PlanningEnvironment())
    let recipe = try reader.read(path: folder.path)
    var seeds = SeedDraws()
    let jobs = Array(try Plan(recipe: recipe, environment: PlanningEnvironment(), seeds: &seeds).jobs)
    #expect(jobs.map(\.settings.prompt) == ["a1", "a2", "b", "b"])
    #expect(
      jobs.map { $0.axes.map(\.title) } == [
        ["a.jsonl line 1", "0"], ["a.jsonl line 2", "0"], ["b.json", "0"], ["b.json", "1"],
      ])
    #expect(recipe.output == "Output/" + (folder.path.split(separator: "/").last ?? ""))
    try folder.write("c.json", #"{"steps": 0}"#)
    try folder.write("d.json", "{")
    try folder.write("e.json", #"{"prompt": "a", "model": "demo"}"#)
    let errors = #expect(throws: RecipeErrors.self) { _ = try reader.read(path: folder.path) }
    #expect(
      errors?.diagnostics.map { $0.position.description.dropFirst(folder.path.count) } == [
        "/c.json:1:11", "/d.json:1:2", "/e.json:1:1",
      ], "\(String(describing: errors))")
  }

  @Test func `an id may be given only once`() {
    let errors = request("{\"id\": \"a\", \"seed\": 1}\n{\"id\": \"a\", \"seed\": 2}", path: "a.jsonl").errors()
    #expect(
      errors == ["a.jsonl:2:1: error: found the id a a second time, expected it once; the first is at a.jsonl:1:1"]
    )
  }
}
