import Testing

@testable import Recipes

/// Words that the demo model does not know are reported, and only those.
@Suite struct DemoWordTests {
  private func warnings(_ text: String) throws -> [String] {
    var environment = PlanningEnvironment()
    environment.demoWords = ["a", "red", "fish", "star", "on", "blue", "background"]
    return try RecipeText(text, environment: environment).read().warnings.map(\.description)
      .filter { $0.contains("demo model") }
  }

  @Test(arguments: [
    "prompt: a red fish", "prompt: A (red:1.3) [fish:star:0.5] AND a star BREAK on a <lora:cat:0.4>",
    "enable_wildcards: false\nprompt: a red __animals__ fish",
    "prompt: a red fish # a cat", "model: demo\ngrid: {Prompt S/R colour: [red, blue]}\nprompt: a red star",
    "output: cats", "negative_prompt: '{red|2$$a|blue}'",
    "dynamic_prompts: random\nprompt: 'a ${colour={red|blue}}${colour} star on ${ground=!blue}${ground}'",
  ])
  func `known words, and what is no word, are no reason for a warning`(text: String) throws {
    #expect(try warnings(text) == [])
  }

  @Test func `one warning has the place of the first and the words of all`() throws {
    #expect(
      try warnings("prompt: a red fish\ngrid:\n  prompt: [a red cat, \"a Cat and a dog\"]\n") == [
        """
        fish.yaml:3:12: warning: the demo model does not know "cat", "and", "dog": it draws simple shapes in plain colours, such as a \
        red fish on a blue background; name another model with model:
        """
      ])
    let many = try warnings("hr_prompt: one two three four five six seven\n")
    #expect(many.count == 1 && many[0].contains("\"five\" and 2 more"))
  }
}
