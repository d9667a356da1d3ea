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
}
