import Recipes
import Settings
import Testing
import TestSupport

@Suite struct StyleTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    // With a byte order mark, as the webui writes it.
    try folder.write(
      "styles.csv",
      "\u{FEFF}name,prompt,negative_prompt\r\noil,oil painting,photo\r\nnight,\"{prompt}, at night, dark\",\r\n"
        + "\"a, b\",\"two\nlines\",\"\"\r\n# comment,x,y\r\nInk,ink,\r\nink,INK,\r\noil 2,second,thing {prompt} blurry\r\n"
    )
    try folder.write("more/one.csv", "name,text\nold,old text\noil,first\n")
    try folder.write("more/two.csv", "negative_prompt, name ,prompt\nneg,oil,last\n")
  }

  private func recipe(_ text: String, folders: [String] = []) -> RecipeText {
    var recipe = RecipeText(text)
    recipe.path = folder("fish.yaml")
    recipe.environment.modelFolders = folders
    return recipe
  }

  private func prompts(_ text: String) throws -> [[String]] {
    try recipe(text).jobs().map { [$0.settings.prompt, $0.settings.negativePrompt] }
  }

  @Test func `styles are applied to both prompts in order`() throws {
    #expect(
      try prompts("prompt: a fish \nnegative_prompt: blurry\nstyles: [oil, night]")
        == [["a fish, oil painting, at night, dark", "blurry, photo"]])
    #expect(try prompts("prompt: a fish\nstyles: 'night, oil'") == [["a fish, at night, dark, oil painting", "photo"]])
    #expect(try prompts("prompt: a\nnegative_prompt: n\nstyles: oil 2") == [["a, second", "thing n blurry"]])
    #expect(try prompts("styles: oil") == [["oil painting", "photo"]])
    #expect(try prompts("prompt: ' a '\nstyles: a, b") == [["a, two\nlines", ""]])
    #expect(try prompts("prompt: ' a '\nstyles: [OIL]") == [["a, oil painting", "photo"]])
    #expect(try prompts("prompt: ' a '\nstyles: None") == [[" a ", ""]])
    #expect(try prompts("prompt: ' a '\nstyles:") == [[" a ", ""]])
    // Appended text is part of the prompt, and comments are removed after styles are applied.
    #expect(try prompts("prompt: 'a #c'\nprompt_append: ' b'\nstyles: night") == [["a \n", ""]])
  }

  @Test func `an axis of styles replaces the recipe's, and the webui plot's axis adds to them`() throws {
    let jobs = try recipe("prompt: x\nstyles: oil\ngrid:\n  styles: [night, [night, Ink], None, 'ink, oil', []]").jobs()
    #expect(
      jobs.map(\.settings.prompt) == [
        "x, at night, dark", "x, at night, dark, ink", "x", "x, INK, oil painting", "x",
      ])
    #expect(jobs.map(\.axes[0].title) == ["night", "night, Ink", "None", "ink, oil", "none"])
    let plot = try recipe("prompt: x\nstyles: oil\ngrid:\n  Styles: 'night, \"Ink,ink\"'").jobs()
    #expect(plot.map(\.settings.prompt) == ["x, oil painting, at night, dark", "x, oil painting, ink, INK"])
    #expect(plot.map(\.axes[0].name) == ["styles_append", "styles_append"])
    #expect(
      try prompts(
        "prompt: x\ngrid: {styles: [oil, Ink], look: [{title: a, styles: night}, {title: b}]}\nexclude: [{styles: night}]"
      )
      .map { $0[0] } == ["x, oil painting", "x, ink"])
    #expect(
      try prompts("prompt: x\ngrid: {styles: [oil, Ink]}\nexclude: [{styles: oil}]\ninclude: [{styles: [oil, Ink]}]")
        .map { $0[0] } == ["x, ink", "x, oil painting, ink"])
  }

  @Test func `an exclude compares the prompt with styles and the one without`() throws {
    for prompt in ["cat", "'cat, oil painting'"] {
      let jobs = try recipe("styles: oil\ngrid: {prompt: [cat, dog]}\nexclude: [{prompt: \(prompt)}]").jobs()
      #expect(jobs.map(\.settings.prompt) == ["dog, oil painting"])
    }
  }

  @Test func `the files may be named, are also found next to models, and the last style of a name counts`() throws {
    #expect(try prompts("prompt: x\nstyles_file: more/one.csv\nstyles: [old, oil]") == [["x, old text, first", ""]])
    #expect(try prompts("prompt: x\nstyles_file: more/*.csv\nstyles: oil") == [["x, last", "neg"]])
    #expect(try prompts("prompt: x\nstyles_file: [more/two.csv, more/one.csv]\nstyles: oil") == [["x, first", ""]])
    let other = try TemporaryFolder()
    var text = recipe("prompt: x\nstyles: oil", folders: [folder.path])
    text.path = other("fish.yaml")
    #expect(try text.jobs().first?.settings.prompt == "x, oil painting")
  }

  @Test func `a missing style is an error with its position, the file and the nearest name`() throws {
    let file = folder("styles.csv")
    let path = folder("fish.yaml")
    #expect(
      recipe("styles: [oill, INK]\ngrid:\n  styles: [night, 'oil, nigth']").errors() == [
        "\(path):1:10: error: styles: found \"oill\", expected a style of \(file) (did you mean \"oil\"?)",
        "\(path):1:16: error: styles: found \"INK\", expected a style of \(file) (did you mean \"Ink\" or \"ink\"?)",
        "\(path):3:19: error: styles: found \"nigth\", expected a style of \(file) (did you mean \"night\"?)",
      ])
    #expect(
      recipe("exclude: [{styles: moon}]").errors() == [
        "\(path):1:20: error: styles: found \"moon\", expected a style of \(file)"
      ])
    #expect(
      recipe("styles_file: none.csv\nstyles: oil").errors() == [
        "\(path):1:14: error: styles_file: found \"none.csv\", expected a CSV file of styles, but there is none in "
          + "\(folder.path) or \(folder.path)/models ($SDBATCH_MODELS may name more folders)"
      ])
    var elsewhere = recipe("styles: oil")
    elsewhere.path = "/nowhere/fish.yaml"
    #expect(
      elsewhere.errors() == [
        "/nowhere/fish.yaml:1:9: error: styles: found \"oil\", expected a style of styles.csv, but there is none in "
          + "/nowhere or /nowhere/models; styles_file names another file"
      ])
    #expect(recipe("styles: [{title: a}]").errors().count == 1)
  }

  @Test func `a damaged file of styles is reported with its line, after the recipe's own errors`() throws {
    try folder.write("open.csv", "name,prompt\na,\"b\nc,d\n")
    try folder.write("columns.csv", "\nnome,prompt\n")
    try folder.write("latin.csv", [0x6E, 0xE9])
    #expect(
      recipe("styles_file: [open.csv, columns.csv, latin.csv]\nstyles: x\nsteps: 0").errors() == [
        "\(folder("fish.yaml")):3:8: error: steps: found 0, expected a whole number from 1 to 10000",
        "\(folder("columns.csv")):2:1: error: found the columns \"nome,prompt\", expected name,prompt,negative_prompt",
        "\(folder("latin.csv")): error: found bytes that are not UTF-8, expected a CSV file of styles in UTF-8",
        "\(folder("open.csv")):2:1: error: found an unclosed quote, expected a closing one at the end of the field",
      ])
  }
}
