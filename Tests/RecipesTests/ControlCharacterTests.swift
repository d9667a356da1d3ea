import Recipes
import Settings
import Testing
import TestSupport

/// Control characters in recipes and styles.
@Suite struct ControlCharacterTests {
  @Test func `a NUL in any text of a recipe is refused with its position`() {
    let errors = RecipeText("prompt: \"a\\0b\"\ngrid:\n  cfg_scale: [1, \"2\\x00\"]\n").errors()
    #expect(errors.count >= 2)
    #expect(errors[0].hasPrefix("fish.yaml:1:9: error: found a NUL character"), "\(errors)")
    #expect(errors.contains { $0.hasPrefix("fish.yaml:3:18: error: found a NUL character") }, "\(errors)")
    #expect(errors.allSatisfy { !$0.utf8.contains(0) })
  }

  @Test func `other control characters are dropped from a recipe and from --set`() throws {
    let recipe =
      "prompt: \"a \\x1b]0;x\\x07 b\\tc\"\n"
      + "grid:\n  \"na\\x1bme\":\n  - {title: \"t\\x1b[31m\", cfg_scale: 3}\n"
    let job = try #require(try RecipeText(recipe).jobs().first)
    #expect(job.settings.prompt == "a ]0;x b\tc")
    #expect(job.axes.map(\.name) == ["name"] && job.axes.map(\.title) == ["t[31m"])
    #expect(try RecipeText("prompt: x", set: ["prompt=a \u{1B}[1mb"]).jobs()[0].settings.prompt == "a [1mb")
  }

  @Test func `styles drop control characters, and a NUL is refused with its line`() throws {
    let folder = try TemporaryFolder()
    func recipe() -> RecipeText {
      var recipe = RecipeText("prompt: x\nstyles: [ink]")
      recipe.path = folder("fish.yaml")
      return recipe
    }
    try folder.write("styles.csv", "name,prompt,negative_prompt\nink,\"a\u{1B}[2J b\",\n")
    #expect(try recipe().jobs()[0].settings.prompt == "x, a[2J b")
    try folder.write("styles.csv", "name,prompt,negative_prompt\nink,a,\noil,\u{0}b,\n")
    let errors = recipe().errors()
    #expect(errors.count == 1 && errors[0].contains("styles.csv:3:1: error: found a NUL"), "\(errors)")
  }

  @Test(
    arguments: [
      "webhook=https://user:SECRET@host:99999/p?t=SECRET",
      "webhook={url: https://h/x, per: \"https://user:SECRET@h/\"}",
      "webhook={url: https://h/x, send_images: \"user:SECRET@h\"}", "Webhook=https://user:SECRET@h/",
      "webhok=https://user:SECRET@h/", "webook=user:SECRET@h/x", "webhook: https://user:SECRET@h/?k=SECRET",
      "webhook=[https://user:SECRET@h/]", "webhook={url: \"ftp://user:SECRET@h/\", per: run}",
      "steps=https://user:SECRET@h/?SECRET", "webhook={https://user:SECRET@h/: 1}",
    ])
  func `no message shows the secrets of an address in --set`(override: String) {
    let errors = RecipeText("prompt: x", set: [override]).errors()
    #expect(!errors.isEmpty)
    #expect(errors.allSatisfy { !$0.contains("SECRET") }, "\(errors)")
  }

  @Test func `an address under the wrong key of webhook is not shown`() {
    let errors = RecipeText("prompt: x\nwebhook: {url: \"https://h/x\", per: \"https://user:SECRET@h/\"}").errors()
    #expect(errors.count == 1 && errors[0].contains("per") && errors[0].contains("may contain secrets"), "\(errors)")
    #expect(!errors[0].contains("SECRET"))
  }
}
