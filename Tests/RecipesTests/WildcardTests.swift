import Recipes
import Settings
import Testing
import TestSupport

@Suite struct WildcardTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.write("wildcards/colour.txt", "\u{FEFF}red\n\n# none\n  blue  \r\ndark green")
    try folder.write("wildcards/hair/long_style.txt", "curly\nstraight\n")
    try folder.write("wildcards/beast.txt", "a __colour__ cat\ndog\n__colour__ and __colour__ __hair/long_style__\n")
    try folder.write("wildcards/loop.txt", "x\na __loop2__\n")
    try folder.write("wildcards/loop2.txt", "__loop__")
    try folder.write("wildcards/empty.txt", "# nothing\n\n")
    try folder.write("wildcards/lost.txt", "ok\nthe __nowhere__\n")
    try folder.write("other/wildcards/place.txt", "sea\n")
  }

  private func recipe(_ text: String) -> RecipeText {
    var recipe = RecipeText(text)
    recipe.path = folder("fish.yaml")
    recipe.environment.modelFolders = [folder("other")]
    return recipe
  }

  private func prompts(_ text: String) throws -> [String] { try recipe(text).jobs().map(\.settings.prompt) }

  @Test func `a wildcard is an axis of its entries after all others`() throws {
    let jobs = try recipe(
      "prompt: a __colour__ fish at __place__\nnegative_prompt: no __colour__\ngrid: {seed: [1, 2]}"
    ).jobs()
    #expect(jobs.map(\.settings.seed) == [1, 1, 1, 2, 2, 2])
    #expect(
      jobs.prefix(3).map(\.settings.prompt) == [
        "a red fish at sea", "a blue fish at sea", "a dark green fish at sea",
      ])
    #expect(jobs.prefix(3).map(\.settings.negativePrompt) == ["no red", "no blue", "no dark green"])
    #expect(jobs[0].axes.map(\.name) == ["seed", "__colour__", "__place__"])
    #expect(jobs[1].axes.map(\.title) == ["1", "blue", "sea"])
  }

  @Test func `names may lead into folders, and a part of a word is not a wildcard`() throws {
    #expect(
      try prompts("prompt: \"(__hair/long_style__:1.2), ______ a__colour__b\"")
        == ["(curly:1.2), ______ a__colour__b", "(straight:1.2), ______ a__colour__b"])
    #expect(try prompts("prompt: __hair/long_style____place__").first == "curlysea")
    #expect(try prompts("prompt: __a__b__, _____, __ a__, __é") == ["__a__b__, _____, __ a__, __é"])
  }

  @Test func `a # in an entry deletes nothing`() throws {
    try folder.write("wildcards/shade.txt", "blue # navy\n#none\nhair #ff0000\nred\n")
    let made = try prompts("prompt: \"a __shade__ cat, sitting # really\"")
    #expect(
      made == ["a blue # navy cat, sitting \n", "a hair #ff0000 cat, sitting \n", "a red cat, sitting \n"], "\(made)")
    let jobs = try recipe(
      "prompt: a __x__ cat\nnegative_prompt: no __x__, bad\ngrid: {__x__: ['#1', 'b # c']}"
        + "\nenable_hr: true\nhr_prompt: large __x__ cat"
    ).jobs().map(\.settings)
    #expect(jobs.map(\.prompt) == ["a #1 cat", "a b # c cat"])
    #expect(jobs.map(\.negativePrompt) == ["no #1, bad", "no b # c, bad"])
    #expect(jobs.map(\.hires?.prompt) == ["large #1 cat", "large b # c cat"])
  }

  @Test func `a list with a NUL is refused, other control characters are dropped`() throws {
    try folder.write("wildcards/old.txt", "a\u{1B}[31m b\u{1A}\n\u{7}c\n")
    #expect(try prompts("prompt: __old__") == ["a[31m b", "c"])
    try folder.write("wildcards/wide.txt", "a\u{0}b\n")
    let errors = recipe("prompt: __wide__").errors()
    #expect(errors.count == 1 && errors[0].contains("NUL") && errors[0].contains("wide.txt"), "\(errors)")
  }

  @Test func `entries may hold wildcards, which are expanded`() throws {
    #expect(
      try prompts("prompt: __beast__") == [
        "a red cat", "a blue cat", "a dark green cat", "dog", "red and red curly", "red and red straight",
        "blue and blue curly", "blue and blue straight", "dark green and dark green curly",
        "dark green and dark green straight",
      ])
  }

  @Test func `an axis, a value or an included cell may set a wildcard`() throws {
    #expect(try prompts("prompt: __colour__ __x__\ngrid: {__x__: [1, 2], __colour__: }").first == "red 1")
    #expect(try prompts("prompt: __colour__ __x__\ngrid: {__x__: [1, 2], __colour__: }")[1] == "blue 1")
    #expect(try prompts("prompt: __colour__\n__colour__: pink") == ["pink"])
    #expect(try prompts("prompt: __hm__\n__hm__: __hm__") == ["__hm__"])
    #expect(try prompts("prompt: __hm__ __colour__\nenable_wildcards: false") == ["__hm__ __colour__"])
    #expect(
      try prompts("prompt: __colour__\n__colour__: red\ngrid: {enable_wildcards: [false, true]}") == [
        "__colour__", "red",
      ])
    let set = RecipeText("prompt: __x__\ngrid: {__x__: [1, 2]}", set: ["__x__=[3], 4"])
    #expect(try set.jobs().map(\.settings.prompt) == ["[3], 4"])
    #expect(
      try prompts(
        """
        prompt: __colour__
        grid: {seed: [1, 2]}
        exclude: [{__colour__: [red, blue]}, {prompt: dark green, seed: 2}]
        include: [{__colour__: pink}, {seed: 3}, {prompt: __hair/long_style__ __colour__, __colour__: x}]
        """) == ["dark green", "pink", "red", "blue", "dark green", "curly x", "straight x"])
    let extra = try recipe("prompt: x\ninclude: [{prompt: __colour__, seed: 5}]").jobs()
    #expect(extra.map(\.axes.count) == [0, 3, 3, 3])
    #expect(extra[3].axes.map(\.title) == ["__colour__", "5", "dark green"])
  }

  @Test func `wildcards are found in styles, appended text, replaced text and matrices, but not in comments`() throws {
    try folder.write("styles.csv", "name,prompt\ns,\"{prompt}, __place__\"\n")
    #expect(try prompts("prompt: a\nstyles: s") == ["a, sea"])
    #expect(try prompts("prompt: a\nprompt_append: ' __place__'") == ["a sea"])
    #expect(try prompts("prompt: a __\nprompt_append: place__") == ["a sea"])
    #expect(try prompts("prompt: a X\ngrid: {prompt_sr: [X, __place__, y]}") == ["a X", "a sea", "a y"])
    #expect(try prompts("prompt: a __X__\ngrid: {prompt_sr: [X, place]}\nexclude: [{prompt_sr: X}]") == ["a sea"])
    #expect(try prompts("grid: {prompt_matrix: a|__place__}") == ["a", "a, sea"])
    #expect(try prompts("prompt: \"a # __nowhere__\"") == ["a \n"])
    #expect(recipe("prompt: \"a # __nowhere__\"\nenable_prompt_comments: false").errors().count == 1)
  }

  @Test func `a missing or damaged list is an error with its position and the searched folders`() {
    let path = folder("fish.yaml")
    let folders = "\(folder.path)/wildcards, \(folder.path)/models/wildcards or \(folder.path)/other/wildcards"
    #expect(
      recipe("steps: 0\nprompt: a __color__\ngrid:\n  prompt_append: [b, __empty__]\n  __loop__:").errors() == [
        "\(path):1:8: error: steps: found 0, expected a whole number from 1 to 10000",
        "\(folder("wildcards/loop2.txt")):1:1: error: __loop__: found a list that includes itself "
          + "(__loop__ → __loop2__ → __loop__), expected none",
      ])
    #expect(
      recipe("steps: 0\nprompt: a __color__\ngrid:\n  prompt_append: [' b', __empty__]").errors() == [
        "\(path):1:8: error: steps: found 0, expected a whole number from 1 to 10000",
        "\(path):2:9: error: __color__: found no color.txt in \(folders); expected a file with one entry per line, or a "
          + "key __color__ with the replacement as its value, or enable_wildcards: false",
        "\(path):4:25: error: __empty__: found no entry in \(folder("wildcards/empty.txt")), expected one per line",
      ])
    let nested = recipe("prompt: __lost__").errors()
    #expect(
      nested.count == 1 && nested[0].hasPrefix("\(folder("wildcards/lost.txt")):2:1: error: __nowhere__: found no "))
    for name in ["../x", "/etc/x", "a/../../x"] {
      #expect(recipe("prompt: \"__\(name)__\"").errors().first?.contains("outside the folder") == true)
    }
    #expect(recipe("prompt: __x__\n__x__: __colour__").errors().first?.contains("expected text without") == true)
  }

  @Test func `a prompt of too many wildcards is one error`() {
    let many = (0..<20_000).map { "__w\($0)__" }.joined(separator: " ")
    let errors = recipe("prompt: \(many)").errors()
    #expect(errors.count == 1 && errors[0].hasSuffix(":1:9: error: found 20000 wildcards, expected 100 at most"))
  }

  @Test func `a wildcard that no prompt uses is a warning`() throws {
    #expect(
      try recipe("prompt: a\ngrid: {__colour__: }").warnings() == [
        "\(folder("fish.yaml")):2:8: warning: __colour__: found no prompt with this wildcard, so it has no effect"
      ])
    #expect(try recipe("prompt: a\n__x__: b").warnings().first?.contains("fish.yaml:2:1: warning: __x__: ") == true)
  }

  @Test func `long lists make a plan of a million jobs that is not enumerated, up to the limit`() throws {
    try folder.write("wildcards/k.txt", (0..<1000).map { "e\($0)\n" }.joined())
    try folder.write("wildcards/k2.txt", "__k__")
    try folder.write("wildcards/m.txt", "__k__ __k2__")
    let plan = try recipe("prompt: __k__ __k2__\ninclude: [{seed: 1}]").plan()
    #expect(plan.count == 2_000_000)
    #expect(plan.jobs.prefix(2).map(\.settings.prompt) == ["e0 e0", "e0 e1"])
    #expect(try recipe("prompt: __k__ __k2__\ngrid: {seed: 0-9}").plan().count == 10_000_000)
    #expect(recipe("prompt: __k__ __k2__\ngrid: {seed: 1-11}").errors().first?.contains("found 11000000 jobs") == true)
    #expect(
      recipe("prompt: x\ninclude: [{prompt: __k__ __k2__ __colour__, seed: 0}, {prompt: __k__ __k2__ __beast__}]")
        .errors().first?
        .contains("found 13000001 jobs") == true)
    #expect(recipe("prompt: __m__").errors().first?.contains("more than 250000 ways") == true)
  }
}
