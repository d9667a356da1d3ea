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
