import Foundation
import Recipes
import Settings
import Testing
import TestSupport

@Suite struct ModelLocatorTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder([
      "recipes/a.safetensors", "recipes/models/a.safetensors", "recipes/models/b.safetensors",
      "recipes/models/sd/unet/config.json",
      "one/b.safetensors", "one/c.ckpt", "two/c.ckpt", "two/d.safetensors", "home/e.safetensors",
    ])
  }

  private func locator() -> ModelLocator {
    let variables = ["SDBATCH_MODELS": "\(folder.path)/one:\(folder.path)/two/", "HOME": folder.path + "/home"]
    return ModelLocator(
      recipePath: folder.path + "/recipes/fish.yaml",
      environment: PlanningEnvironment(variables: variables, demoWidth: 64, demoHeight: 64))
  }

  @Test(arguments: [
    ("a.safetensors", "recipes/a.safetensors"), ("a", "recipes/a.safetensors"), ("b", "recipes/models/b.safetensors"),
    ("models/b", "recipes/models/b.safetensors"), ("sd", "recipes/models/sd"), ("c.ckpt", "one/c.ckpt"),
    ("d", "two/d.safetensors"), ("../two/d", "two/d.safetensors"), ("~/e", "home/e.safetensors"),
  ])
  func `a name is found next to the recipe, then in its models folder, then in those of the environment`(
    _ name: String, _ path: String
  ) {
    #expect(locator().path(of: name) == folder.path + "/" + path)
  }

  @Test func `a TAESD is found where models are, beside a checkpoint, and where ComfyUI and the webui keep it`() throws
  {
    let folder = try TemporaryFolder([
      "recipes/x", "one/vae_approx/taef2_decoder.pth", "one/taesd/taesd_decoder.pth",
      "ui/Stable-diffusion/sd/m.safetensors",
      "ui/Stable-diffusion/sd/taesdxl_decoder.safetensors", "ui/Stable-diffusion/VAE-taesd/taesd3_decoder.pth",
      "one/taef1/config.json", "one/taef1/diffusion_pytorch_model.safetensors", "one/empty/x",
    ])
    let locator = ModelLocator(
      recipePath: folder.path + "/recipes/fish.yaml",
      environment: PlanningEnvironment(
        variables: ["SDBATCH_MODELS": folder.path + "/one"], demoWidth: 64, demoHeight: 64))
    func found(_ name: String) -> String? {
      locator.tinyDecoder(name, forModelAt: folder.path + "/ui/Stable-diffusion/sd/m.safetensors").map {
        String($0.dropFirst(folder.path.count + 1))
      }
    }
    #expect(found("taef2") == "one/vae_approx/taef2_decoder.pth")
    #expect(found("taesdxl") == "ui/Stable-diffusion/sd/taesdxl_decoder.safetensors")
    #expect(found("taesd3") == "ui/Stable-diffusion/VAE-taesd/taesd3_decoder.pth")
    #expect(found("taef1") == "one/taef1")
    // In a folder of its own, as a model; the folder is no network.
    #expect(found("taesd") == "one/taesd/taesd_decoder.pth")
    #expect(found("empty") == nil && found("absent") == nil)
    let folders = locator.tinyDecoderFolders(forModelAt: folder.path + "/ui/Stable-diffusion/sd/m.safetensors")
    #expect(
      folders.map { String($0.dropFirst(folder.path.count + 1)) } == [
        "recipes", "one", "one/vae_approx", "ui/Stable-diffusion/sd", "ui/Stable-diffusion",
        "ui/Stable-diffusion/VAE-taesd",
      ])
  }

  @Test func `an absolute path is taken as it is`() {
    #expect(locator().path(of: folder.path + "/two/d") == folder.path + "/two/d.safetensors")
    #expect(locator().path(of: "/two/d") == nil)
    #expect(locator().path(of: "") == nil)
  }

  @Test func `a missing model is an error that lists the folders and the nearest file`() throws {
    var text = RecipeText("grid:\n  model: demo, a, bb.safetensors\nvae: x")
    text.path = folder.path + "/recipes/fish.yaml"
    text.environment.modelFolders = [folder.path + "/one"]
    let recipes = folder.path + "/recipes"
    #expect(
      text.errors() == [
        "\(text.path):2:10: error: model: found \"bb.safetensors\", expected a file or folder, but there is none in "
          + "\(recipes), \(recipes)/models or \(folder.path)/one (did you mean \"b.safetensors\"?)",
        "\(text.path):3:6: error: vae: found \"x\", expected a file or folder, but there is none in "
          + "\(recipes), \(recipes)/models or \(folder.path)/one",
      ])
  }

  @Test func `jobs hold the name and the absolute path, axes hold the file's name`() throws {
    var text = RecipeText("grid: {model: [demo, models/b.safetensors], vae: [none, a]}")
    text.path = folder.path + "/recipes/fish.yaml"
    let jobs = try text.jobs()
    #expect(jobs.map(\.axes[0].title) == ["demo", "demo", "b", "b"])
    #expect(jobs.map(\.axes[1].title) == ["none", "a", "none", "a"])
    #expect(jobs[0].settings.model == .demo)
    let path = folder.path + "/recipes/models/b.safetensors"
    #expect(jobs[2].settings.model == ModelReference(name: "models/b.safetensors", path: path))
    #expect(jobs.map { $0.settings.vae?.path != nil } == [false, true, false, true])
    text.text += "\nexclude: [{model: b.safetensors, vae: a}, {vae: none}]"
    #expect(try text.jobs().map { $0.axes.map(\.title) } == [["demo", "a"]])
  }

  @Test func `a recipe read from a file finds models in its own folder`() throws {
    let file = folder.path + "/recipes/deep.fish.yaml"
    try Data("model: a".utf8).write(to: URL(fileURLWithPath: file))
    let recipe = try RecipeReader(environment: PlanningEnvironment()).read(path: file)
    #expect(recipe.output == "Output/deep.fish")
    #expect(recipe.path == file)
  }

  // MARK: Names from elsewhere

  /// Two folders of models, as the webui and people arrange them. The hashes are given, so that no file has to be large.
  private func shelf() throws -> (folder: TemporaryFolder, locator: ModelLocator, environment: PlanningEnvironment) {
    let folder = try TemporaryFolder([
      "recipes/own.safetensors", "recipes/deep/hidden.safetensors", "one/Stable-diffusion/sd15/Realistic.safetensors",
      "one/Stable-diffusion/anime.ckpt", "one/Stable-diffusion/twin.safetensors", "one/VAE/twin.safetensors",
      "one/VAE/ema.vae.pt", "one/Lora/style.safetensors", "one/embeddings/tag.pt", "one/ESRGAN/4x.pth",
      "one/Stable-diffusion/a/same.safetensors", "one/Stable-diffusion/b/same.safetensors", "two/x/anime.ckpt",
      "two/folder/model_index.json", "two/folder/unet/diffusion.safetensors", "two/Case.safetensors",
      "one/x/case.safetensors", "two/cafe0123.safetensors", "one/copy.safetensors", "two/copy2.safetensors",
    ])
    var environment = PlanningEnvironment(modelFolders: [folder("one"), folder("two")])
    let path = folder.path
    environment.hashes = { file in
      let name = String(file.dropFirst(path.utf8.count + 1))
      let known = [
        "one/Stable-diffusion/anime.ckpt": ("11111111", "aaaaaaaaaa00"),
        "two/x/anime.ckpt": ("22222222", "bbbbbbbbbb00"),
        "one/copy.safetensors": ("33333333", "cccccccccc00"), "two/copy2.safetensors": ("33333333", "cccccccccc00"),
        "one/Stable-diffusion/sd15/Realistic.safetensors": ("deadbeef", "dddddddddd00"),
      ]
      guard let (old, start) = known[name] else { return ModelHashes(old: nil, sha256: { nil }) }
      return ModelHashes(old: old, sha256: { start + String(repeating: "0", count: 64 - start.utf8.count) })
    }
    return (folder, ModelLocator(recipePath: folder("recipes/fish.yaml"), environment: environment), environment)
  }

  @Test(arguments: [
    // The file's name without its folder, with or without the extension.
    ("Realistic.safetensors", "one/Stable-diffusion/sd15/Realistic.safetensors"),
    ("Realistic", "one/Stable-diffusion/sd15/Realistic.safetensors"),
    ("sd15/Realistic", "one/Stable-diffusion/sd15/Realistic.safetensors"), ("folder", "two/folder"),
    ("ema.vae.pt", "one/VAE/ema.vae.pt"), ("anime", "one/Stable-diffusion/anime.ckpt"),
    // Separators and whole paths of Windows.
    ("sd15\\Realistic.safetensors", "one/Stable-diffusion/sd15/Realistic.safetensors"),
    ("Stable-diffusion\\anime.ckpt", "one/Stable-diffusion/anime.ckpt"),
    ("C:\\webui\\models\\Stable-diffusion\\Realistic.safetensors", "one/Stable-diffusion/sd15/Realistic.safetensors"),
    // Letter case, if it decides nothing.
    ("realistic", "one/Stable-diffusion/sd15/Realistic.safetensors"), ("OWN.SAFETENSORS", "recipes/own.safetensors"),
    // Titles of the webui, and hashes alone.
    ("anime.ckpt [aaaaaaaaaa]", "one/Stable-diffusion/anime.ckpt"), ("anime [bbbbbbbbbb]", "two/x/anime.ckpt"),
    ("anime.ckpt [22222222]", "two/x/anime.ckpt"),
    ("sd15\\Realistic [DDDDDDDDDD]", "one/Stable-diffusion/sd15/Realistic.safetensors"),
    ("renamed.safetensors [dddddddddd]", "one/Stable-diffusion/sd15/Realistic.safetensors"),
    ("dddddddddd", "one/Stable-diffusion/sd15/Realistic.safetensors"),
    ("DEADBEEF", "one/Stable-diffusion/sd15/Realistic.safetensors"),
    ("dddddddddd00" + String(repeating: "0", count: 52), "one/Stable-diffusion/sd15/Realistic.safetensors"),
    // A file that is called like a hash is that file; copies of a file are one model.
    ("cafe0123", "two/cafe0123.safetensors"), ("cccccccccc", "one/copy.safetensors"),
  ])
  func `a model is found by what the webui calls it`(name: String, path: String) throws {
    let (folder, locator, _) = try shelf()
    #expect(locator.find(name) == .found(folder(path)))
    #expect(locator.path(of: name) == folder(path))
  }

  @Test func `several files are not decided, except by a folder for VAEs`() throws {
    let (folder, locator, _) = try shelf()
    let same = ["a", "b"].map { folder("one/Stable-diffusion/\($0)/same.safetensors") }
    #expect(locator.find("same") == .several(same))
    #expect(locator.find("b/same") == .found(same[1]))
    #expect(locator.find("CASE") == .several([folder("one/x/case.safetensors"), folder("two/Case.safetensors")]))
    // As written, the nearest folder counts.
    #expect(locator.find("Case") == .found(folder("two/Case.safetensors")))
    #expect(locator.find("twin") == .found(folder("one/Stable-diffusion/twin.safetensors")))
    #expect(locator.find("twin", asVAE: true) == .found(folder("one/VAE/twin.safetensors")))
    // The old hash of a file and its copy is the same.
    #expect(locator.find("33333333") == .several([folder("one/copy.safetensors"), folder("two/copy2.safetensors")]))
  }

  @Test(arguments: [
    "style", "tag", "4x", "hidden", "unet/diffusion", "diffusion", "eeeeeeeeee", "", "[aaaaaaaaaa", "../one/x/Anime",
    "/anime",
  ])
  func `other kinds of files, and what is below the recipe's folder, are not found`(name: String) throws {
    #expect(try shelf().locator.find(name) == .nothing)
  }

  @Test func `a title with another hash is an error`() throws {
    let (folder, locator, _) = try shelf()
    #expect(
      locator.find("Realistic [eeeeeeeeee]")
        == .otherHash(path: folder("one/Stable-diffusion/sd15/Realistic.safetensors")))
    #expect(locator.find("none [eeeeeeeeee]") == .nothing)
  }

  @Test func `a recipe says what is wrong with a name, and keeps the file's name of one that is found`() throws {
    let (folder, _, environment) = try shelf()
    var text = RecipeText("grid:\n  model: [same, 'realistic [eeeeeeeeee]', reelistic]")
    text.path = folder("recipes/fish.yaml")
    text.environment = environment
    let errors = text.errors()
    #expect(errors.count == 3)
    #expect(errors[0].contains("which may be any of 2 files") && errors[0].contains("b/same.safetensors"))
    #expect(errors[1].contains("has another hash"))
    #expect(errors[2].contains("did you mean \"Realistic\"?"))
    text.text = "model: deadbeef\nvae: twin"
    let settings = try #require(try text.jobs().first?.settings)
    #expect(settings.model.name == "Realistic.safetensors")
    #expect(settings.vae?.path == folder("one/VAE/twin.safetensors"))
  }
}
