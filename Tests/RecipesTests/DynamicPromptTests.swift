import Foundation
import Settings
import Testing
import TestSupport

@testable import Recipes

/// Compares with the Python package `dynamicprompts`, which made the fixture with our generator's draws.
@Suite struct DynamicPromptFixtureTests {
  struct Fixture: Decodable {
    let files: [String: String]
    let cases: [Case]
  }

  struct Case: Decodable {
    let template: String
    let combinatorial: [String]?
    let cyclical: [String]?
    let random: [String]?
  }

  private static let fixture: Fixture = {
    do { return try Fixtures.decode(from: "Prompts/dynamic.json") } catch { return Fixture(files: [:], cases: []) }
  }()
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    for (name, text) in Self.fixture.files { try folder.write("wildcards/" + name, text) }
  }

  private func prompts(_ template: String, _ mode: String, seeds: Int = 0) throws -> [String] {
    let quoted = String(decoding: try JSONEncoder().encode([template]), as: UTF8.self).dropFirst().dropLast()
    var recipe = RecipeText("prompt: \(quoted)\ndynamic_prompts: \(mode)\nseed: 1\n")
    if seeds > 0 { recipe.text += "grid: {seed: [\((0..<seeds).map { "\($0)" }.joined(separator: ", "))]}\n" }
    recipe.path = folder("fish.yaml")
    return try recipe.jobs().map(\.settings.prompt)
  }

  @Test func `all prompts come in the package's order`() throws {
    var count = 0
    for item in Self.fixture.cases {
      guard let expected = item.combinatorial else { continue }
      let made = try prompts(item.template, "combinatorial")
      #expect(made == expected, "\(item.template): \(made)")
      count += 1
    }
    #expect(count > 130, "\(count)")
  }

  @Test func `prompts taken in order are the package's`() throws {
    var count = 0
    for item in Self.fixture.cases {
      guard let expected = item.cyclical else { continue }
      let made = try prompts(item.template, "cyclical", seeds: expected.count)
      #expect(made == expected, "\(item.template): \(made)")
      count += 1
    }
    #expect(count > 100, "\(count)")
  }

  @Test func `prompts drawn with the same draws are the package's`() throws {
    var count = 0
    for item in Self.fixture.cases {
      guard let expected = item.random else { continue }
      let made = try prompts(item.template, "random", seeds: expected.count)
      #expect(made == expected, "\(item.template): \(made)")
      count += 1
    }
    #expect(count > 150, "\(count)")
  }
}

@Suite struct DynamicPromptTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.write("wildcards/colour.txt", "# shades\nred\nblue\n\ngreen # grass\n")
    try folder.write("wildcards/loop.txt", "x\n__loop2__\n")
    try folder.write("wildcards/loop2.txt", "{a|__loop__}\n")
    try folder.write("wildcards/open.txt", "fine\n  a {b|c\n")
    try folder.write("wildcards/needy.txt", "one\nthe ${size} one\n")
  }

  private func recipe(_ text: String) -> RecipeText {
    var recipe = RecipeText(text)
    recipe.path = folder("fish.yaml")
    return recipe
  }

  private func prompts(_ text: String) throws -> [String] { try recipe(text).jobs().map(\.settings.prompt) }

  // MARK: Modes

  @Test func `they are off by default, with a note`() throws {
    let plain = recipe("prompt: a {red|blue} cat")
    #expect(try plain.jobs().map(\.settings.prompt) == ["a {red|blue} cat"])
    #expect(try plain.jobs()[0].settings.promptTemplate.isEmpty)
    let warnings = try plain.warnings()
    #expect(warnings.count == 1 && warnings[0].contains(":1:9: warning") && warnings[0].contains("dynamic_prompts"))
    for text in [
      "prompt: a {red|blue} cat\ndynamic_prompts: off", "prompt: a {x} {prompt} __colour__ cat", "prompt: '{'",
    ] {
      #expect(try recipe(text).warnings().isEmpty, "\(text)")
    }
    #expect(try prompts("prompt: __colour__") == ["red", "blue", "green # grass"])
    #expect(try recipe("prompt: x\ndynamic_prompts: Random").jobs().count == 1)
    let errors = recipe("prompt: x\ndynamic_prompts: randomly").errors()
    #expect(errors.count == 1 && errors[0].contains(":2:18: error: dynamic_prompts: found \"randomly\""), "\(errors)")
  }

  @Test func `draws follow the seed, so that cells with one seed have one prompt`() throws {
    let text = "prompt: a {red|green|blue|black} {cat|dog|fox}, __colour__\ndynamic_prompts: random\n"
    let jobs = try recipe(text + "grid: {seed: '1, 2, ..., 60', cfg_scale: [5, 7]}").jobs()
    #expect(jobs.count == 120)
    for (one, other) in zip(jobs, jobs.dropFirst()) where one.settings.seed == other.settings.seed {
      #expect(one.settings.prompt == other.settings.prompt)
    }
    #expect(Set(jobs.map(\.settings.prompt)).count > 20)
    #expect(jobs.allSatisfy { $0.settings.promptTemplate.hasPrefix("a {red") })
    // The same prompts with other axes, and with the prompts' own seed.
    let few = try prompts(text + "grid: {cfg_scale: [1, 2], seed: [60, 7]}")
    #expect(few == [jobs[118], jobs[12], jobs[118], jobs[12]].map(\.settings.prompt))
    let own = try prompts(text + "seed: 5\ngrid: {prompt_seed: [60, 7]}")
    #expect(own == [jobs[118], jobs[12]].map(\.settings.prompt))
    var seeds = SeedDraws()
    let drawn = recipe(text + "prompt_seed: -1\nseed: 3")
    let first = Array(try drawn.plan(seeds: &seeds).jobs)
    #expect(seeds.seeds["prompt_seed"] != nil)
    #expect(Array(try drawn.plan(seeds: &seeds).jobs) == first)
  }

  @Test func `draws are distributed by their weights`() throws {
    let made = try prompts(
      "prompt: '{3::a|b|0::c}{2$$-$$x|y|z}{0-2$$1|2}'\ndynamic_prompts: random\ngrid: {seed: '1, 2, ..., 6000'}")
    func share(_ condition: (String) -> Bool) -> Double { Double(made.count(where: condition)) / Double(made.count) }
    #expect(abs(share { $0.hasPrefix("a") } - 0.75) < 0.03)
    #expect(!made.contains { $0.hasPrefix("c") })
    for pair in ["x-y", "x-z", "y-x", "y-z", "z-x", "z-y"] {
      #expect(abs(share { $0.contains(pair) } - 1 / 6) < 0.03, "\(pair)")
    }
    #expect(abs(share { !$0.hasSuffix("1") && !$0.hasSuffix("2") } - 1 / 3) < 0.03)
    #expect(abs(share { $0.hasSuffix("1,2") } - 1 / 6) < 0.03)
  }

  @Test func `all prompts are an axis, with the negative ones after them`() throws {
    let jobs = try recipe(
      """
      prompt: a {red|blue} cat
      negative_prompt: "{dog|}"
      dynamic_prompts: combinatorial
      grid: {seed: [1, 2]}
      exclude: [{prompt: a red cat, seed: 2}, {prompt: a blue cat, negative_prompt: dog}]
      """
    ).jobs()
    #expect(
      jobs.map { "\($0.settings.seed) \($0.settings.prompt)-\($0.settings.negativePrompt)" } == [
        "1 a red cat-dog", "1 a red cat-", "1 a blue cat-", "2 a blue cat-",
      ])
    #expect(jobs[0].axes.map(\.name) == ["seed", "dynamic_prompts", "dynamic_negative_prompts"])
    #expect(jobs[2].axes.map(\.title) == ["1", "a blue cat", ""])
    #expect(jobs[0].settings.negativePromptTemplate == "{dog|}")
  }

  @Test func `cells may have templates of different sizes`() throws {
    let jobs = try recipe(
      "dynamic_prompts: combinatorial\ngrid: {prompt: ['{a|b|c} x', 'plain', '{d|e}'], seed: [1, 2]}\nsteps: 3"
    ).jobs()
    #expect(jobs.filter { $0.settings.seed == 2 }.map(\.settings.prompt) == ["a x", "b x", "c x", "plain", "d", "e"])
    #expect(jobs.count == 12)
    #expect(jobs.last?.axes.map(\.title) == ["{d|e}", "2", "e"])
    let included = recipe(
      "prompt: '{a|b}'\ndynamic_prompts: combinatorial\ninclude: [{prompt: '{c|d|e}', seed: 4}, {prompt: f}]")
    #expect(try included.jobs().map(\.settings.prompt) == ["a", "b", "c", "d", "e", "f"])
  }

  @Test func `the limit takes the first prompts, and without it there are not too many`() throws {
    let text = "prompt: '\(String(repeating: "{a|b|c}", count: 40))'\ndynamic_prompts: combinatorial\n"
    let errors = recipe(text).errors()
    #expect(errors.count == 1 && errors[0].contains("expected 10000 at most") && errors[0].contains(":1:10: error"))
    let made = try prompts(text + "prompt_limit: 5")
    #expect(made.map { $0.suffix(3) } == ["aaa", "aab", "aac", "aba", "abb"])
    #expect(recipe(text + "prompt_limit: 0").errors().count == 1)
    #expect(try prompts("prompt: '{a|a|b|b}{|}'\ndynamic_prompts: combinatorial\nprompt_limit: 3") == ["a", "b"])
  }

  @Test func `prompts in order walk along the seeds, or along all cells`() throws {
    let text = "prompt: '{a|b|c}'\ndynamic_prompts: cyclical\n"
    #expect(try prompts(text + "grid: {cfg_scale: [1, 2, 3, 4]}") == ["a", "b", "c", "a"])
    #expect(try prompts(text + "grid: {seed: [7, 8], cfg_scale: [1, 2, 3]}") == ["a", "a", "a", "b", "b", "b"])
    #expect(try prompts(text + "grid: {seed: [7, 7]}\ninclude: [{seed: 9}, {seed: 1}]") == ["a", "b", "c", "a"])
    #expect(
      try prompts("prompt: '{@a|b} {x|y|z}'\ndynamic_prompts: combinatorial") == ["a x", "b y", "a z"])
  }

  // MARK: Language

  @Test func `what is not dynamic stays as it is`() throws {
    let text =
      #"(a:1.2) [b:c:0.5] [d|e] ((f)) [g] \(h\) <lora:my__old__file:0.8> k AND l:0.3, m|n } 100% $5 ___ o__p q_r \{s|t\}"#
    for mode in ["random", "combinatorial", "cyclical"] {
      let jobs = try recipe("prompt: '\(text)'\ndynamic_prompts: \(mode)").jobs()
      #expect(jobs.map(\.settings.prompt) == [text], "\(mode)")
    }
    #expect(
      try prompts("prompt: '{[a|b]|(c:1.2)|[d:{e|f}:0.5]}'\ndynamic_prompts: combinatorial")
        == ["[a|b]", "(c:1.2)", "[d:e:0.5]", "[d:f:0.5]"])
  }

  @Test func `variables that are set at once have one value in a prompt`() throws {
    let text = "prompt: '${x=!{a|b}}${y=!${x}{1|2}}${x} ${y} ${x}'\n"
    #expect(
      try prompts(text + "dynamic_prompts: combinatorial") == ["a a1 a", "a a2 a", "b b1 b", "b b2 b"])
    for prompt in try prompts(text + "dynamic_prompts: random\ngrid: {seed: '1, 2, ..., 20'}") {
      #expect(prompt.first == prompt.last && prompt.dropFirst(2).first == prompt.first, "\(prompt)")
    }
    #expect(try prompts("prompt: '${x=a}${x?=b}${z?=c}${x}${z}'\ndynamic_prompts: random") == ["ac"])
    try folder.write("wildcards/wear.txt", "${a:plain} and ${a:plain} ${b}\n")
    #expect(
      try prompts("prompt: '__wear(a=!{x|y}, b={1|2})__'\ndynamic_prompts: combinatorial")
        == ["x and x 1", "x and x 2", "y and y 1", "y and y 2"])
  }

  @Test func `a comment in an entry ends it, and a key's value replaces a wildcard`() throws {
    #expect(try prompts("prompt: __colour__\ndynamic_prompts: combinatorial") == ["blue", "green ", "red"])
    #expect(
      try prompts("prompt: __colour__\ndynamic_prompts: combinatorial\nenable_prompt_comments: false")
        == ["blue", "green # grass", "red"])
    #expect(try prompts("prompt: __colour__ {a|b}\ndynamic_prompts: combinatorial\n__colour__: '{x|y}'").count == 4)
    #expect(
      try prompts("prompt: __colour__ {a|b}\ndynamic_prompts: combinatorial\nenable_wildcards: false")
        == ["__colour__ a", "__colour__ b"])
    #expect(
      try prompts("prompt: '{a|b}'\nprompt_append: '{c|d}'\ndynamic_prompts: combinatorial").count == 4)
  }

  @Test func `the second pass's prompt follows the first's`() throws {
    let jobs = try recipe(
      "prompt: '{a|b|c|d}'\nenable_hr: true\nhr_prompt: '{a|b|c|d}'\ndynamic_prompts: random\ngrid: {seed: '1, 2, ..., 9'}"
    ).jobs()
    #expect(jobs.allSatisfy { $0.settings.hires?.prompt == $0.settings.prompt })
    #expect(Set(jobs.map(\.settings.prompt)).count > 1)
  }

  // MARK: Errors

  @Test func `an error has its position in the prompt`() {
    let cases: [(text: String, line: Int, column: Int, message: String)] = [
      ("prompt: a {b|c", 1, 11, "closing brace"),
      ("prompt: \"a {b|{c}\"", 1, 12, "closing brace"),
      ("seed: 1\nprompt: |\n  first line\n  a __nowhere__ b\n", 4, 5, "found no list for __nowhere__"),
      ("prompt: x ${name} y", 1, 11, "${name}, which is not set"),
      ("prompt: x ${name", 1, 11, "closing brace"),
      ("prompt: x ${1} y", 1, 11, "variable's name"),
      ("prompt: x ${a b} y", 1, 15, "after the variable a"),
      ("prompt: x {${a=b}|c}", 1, 12, "set inside other syntax"),
      ("prompt: x ${a=${a}}${a}", 1, 15, "in its own value"),
      ("prompt: x %{a} y", 1, 11, "without $$"),
      ("prompt: x {0::a|0::b} y", 1, 11, "only weights of 0"),
      ("prompt: x {9999999999999999::a|b} y", 1, 12, "weight above"),
      ("prompt: x __colour(red)__", 1, 20, "without a value"),
      ("prompt: x __../colour__", 1, 11, "inside the folder"),
      ("prompt: a\nnegative_prompt: '{b|'", 2, 19, "closing brace"),
      ("prompt: fine\nprompt_append: ', {b'", 2, 19, "closing brace"),
    ]
    for (text, line, column, message) in cases {
      let errors = recipe(text + "\ndynamic_prompts: random\n").errors()
      #expect(errors.count == 1, "\(text): \(errors)")
      #expect(
        errors.first?.hasPrefix("\(folder("fish.yaml")):\(line):\(column): error: ") == true
          && errors.first?.contains(message) == true, "\(text): \(errors)")
    }
  }

  @Test func `an error in a list has its position there`() {
    for (name, place, message) in [
      ("open", "open.txt:2:5", "closing brace"), ("needy", "needy.txt:2:5", "${size}, which is not set"),
      ("loop", "loop2.txt:1:4", "includes itself (__loop__ → __loop2__ → __loop__)"),
    ] {
      let errors = recipe("prompt: __\(name)__\ndynamic_prompts: random").errors()
      #expect(
        errors.count == 1 && errors[0].contains("\(place): error: ") && errors[0].contains(message), "\(errors)")
    }
  }

  @Test func `a prompt that a key has twice or an escape hides is named by its character`() {
    let errors = recipe("prompt: \"\\x41 {b\"\ndynamic_prompts: random").errors()
    #expect(errors.count == 1 && errors[0].contains(":1:9: error: character 3 of the prompt: "), "\(errors)")
  }

  @Test func `hostile prompts end in errors`() throws {
    let deep = String(repeating: "{a|", count: 5000) + String(repeating: "}", count: 5000)
    let laughs =
      "${a0=lolololo}" + (1..<40).map { "${a\($0)=${a\($0 - 1)}${a\($0 - 1)}}" }.joined() + "${a39}"
    let chain = "${b0=x}" + (1..<900).map { "${b\($0)=${b\($0 - 1)}}" }.joined() + "${b899}"
    let hostile: [(prompt: String, message: String)] = [
      (deep, "nested levels"), (laughs, "longer than"), (chain, "nested variants, lists and variables"),
      (String(repeating: "{", count: 100_000), "nested levels"),
      ("{" + String(repeating: "[", count: 100_000), "closing brace"),
      ((1..<1200).map { "${v\($0)=x}" }.joined(), "more than 1000 variables"),
    ]
    for (prompt, message) in hostile {
      for mode in ["random", "combinatorial", "cyclical"] {
        let errors = recipe("prompt: '\(prompt)'\ndynamic_prompts: \(mode)").errors()
        #expect(errors.count == 1 && errors[0].contains(message), "\(errors.first?.prefix(300) ?? "none")")
      }
    }
    try folder.write("wildcards/nul.txt", "a\u{0}b\n")
    let nul = recipe("prompt: __nul__\ndynamic_prompts: random").errors()
    #expect(nul.count == 1 && nul[0].contains("NUL"), "\(nul)")
    // A long prompt works like a short one.
    let long = String(repeating: "a red fish, __ [x] ", count: 130_000)
    let jobs = try recipe("prompt: '\(long){a|b}'\ndynamic_prompts: combinatorial").jobs()
    #expect(jobs.map { $0.settings.prompt.utf8.count } == [long.utf8.count + 1, long.utf8.count + 1])
  }

  // MARK: Lists

  @Test func `lists are found in folders, trees and other places, the nearer first`() throws {
    try folder.write("wildcards/a/deep.yaml", "x:\n  y: [1::one, two]\n  z: single\n")
    try folder.write("models/wildcards/colour.txt", "hidden\n")
    try folder.write("models/wildcards/far.json", "{\"far\": {\"list\": [\"p\", {\"text\": \"q\", \"weight\": 0}]}}")
    try folder.write("wildcards/broken.yaml", "x: [")
    let mode = "dynamic_prompts: combinatorial"
    #expect(try prompts("prompt: __a/x/y__\n\(mode)") == ["one", "two"])
    #expect(try prompts("prompt: __x/y__\n\(mode)") == ["one", "two"])
    #expect(try prompts("prompt: __a/*__\n\(mode)") == ["one", "single", "two"])
    #expect(try prompts("prompt: __far/l[a-i]st__\n\(mode)") == ["p"])
    #expect(try prompts("prompt: '__a/x/{y|z}__'\n\(mode)") == ["one", "two", "single"])
    #expect(try prompts("prompt: __col?ur__\n\(mode)").count == 3)
    #expect(try recipe("prompt: __x/y__\n\(mode)").warnings().contains { $0.contains("broken.yaml") })
  }

  @Test func `patterns of names match as in Python`() {
    for (pattern, name, matches) in [
      ("a*", "a/b/c", true), ("*", "", true), ("a?c", "abc", true), ("a?c", "ac", false), ("[ab]x", "bx", true),
      ("[!ab]x", "bx", false), ("[a-c]", "b", true), ("[]]", "]", true), ("[", "[", true), ("**/b", "a/b", true),
      ("**/b", "b", false), ("*a*b*", "xxaxxbxx", true), ("*a*b*", "xxbxxaxx", false), ("A", "a", false),
    ] {
      #expect(NamePattern(pattern).matches(name) == matches, "\(pattern) \(name)")
    }
  }

  @Test func `ten thousand jobs are planned quickly`() throws {
    let text = "prompt: 'a {red|blue|green} {cat|dog}, __colour__, {2$$a|b|c}'\ndynamic_prompts: random\n"
    let plan = try recipe(text + "grid: {seed: '1, 2, ..., 10000'}").plan()
    let start = ContinuousClock.now
    let prompts = Set(plan.jobs.map(\.settings.prompt))
    #expect(prompts.count == 108)
    #expect(ContinuousClock.now - start < .seconds(20))
  }
}

/// Dynamic prompts in requests, whose images draw for themselves as the cells of recipes do.
@Suite struct DynamicRequestTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.write("wildcards/colour.txt", "red\nblue\ngreen # grass\n")
  }

  private func file(_ text: String, _ name: String = "fish.json", set overrides: [String] = []) -> RecipeText {
    var recipe = RecipeText(text, set: overrides)
    recipe.path = folder(name)
    return recipe
  }

  private static let prompt = "a {red|green|blue|black} {cat|dog|fox}, __colour__"
  private static let negative = "{2$$, $$blur|noise|text}"

  /// A request of twelve images, beginning with seed 5.
  private func request(_ options: String, _ more: String = "", set overrides: [String] = []) -> RecipeText {
    file(
      """
      {"prompt": "\(Self.prompt)", "negative_prompt": "\(Self.negative)", "seed": 5, "n_iter": 3, "batch_size": 4,
       "override_settings": {\(options)}\(more)}
      """, set: overrides)
  }

  /// The prompts of the recipe with the same texts and seeds.
  private func expected(_ mode: String, _ more: String = "") throws -> [[String]] {
    let recipe = file(
      """
      prompt: "\(Self.prompt)"
      negative_prompt: "\(Self.negative)"
      dynamic_prompts: \(mode)
      grid: {seed: "5, 6, ..., 16"}
      \(more)
      """, "fish.yaml")
    return try recipe.jobs().map { [$0.settings.prompt, $0.settings.negativePrompt] }
  }

  private func found(_ request: RecipeText) throws -> [[String]] {
    try request.jobs().map { [$0.settings.prompt, $0.settings.negativePrompt] }
  }

  @Test func `each image of a request has the prompts of the recipe's cell with its seed`() throws {
    let random = try expected("random")
    #expect(Set(random).count > 8)
    for options in [#""dynamic_prompts": "random""#, #""dynamic_prompts": true"#, #""dynamic_prompts": "Random""#] {
      #expect(try found(request(options)) == random, "\(options)")
    }
    #expect(try found(request("", set: ["dynamic_prompts=random"])) == random)
    #expect(try found(request(#""dynamic_prompts": "off""#, set: ["dynamic_prompts=random"])) == random)
    #expect(try found(request(#""dynamic_prompts": "cyclical""#)) == expected("cyclical"))
    let seeded = #""dynamic_prompts": "random", "prompt_seed": 7"#
    #expect(try found(request(seeded)) == expected("random", "prompt_seed: 7"))
    #expect(Set(try found(request(seeded))).count == 1)
    let settings = try request(#""dynamic_prompts": "random""#).jobs().map(\.settings)
    #expect(settings.map(\.seed) == Array(5...16))
    #expect(settings.allSatisfy { $0.promptTemplate == Self.prompt && $0.negativePromptTemplate == Self.negative })
    #expect(settings.allSatisfy { $0.hires == nil })
  }

  @Test func `draws for seeds of -1 are kept, and so are the prompts`() throws {
    let text = request(#""dynamic_prompts": "random", "prompt_seed": -1"#, #", "subseed": -1"#, set: ["seed=-1"])
    var seeds = SeedDraws()
    let recipe = try text.read()
    func prompts() throws -> [String] {
      try Plan(recipe: recipe, environment: PlanningEnvironment(), seeds: &seeds).jobs.map(\.settings.prompt)
    }
    let first = try prompts()
    #expect(Set(first).count == 1 && !first[0].contains("{"))
    for _ in 0..<20 { #expect(try prompts() == first) }
  }

  @Test func `without the option prompts are text, and one that looks dynamic is noted once`() throws {
    for options in ["", #""dynamic_prompts": "off""#, #""dynamic_prompts": false"#, #""dynamic_prompts": null"#] {
      let plain = request(options)
      #expect(try Set(found(plain)) == [[Self.prompt, Self.negative]], "\(options)")
      #expect(try plain.jobs().allSatisfy { $0.settings.promptTemplate.isEmpty })
      let warnings = try plain.warnings()
      let isSilent = options.contains("off") || options.contains("false")
      #expect(warnings.count == (isSilent ? 0 : 1), "\(options): \(warnings)")
      if let warning = warnings.first {
        #expect(warning.contains("fish.json:1:12: warning") && warning.contains("dynamic_prompts: random or cyclical"))
      }
    }
    let lines = file("{\"prompt\": \"a {b|c}\"}\n{\"prompt\": \"{d|e}\"}\n", "fish.jsonl")
    #expect(try lines.warnings().count == 1)
    #expect(try file(#"{"prompt": "a {x} {prompt} __colour__"}"#).warnings().isEmpty)
    #expect(try file(#"{"prompt": "a", "hr_prompt": "{b|c}"}"#).warnings().isEmpty)
    #expect(
      try file(#"{"prompt": "a", "hr_prompt": "{b|c}", "enable_hr": true, "denoising_strength": 0.5}"#)
        .warnings().count == 1)
  }

  @Test func `the second pass has prompts of its own, whose templates are kept`() throws {
    let more = #", "enable_hr": true, "denoising_strength": 0.5, "hr_prompt": "{big|huge|vast|wide} cat""#
    let recipe = try file(
      """
      prompt: "\(Self.prompt)"
      negative_prompt: "\(Self.negative)"
      enable_hr: true
      hr_prompt: "{big|huge|vast|wide} cat"
      dynamic_prompts: random
      grid: {seed: "5, 6, ..., 16"}
      """, "fish.yaml"
    ).jobs().map(\.settings)
    let settings = try request(#""dynamic_prompts": "random""#, more).jobs().map(\.settings)
    #expect(settings.count == 12 && settings.map(\.hires?.prompt) == recipe.map(\.hires?.prompt))
    #expect(Set(settings.map { $0.hires?.prompt ?? "" }).count > 2)
    for settings in settings + recipe {
      #expect(settings.hires?.promptTemplate == "{big|huge|vast|wide} cat")
      // Empty for the first pass's.
      #expect(settings.hires?.negativePromptTemplate == "" && settings.hires?.negativePrompt == "")
    }
    let own = try request(#""dynamic_prompts": "random""#, more + #", "hr_negative_prompt": "{blur|noise}""#).jobs()
    #expect(own.allSatisfy { $0.settings.hires?.negativePromptTemplate == "{blur|noise}" })
    #expect(Set(own.map { $0.settings.hires?.negativePrompt ?? "" }) == ["blur", "noise"])
  }

  @Test func `styles are resolved too, and a list's tag finds its LoRA`() throws {
    try folder.write(
      "styles.csv", "name,prompt,negative_prompt\nvaried,\"{prompt}, {oil|ink}\",\n")
    try folder.write("wildcards/tag.txt", "<lora:one:1>\n")
    let jobs = try file(
      #"""
      {"prompt": "a cat __tag__", "styles": ["varied"], "seed": 1, "n_iter": 8,
       "override_settings": {"dynamic_prompts": "random"}}
      """#
    ).jobs()
    #expect(Set(jobs.map(\.settings.prompt)) == ["a cat <lora:one:1>, oil", "a cat <lora:one:1>, ink"])
    #expect(jobs.allSatisfy { !$0.settings.adapterFolders.isEmpty })
  }

  @Test func `mistakes have their position in the request`() throws {
    func errors(_ text: String, _ name: String = "fish.json") -> [String] {
      file(text, name).errors().map { $0.replacingOccurrences(of: folder.path + "/", with: "") }
    }
    let combinatorial = errors(#"{"prompt": "a", "override_settings": {"dynamic_prompts": "combinatorial"}}"#)
    #expect(combinatorial.count == 1)
    #expect(
      combinatorial[0].hasPrefix(
        "fish.json:1:58: error: dynamic_prompts: found \"combinatorial\", expected off, random")
        && combinatorial[0].hasSuffix("because a request says how many images it has"), "\(combinatorial)")
    #expect(errors(#"{"prompt": "a", "override_settings": {"dynamic_prompts": 3}}"#).count == 1)
    let option = #""override_settings": {"dynamic_prompts": "random"}"#
    let open = errors("{\"prompt\": \"a\"}\n{\"prompt\": \"a {b|c\", \(option)}\n", "fish.jsonl")
    #expect(open.count == 1 && open[0].hasPrefix("fish.jsonl:2:15: error: "), "\(open)")
    let missing = errors("{\"prompt\": \"a __nothing__ cat\", \(option)}")
    #expect(missing.count == 1 && missing[0].hasPrefix("fish.json:1:15: error: "), "\(missing)")
    #expect(missing[0].contains("nothing"))
  }
}
