import Recipes
import Settings
import Testing

@Suite struct PromptAxisTests {
  private func prompts(_ text: String) throws -> [String] { try RecipeText(text).jobs().map(\.settings.prompt) }

  @Test func `prompt S/R replaces its first value in both prompts of every cell`() throws {
    let jobs = try RecipeText(
      """
      prompt: a red fish, fish
      negative_prompt: no fish
      grid: {Prompt S/R: 'fish, cat, "a, b", , "say ""x"" " '}
      """
    ).jobs()
    #expect(
      jobs.map(\.settings.prompt) == [
        "a red fish, fish", "a red cat, cat", "a red a, b, a, b", "a red , ", "a red say \"x\", say \"x\"",
      ])
    #expect(jobs.map(\.settings.negativePrompt)[1] == "no cat")
    #expect(jobs.map(\.axes[0].name) == Array(repeating: "prompt_sr", count: 5))
    #expect(jobs.map(\.axes[0].title) == ["fish", "cat", "a, b", "", "say \"x\""])
  }

  @Test func `values may be a list or separated by bars, and a word distinguishes several axes`() throws {
    #expect(try prompts("prompt: 1 x\ngrid: {prompt_sr: [1, 2]}") == ["1 x", "2 x"])
    #expect(try prompts("prompt: a, b\ngrid: {prompt s/r: 'a, b || c,d'}") == ["a, b", "c,d"])
    let jobs = try RecipeText(
      "prompt: red fish\ngrid: {Prompt S/R what: [fish, cat], Prompt S/R Colour: [red, blue]}"
    ).jobs()
    #expect(jobs.map(\.settings.prompt) == ["red fish", "blue fish", "red cat", "blue cat"])
    #expect(jobs[0].axes.map(\.name) == ["prompt_sr what", "prompt_sr Colour"])
  }

  @Test(arguments: [
    ("prompt: fish\ngrid:\n  Prompt S/R: fish || #2 || cat\n", 3, 15), ("prompt: fish, #ff0000 sky\n", 1, 9),
    ("grid:\n  prompt:\n  - a cat #1\n  - a dog\n", 3, 5), ("prompt: a cat,  # and more\n", 1, 9),
  ])
  func `a comment that cuts a prompt's text off is reported if it is hardly meant`(text: String, line: Int, column: Int)
    throws
  {
    let warnings = try RecipeText(text).read().warnings
    #expect(warnings.count == 1 && warnings[0].message.contains("a comment in YAML"), "\(warnings)")
    #expect(warnings.first?.position.line == line && warnings.first?.position.column == column)
  }

  @Test(arguments: [
    "prompt: a cat # as before\n", "prompt: 'a cat #1'\n", "prompt: a cat#1\n", "prompt: fish ## fish\nsteps: 3 #5\n",
  ])
  func `other comments are not reported`(text: String) throws {
    #expect(try RecipeText(text).read().warnings.isEmpty)
  }

  @Test func `an axis sees the edits of earlier axes, wherever the prompt comes from`() throws {
    #expect(
      try prompts(
        """
        grid:
          prompt_sr: [cat, dog]
          prompt_sr more: [a d, the d]
          prompt: [a cat]
        exclude: [{prompt_sr: cat}]
        """) == ["a dog", "the dog"])
  }

  @Test func `a text that a cell's prompts lack is an error at the axis's position`() {
    #expect(
      RecipeText("prompt: a red fish\nsteps: 0\ngrid:\n  Prompt S/R: [cat, dog]").errors() == [
        "fish.yaml:2:8: error: steps: found 0, expected a whole number from 1 to 10000",
        #"fish.yaml:4:15: error: found no "cat" in "a red fish", expected it in the prompt or the negative prompt"#,
      ])
    #expect(
      RecipeText("grid:\n  prompt: [cat, dog]\n  prompt_sr: [cat, x]").errors() == [
        #"fish.yaml:3:14: error: found no "cat" in "dog", expected it in the prompt or the negative prompt"#
      ])
    #expect(
      RecipeText("prompt: a b\nnegative_prompt: c\ngrid: {prompt order: [a, c]}").errors() == [
        #"fish.yaml:3:22: error: found no "c" in "a b", expected it in the prompt"#
      ])
    #expect(
      RecipeText("prompt: a, b\ngrid: {prompt_order: [a, b], prompt_sr: ['a, b', c]}").errors().count == 1)
    #expect(
      RecipeText("prompt: a\ngrid: {prompt_sr: ['', c]}").errors().first?.contains("the text to search for") == true)
    #expect(RecipeText("prompt: a\ngrid: {prompt_sr: 'a, \"b'}").errors().first?.contains("unclosed quote") == true)
    #expect(RecipeText("prompt: a\ngrid: {prompt_sr: []}").errors().count == 1)
    #expect(
      RecipeText("prompt: a\nPrompt S/R: [a, b]").errors() == [
        "fish.yaml:2:1: error: found Prompt S/R here, expected it under grid, because prompt_sr is an axis"
      ])
    #expect(RecipeText("prompt: a\ngrid: {prompt_sr: {a: b}}").errors().count == 1)
    // Excluded cells need not contain it.
    #expect(RecipeText("grid: {prompt: [cat, dog], prompt_sr: [cat, x]}\nexclude: [{prompt: dog}]").errors().isEmpty)
  }

  @Test func `groups of unequal length are reported, without further errors`() {
    let errors = RecipeText("prompt: a_b\nzip: [{prompt_sr: [a, b, c], prompt: [a, b]}]").errors()
    #expect(errors.count == 1 && errors[0].contains("zip: found 2 values of prompt, expected 3"))
  }

  @Test func `prompt S/R advances together with seeds in a group of zip`() throws {
    let jobs = try RecipeText("prompt: a fish\nzip: [{Prompt S/R: [fish, cat], seed: 7-8}]").jobs()
    #expect(jobs.map(\.settings.prompt) == ["a fish", "a cat"] && jobs.map(\.settings.seed) == [7, 8])
  }

  @Test func `excludes and includes name values by title, and sheets name the axis`() throws {
    let text = RecipeText(
      """
      prompt: a, b
      grid: {Prompt order: [a, b], Prompt matrix: 'a, b|c|d'}
      exclude: [{prompt order: 'b, a', prompt_matrix: [none, 'c, d']}]
      include: [{prompt_order: 'b, a', seed: 5}]
      sheet: {x: Prompt order, y: prompt_matrix}
      """)
    #expect(try text.warnings() == [])
    #expect(
      try text.jobs().map(\.settings.prompt) == [
        "a, b", "a, b, c", "a, b, d", "a, b, c, d", "b, a, c", "b, a, d", "b, a",
      ])
    #expect(try text.read().sheet?.x == "prompt_order")
    #expect(
      RecipeText("prompt: a\ngrid: {prompt_sr: [a, oil]}\nexclude: [{prompt_sr: oli}]").errors().first?.contains(
        "did you mean \"oil\"") == true)
  }

  @Test func `a matrix takes its parts from a text, a list or the recipe's prompt`() throws {
    let expected = ["a", "a, b", "a, c", "a, b, c"]
    #expect(try prompts("grid: {Prompt matrix: 'a|b|c'}") == expected)
    #expect(try prompts("grid: {prompt_matrix: [a, b, c]}") == expected)
    #expect(try prompts("prompt: a|b|c\ngrid: {prompt_matrix: }") == expected)
    #expect(try prompts("prompt: a\ngrid: {prompt_matrix: '|b|c'}") == expected)
    #expect(try prompts("prompt: a\nprompt_append: ' x'\ngrid: {prompt_matrix: '|b'}") == ["a x", "a, b x"])
    let negative = try RecipeText("prompt: a\nnegative_prompt: n\ngrid: {negative_prompt_matrix: '|b'}").jobs()
    #expect(negative.map(\.settings.negativePrompt) == ["n", "n, b"] && negative[1].settings.prompt == "a")
    #expect(negative.map(\.axes[0].title) == ["none", "b"])
    #expect(RecipeText("prompt: a\ngrid: {prompt_matrix: }").errors().count == 1)
    #expect(RecipeText("prompt: a\ngrid: {prompt_matrix: b}").errors().count == 1)
    #expect(RecipeText("grid: {prompt_matrix: {prompt: a|b, different_seeds: true}}").errors().count == 1)
    #expect(
      RecipeText("grid: {prompt_matrix: {promt: a|b}}").errors().first?.contains("did you mean \"prompt\"") == true)
    #expect(try RecipeText("grid: {prompt: [x, y], prompt_matrix: a|b}").warnings().count == 1)
  }

  @Test func `orders and combinations by the million are counted without being listed`() throws {
    let orders = try RecipeText("prompt: a b c d e f g h i j\ngrid: {prompt_order: [a, b, c, d, e, f, g, h, i, j]}")
      .plan()
    #expect(orders.count == 3_628_800)
    #expect(orders.jobs.prefix(2).map(\.settings.prompt) == ["a b c d e f g h i j", "a b c d e f g h j i"])
    let parts = (0..<20).map { "p\($0)" }.joined(separator: "|")
    let matrix = try RecipeText("grid: {prompt_matrix: 'a|\(parts)'}").plan()
    #expect(matrix.count == 1 << 20)
    #expect(matrix.jobs.prefix(4).map(\.settings.prompt) == ["a", "a, p0", "a, p1", "a, p0, p1"])
    #expect(RecipeText("prompt: a\ngrid: {prompt_matrix: '|\(parts)|\(parts)|\(parts)|\(parts)'}").errors().count == 1)
    let letters = (0..<30).map { "x\($0)_" }.joined(separator: ", ")
    #expect(
      RecipeText("prompt: \(letters)\ngrid: {prompt_order: '\(letters)'}").errors().first?.contains("jobs") == true)
  }

  @Test func `size sets width and height, alone or as an axis`() throws {
    let jobs = try RecipeText(
      "size: 64x72\ngrid: {Size: '512x768, 768 X 512', seed: [1, 2]}\nexclude: [{size: 768x512, seed: 1}]"
    )
    .jobs()
    #expect(jobs.map(\.settings.width) == [512, 512, 768] && jobs.map(\.settings.height) == [768, 768, 512])
    #expect(jobs[0].axes.map(\.name) == ["size", "seed"])
    #expect(try RecipeText("size: 64x72").jobs().first?.settings.height == 72)
    #expect(
      try RecipeText("width: 8\ngrid: {size: [64x72]}", set: ["size=16x24"]).jobs().map(\.settings.width) == [16])
    #expect(
      RecipeText("size: 64x70\ngrid: {size: [64, 1x2x3, 9000x8]}").errors() == [
        "fish.yaml:1:7: error: size: found 70, expected a multiple of 8 from 8 to 8192; the nearest are 64 and 72",
        "fish.yaml:2:15: error: size: found 64, expected width and height, such as 512x768",
        #"fish.yaml:2:19: error: size: found "1x2x3", expected width and height, such as 512x768"#,
        "fish.yaml:2:26: error: size: found 9000, expected a multiple of 8 from 8 to 8192",
      ])
    #expect(
      RecipeText("size: 64x64\nwidth: 8").errors() == [
        "fish.yaml:2:1: error: found width together with size, expected either size or width and height"
      ])
  }
}
