import Foundation
import Imaging
import JSON
import Testing
import TestSupport

/// `sdbatch reproduce`: images made again from their own text.
@Suite struct ReproduceTests {
  /// Every sampler, and every setting of samplers, schedules, noise, prompts and guidance, some in each.
  static let mixed = """
    model: model.safetensors
    prompt: "a (small:1.2) boat,\\n  [the star], in [red:blue:0.5] and [green|blue]"
    negative_prompt: "noise, (blurry:0.8)"
    width: 64
    height: 64
    steps: 4
    output: run
    grid:
      cell:
        - {sampler_name: DPM++ 2M, scheduler: align_your_steps, sgm_noise_multiplier: true}
        - {sampler_name: DPM++ SDE, s_noise: 1.01, eta: 0.7, rng: cpu}
        - {sampler_name: DPM++ 2M SDE, scheduler: karras, rho: 5, sigma_min: 0.1, sigma_max: 12}
        - {sampler_name: DPM++ 2M SDE Heun, scheduler: beta, beta_dist_alpha: 0.5, beta_dist_beta: 0.7}
        - {sampler_name: DPM++ 2S a Karras, eta_noise_seed_delta: 31337}
        - {sampler_name: DPM++ 3M SDE, subseed: 9, subseed_strength: 0.3}
        - {sampler_name: Euler a, eta: 0.5, seed_resize_from_w: 48, seed_resize_from_h: 96, clip_skip: 2}
        - {sampler_name: Euler, s_churn: 3, s_tmin: 0.2, s_tmax: 9, s_noise: 1.02, seed: 9223372036854775807}
        - {sampler_name: LMS, always_discard_next_to_last_sigma: true, emphasis: No norm}
        - {sampler_name: Heun, scheduler: sgm_uniform, use_old_scheduling: true, prompt: "a [red:blue:1.0] boat"}
        - {sampler_name: DPM2, scheduler: polyexponential, rho: 2, sd_noise_schedule: Zero Terminal SNR}
        - {sampler_name: DPM2 a, scheduler: exponential, use_old_karras_scheduler_sigmas: true}
        - {sampler_name: DPM fast, s_noise: 0.9, use_downcasted_alpha_bar: true}
        - {sampler_name: DPM adaptive, eta: 0}
        - {sampler_name: Restart, steps: 20, eta_noise_seed_delta: -3}
        - {sampler_name: DDIM, eta_ddim: 0.4, prediction_type: v_prediction}
        - {sampler_name: DDIM CFG++, prompt: "a boat:0.6 AND a fish:0.7", cfg_scale: 1}
        - {sampler_name: PLMS, s_min_uncond: 900, s_min_uncond_all: true}
        - {sampler_name: UniPC, uni_pc_variant: bh2, uni_pc_order: 2, uni_pc_skip_type: logSNR, skip_early_cond: 0.3}
        - {sampler_name: LCM, scheduler: simple, cfg_scale: 1.5, negative_prompt: "Negative prompt: x\\n#y", enable_prompt_comments: false}
        - {sampler_name: Euler, scheduler: kl_optimal, vae: model.safetensors, emphasis: None, s_min_uncond: 3}
        - {sampler_name: Euler, scheduler: ddim, prompt: "", precision: fp32, rng: cpu, seed: 0}
    """

  @Test func `every image of a mixed grid is made again, bit for bit`() async throws {
    let space = try Workspace(recipe: Self.mixed)
    try await space.run("recipe.yaml")
    let jobs = try space.manifestJobs()
    #expect(jobs.count == 22 && Set(jobs.compactMap { $0["pixels_sha256"]?.text }).count == 22)
    for job in jobs {
      let file = try #require(job["file"]?.text)
      let child = try await space.run("reproduce", "run/" + file)
      #expect(child.output.hasPrefix("run/\(file): equal: all "), "\(child.output)")
      #expect(child.errors.isEmpty, "\(child.errors)")
    }
    #expect(try space.manifestJobs() == jobs)
  }

  @Test func `an image that a refiner finished is made again, and names it`() async throws {
    let space = try Workspace(
      recipe: """
        model: sdxl.safetensors
        refiner_checkpoint: refiner.safetensors
        prompt: a small boat
        width: 64
        height: 64
        steps: 5
        output: run
        grid: {Refiner switch at: [0.4, 0.8], Refiner checkpoint: [none, refiner.safetensors]}
        """)
    let models = ["SDBATCH_MODELS": RandomModels.folder]
    try await space.run("recipe.yaml", environment: models)
    let jobs = try space.manifestJobs()
    // Without a refiner, the switch time has no effect.
    #expect(jobs.count == 4 && Set(jobs.compactMap { $0["pixels_sha256"]?.text }).count == 3)
    #expect(jobs[0]["id"] == jobs[2]["id"])
    #expect(
      jobs[1]["axes"]?.elements?.compactMap { $0["name"]?.text } == ["refiner_switch_at", "refiner_checkpoint"])
    let hash = digest(try RandomModels.data("refiner.safetensors"))
    for (job, text) in [(jobs[1], "0.4"), (jobs[3], "0.8")] {
      #expect(
        job["infotext"]?.text?.contains(", Refiner: refiner [\(hash.prefix(10))], Refiner switch at: \(text), ") == true
      )
      let file = "run/" + (try #require(job["file"]?.text))
      let again = try await space.run("reproduce", file, environment: models)
      #expect(again.output.contains(": equal: all "), "\(again.output)\(again.errors)")
    }
    let found = try space.manifest()["models"]?.elements?.compactMap { $0["family"]?.text }
    #expect(found == ["sdxl", "sdxl-refiner"])
    let file = "run/" + (try #require(jobs[1]["file"]?.text))
    let other = try await space.run(
      "reproduce", file, "--set", "refiner_switch_at=0.8", environment: models, exits: 3)
    #expect(other.output.contains("different: "))
  }

  @Test func `an image that was enlarged between its passes is made again, and names what enlarged it`() async throws {
    let space = try Workspace(
      recipe: """
        model: model.safetensors
        prompt: a small boat
        width: 64
        height: 64
        steps: 3
        enable_hr: true
        hr_scale: 1.3
        denoising_strength: 0.5
        output: run
        grid: {hr_upscaler: [None, lanczos, Nearest, compact, R-ESRGAN 4x+, Latent]}
        """)
    try space.makeFolder("models/upscalers")
    for (file, name) in [("compact.pth", "compact.pth"), ("realesrgan.pth", "RealESRGAN_x4plus.pth")] {
      try space.write(try Fixtures.data("Upscalers/" + file), to: "models/upscalers/" + name)
    }
    try await space.run("recipe.yaml")
    let jobs = try space.manifestJobs()
    #expect(jobs.count == 6 && Set(jobs.compactMap { $0["pixels_sha256"]?.text }).count == 6)
    let names = ["None", "Lanczos", "Nearest", "compact", "R-ESRGAN 4x+", "Latent"]
    for (job, name) in zip(jobs, names) {
      #expect(job["infotext"]?.text?.contains(", Hires upscale: 1.3, Hires upscaler: \(name), ") == true)
      #expect(job["info"]?["extra_generation_params"]?["Hires upscaler"]?.text == name)
      let file = "run/" + (try #require(job["file"]?.text))
      let again = try await space.run("reproduce", file)
      #expect(again.output.contains(": equal: all "), "\(again.output)\(again.errors)")
    }
    let models = try #require(try space.manifest()["models"]?.elements).filter { $0["family"] == "upscaler" }
    #expect(models.compactMap { $0["name"]?.text } == ["compact", "RealESRGAN_x4plus"])
    #expect(models[0]["sha256"]?.text == digest(try Fixtures.data("Upscalers/compact.pth")))
    // The same recipe with another file of the same name makes another image, and only that one.
    try space.write(try Fixtures.data("Upscalers/numbered.pth"), to: "models/upscalers/compact.pth")
    let second = try await space.run("recipe.yaml", "--json")
    #expect(second.output.contains(#""images_made":1"#), "\(second.output)")
    try FileManager.default.removeItem(atPath: space.path + "/models/upscalers/compact.pth")
    let lost = try await space.run("recipe.yaml", exits: 10)
    #expect(
      lost.errors.contains(#"hr_upscaler: found "compact", expected Latent, "#)
        && lost.errors.contains("of which there are only RealESRGAN_x4plus in "), "\(lost.errors)")
  }

  @Test func `an image whose second pass had another checkpoint and a refiner is made again`() async throws {
    let space = try Workspace(
      recipe: """
        model: sd2.safetensors
        refiner_checkpoint: lcm
        refiner_switch_at: 0.6
        prompt: a small boat
        width: 64
        height: 64
        steps: 4
        enable_hr: true
        hr_scale: 1.25
        output: run
        grid:
          hr_checkpoint_name: [Use same checkpoint, sd2]
          hires_fix_refiner_pass: [first pass, second pass, both passes]
        """)
    let models = ["SDBATCH_MODELS": RandomModels.folder]
    try await space.run("recipe.yaml", environment: models)
    let jobs = try space.manifestJobs()
    #expect(jobs.count == 6 && Set(jobs.compactMap { $0["pixels_sha256"]?.text }).count == 6)
    for job in jobs {
      let file = "run/" + (try #require(job["file"]?.text))
      let again = try await space.run("reproduce", file, environment: models)
      #expect(again.output.contains(": equal: all "), "\(again.output)\(again.errors)")
    }
    let names = jobs.map { $0["parameters"]?["hr_checkpoint_name"]?.text }
    #expect(names == [nil, nil, nil, "sd2", "sd2", "sd2"])
    #expect(jobs[4]["infotext"]?.text?.contains(", Hires checkpoint: sd2 [") == true)
  }

  @Test func `an image that was changed, or a setting that is, makes a difference`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml", "--set", "seed=1")
    let file = "run/images/" + (try #require(space.images().keys.first))
    var png = try PNGFile(decoding: [UInt8](space.data(file)))
    png.image.pixels[100] ^= 5
    try space.write(Data(try png.encoded()), to: "changed.png")
    let changed = try await space.run("reproduce", "changed.png", "--threads", "1", exits: 3)
    #expect(changed.output.contains("changed.png: different: 1 of 12288 values (0.01 %), by at most "))
    let json = try JSONValue(parsing: try await space.run("reproduce", "changed.png", "--json", exits: 3).output)
    #expect(json["equal"] == false && json["different"] == 1 && json["values"] == 12288)
    #expect(json["model"]?["sha256"]?.text == digest(try RandomModels.data("model.safetensors")))

    let other = try await space.run("reproduce", file, "--set", "seed=2", exits: 3)
    #expect(other.output.contains("different: "))
    let size = try await space.run("reproduce", file, "--set", "width=72", exits: 3)
    #expect(size.output.contains("the image is 64x64, its settings make 72x64"))
    #expect(try await space.run("reproduce", file, "--set", "width=70", exits: 10).errors.contains("a multiple of 8"))
    let several = try await space.run("reproduce", file, "--set", "grid={seed: [1, 2]}", exits: 10)
    #expect(several.errors.contains("2 images"))
  }

  @Test func `a difference is explained by the instruction set of the run`() async throws {
    let space = try Workspace()
    let portable = ["SDBATCH_ISA": "portable"]
    try await space.run("recipe.yaml", "--set", "seed=1", environment: portable)
    let file = "run/images/" + (try #require(space.images().keys.first))
    #expect(try await space.run("reproduce", file, environment: portable).output.contains("(portable, fp32)"))
    let child = try space.start("reproduce", file)
    let end = try await child.wait()
    // A machine may have only the portable kernels.
    if child.output.contains("different") {
      #expect(end == .exited(3) && child.errors.contains("its run computed on portable"))
    } else {
      #expect(end == .exited(0) && child.errors.isEmpty)
    }
  }

  @Test func `the model is found by the manifest, by its name, or by its hash under another name`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml", "--set", "seed=1")
    let file = "run/images/" + (try #require(space.images().keys.first))
    try space.write(try space.data(file), to: "moved.png")
    let nowhere = ["SDBATCH_MODELS": ""]
    // The manifest knows the path; the file alone knows only name and hash.
    try await space.run("reproduce", file, environment: nowhere)
    let missing = try await space.run("reproduce", "moved.png", environment: nowhere, exits: 10)
    let hash = digest(try RandomModels.data("model.safetensors")).prefix(10)
    #expect(missing.errors.contains("\"model\" [\(hash)]") && missing.errors.contains("\(space.path)/models"))
    #expect(missing.errors.contains("--model"))
    try await space.run("reproduce", "moved.png")
    try await space.run(
      "reproduce", "moved.png", "--model", RandomModels.path("model.safetensors"), environment: nowhere)

    try space.makeFolder("models")
    try space.write(try RandomModels.data("model.safetensors"), to: "models/renamed.safetensors")
    try space.write(try RandomModels.data("merges.txt"), to: "models/merges.txt")
    try await space.run("reproduce", "moved.png", environment: nowhere)
    // Another model with the right name is skipped, and reported if there is no better one.
    try space.write("no model", to: "model.safetensors")
    try await space.run("reproduce", "moved.png", environment: nowhere)
    try FileManager.default.removeItem(atPath: space.path + "/models")
    #expect(
      try await space.run("reproduce", "moved.png", environment: nowhere, exits: 10).errors
        .contains("\(space.path)/model.safetensors"))
    // The same network except for the last bit of a weight.
    var bytes = try RandomModels.data("model.safetensors")
    bytes[bytes.count - 2] ^= 1
    try space.write(bytes, to: "other.safetensors")
    let unread = try await space.run("reproduce", "moved.png", "--model", "other.safetensors", exits: 10)
    #expect(unread.errors.contains("other.safetensors: no CLIP vocabulary found"))
    try space.write(try RandomModels.data("merges.txt"), to: "merges.txt")
    let other = try await space.run("reproduce", "moved.png", "--model", "other.safetensors", exits: 10)
    #expect(other.errors.contains("other.safetensors, whose hash is \(digest(bytes).prefix(10))"))
    let none = try await space.run("reproduce", "moved.png", "--model", "nothing", exits: 10)
    #expect(none.errors.contains("--model: found \"nothing\", expected a file or folder"))
  }

  @Test func `an image whose text does not suffice is refused with the reasons`() async throws {
    let space = try Workspace()
    func png(_ text: String, to name: String) throws {
      let image = RGBImage(width: 8, height: 8, pixels: [UInt8](repeating: 0, count: 192))
      try space.write(
        Data(try PNGFile(image: image, texts: [PNGText(keyword: "parameters", text: text)]).encoded()), to: name)
    }
    try png(
      "a\nSteps: 2, Sampler: Euler, CFG scale: 7, Size: 8x8, Model: model, Hires upscale: 2, Hires upscaler: LDSR, Version: v1.10.1",
      to: "a.png")
    let errors = try await space.run("reproduce", "a.png", exits: 10).errors
    #expect(
      errors.contains("Seed: is missing") && errors.contains("Hires upscaler: found \"LDSR\""))
    try png("a\nSteps: 0, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 8x12, Model: model", to: "b.png")
    let values = try await space.run("reproduce", "b.png", exits: 10).errors
    #expect(
      values.contains("Steps: found \"0\", expected a whole number from 1") && values.contains("Size: found \"8x12\"")
    )
    try png("a (b:1.1.1)\nSteps: 1, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 8x8, Model: model", to: "c.png")
    #expect(try await space.run("reproduce", "c.png", exits: 10).errors.contains("could not be made again"))
    try png("a\nSteps: 1, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 8x8, Model: model, Foo Bar: 3", to: "d.png")
    #expect(try await space.run("reproduce", "d.png", exits: 3).errors.contains("unknown: Foo Bar: "))
  }

  @Test func `a webui image that PyTorch made is the same except for rounding`() async throws {
    let space = try Workspace()
    let image = try PNGFile(decoding: [UInt8](Fixtures.data("Engine/images/01.png"))).image
    let hash = digest(try RandomModels.data("model.safetensors")).prefix(10)
    let text = """
      a small boat on a (calm:1.3) lake, [the star] BREAK a painting of a house
      Negative prompt: noise, blurry
      Steps: 6, Sampler: Euler a, CFG scale: 7, Seed: 1234, Size: 64x64, Model hash: \(hash), Model: model, Version: v1.8.0
      """
    try space.write(
      Data(try PNGFile(image: image, texts: [PNGText(keyword: "parameters", text: text)]).encoded()), to: "webui.png")
    let child = try space.start("reproduce", "webui.png", "--json")
    let end = try await child.wait()
    let json = try JSONValue(parsing: child.output)
    #expect(end == .exited(json["equal"] == true ? 0 : 3))
    #expect(json["largest"]?.integerValue ?? 255 <= 1 && json["share"]?.numberValue ?? 1 < 0.1, "\(child.output)")
  }
}
