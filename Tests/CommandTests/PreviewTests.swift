import Foundation
import Imaging
import JSON
import Testing
import TestSupport

/// `--preview-every`: the unfinished image, for people who watch.
@Suite struct PreviewTests {
  private static func recipe(_ sampler: String, steps: Int) -> String {
    """
    model: model.safetensors
    prompt: a small boat
    width: 64
    height: 72
    steps: \(steps)
    sampler_name: \(sampler)
    seed: 3
    output: run

    """
  }

  @Test(arguments: ["Euler a", "DDIM"])
  func `a run shows what it makes, a whole image at any time, and removes it at its end`(sampler: String)
    async throws
  {
    let space = try Workspace(recipe: Self.recipe(sampler, steps: 140))
    let child = try space.start("recipe.yaml", "--preview-every", "2", "--quiet")
    try child.wait { space.exists("run/preview.png") }
    let preview = try PNGFile(decoding: [UInt8](try space.data("run/preview.png"))).image
    #expect(preview.width == 64 && preview.height == 72)
    child.kill(SIGTERM)
    #expect(try await child.wait() == .exited(75))
    #expect(!space.exists("run/preview.png"))
  }

  @Test func `images are the same with and without`() async throws {
    let space = try Workspace(recipe: Self.recipe("DPM++ 2M", steps: 3))
    try await space.run("recipe.yaml")
    try await space.run("recipe.yaml", "--output", "shown", "--preview-every", "1")
    #expect(try space.images() == space.images("shown"))
  }

  @Test func `previews need a TAESD`() async throws {
    let space = try Workspace(recipe: Self.recipe("Euler", steps: 2))
    let whole = try await space.run(
      "recipe.yaml", "--preview-every", "1", "--preview-vae", "model.safetensors", exits: 10)
    #expect(whole.errors.contains("this is a whole VAE, too slow for previews"))
    let absent = try await space.run("recipe.yaml", "--preview-every", "1", "--preview-vae", "absent", exits: 10)
    #expect(absent.errors.contains("--preview-vae: found \"absent\", expected a file or folder"))
    try await space.run("recipe.yaml", "--preview-every", "0", exits: 64)
    try await space.run("recipe.yaml", "--preview-vae", "taesd_decoder", exits: 64)
    #expect(!space.exists("run"))
  }
}

extension PreviewTests {
  /// A recipe for a checkpoint with a transformer, which takes long enough to look at.
  private static func recipe(_ checkpoint: FamilyCheckpoint, vae: String, steps: Int) -> String {
    """
    model: \(checkpoint.file)
    vae: \(vae)
    prompt: a small boat
    width: 64
    height: 48
    steps: \(steps)
    sampler_name: Euler
    cfg_scale: 1
    seed: 3
    precision: fp32
    output: run

    """
  }

  @Test(arguments: FamilyCheckpoint.allCases)
  func `the TAESD of the model's family is found where ComfyUI and the webui keep it`(checkpoint: FamilyCheckpoint)
    async throws
  {
    let space = try Workspace(recipe: Self.recipe(checkpoint, vae: checkpoint.vae, steps: 2000))
    try checkpoint.write(to: space.path)
    let models = ["SDBATCH_MODELS": ""]
    let end = checkpoint == .klein ? "" : "/diffusion_pytorch_model.safetensors"
    let folder =
      switch checkpoint {
      case .klein: "models/vae_approx"
      case .sd3: "models/VAE-taesd"
      case .zimage, .flux1: "models"
      }
    try space.makeFolder(folder)
    try FileManager.default.copyItem(
      atPath: checkpoint.tinyDecoder + end,
      toPath: "\(space.path)/\(folder)/\(checkpoint.tinyDecoderName)_decoder.safetensors")
    let child = try space.start("recipe.yaml", "--preview-every", "1", environment: models)
    try child.wait { space.exists("run/preview.png") }
    let preview = try PNGFile(decoding: [UInt8](try space.data("run/preview.png"))).image
    #expect(preview.width == 64 && preview.height == 48)
    child.kill(SIGTERM)
    #expect(try await child.wait() == .exited(75))
    #expect(!space.exists("run/preview.png") && !child.errors.contains("no previews"))
  }

  @Test func `without the family's TAESD a run says so once, and goes on`() async throws {
    let space = try Workspace(
      recipe: Self.recipe(.zimage, vae: "taef1-folder", steps: 2).replacingOccurrences(
        of: "seed: 3", with: "grid: {seed: [3, 4]}"))
    try FamilyCheckpoint.zimage.write(to: space.path)
    try FileManager.default.copyItem(atPath: RandomModels.path("taef1"), toPath: space.path + "/taef1-folder")
    let child = try await space.run("recipe.yaml", "--preview-every", "1", environment: ["SDBATCH_MODELS": ""])
    let note = "note: no previews of Z-Image"
    #expect(child.errors.components(separatedBy: note).count == 2, "\(child.errors)")
    #expect(child.errors.contains("found no taef1_decoder.safetensors or .pth in \(space.path)"))
    #expect(try space.images().count == 2)
    // The other rules for a job's TAESD are those of Stable Diffusion.
    let infotext = try #require(space.manifestJobs().first?["infotext"]?.text)
    #expect(infotext.contains("VAE: taef1-folder, ") && infotext.contains("VAE Decoder: TAESD"))
    let file = try #require(space.images().keys.sorted().first)
    let again = try await space.run("reproduce", "run/images/\(file)", environment: ["SDBATCH_MODELS": ""])
    #expect(again.output.contains("same"))
  }
}
