import Foundation
import JSON
import Recipes
import Settings
import Testing

@Suite struct OverrideTests {
  static let fish: String = """
    # A comment.
    x-oil: &oil {title: "oil: thick", prompt_append: ", oil", seed: 12}
    prompt: >-
      a fish,
      red
    sampler_index: Heun
    grid:
      steps: [1, 2, ..., 5]
      cfg_scale: "0.5, 0.75, ..., 1.5"
      style: [{title: yes}, *oil, {<<: *oil, title: wet oil, eta: 0.5}]
    zip:
      - {width: [64, 72], height: 72 || 64}
      - eta: [0, 1]
    exclude: [{steps: 3}, {style: wet oil, cfg_scale: [0.5, 1]}]
    include: [{steps: 9, style: "oil: thick"}]
    output: a/b
    vae:
    """

  private func jobs(_ overrides: [String]) throws -> [Job] {
    var seeds = SeedDraws(seeds: ["seed": 5])
    return Array(try RecipeText(Self.fish, set: overrides).plan(seeds: &seeds).jobs)
  }

  @Test func `an override replaces the base value and removes the key's axis or zip member`() throws {
    #expect(try jobs([]).count == 2 * 2 * (4 * 5 * 3 - 4 * 2) + 1)
    let stepped = try jobs(["steps=7"])
    #expect(Set(stepped.dropLast().map(\.settings.steps)) == [7])
    #expect(stepped.last?.settings.steps == 9)
    #expect(stepped.first?.axes.map(\.name) == ["cfg_scale", "style", "width", "height", "eta"])
    #expect(try jobs(["eta=0.25"]).first?.axes.map(\.name) == ["steps", "cfg_scale", "style", "width", "height"])
    #expect(try jobs(["width=8"]).first?.axes.map(\.name) == ["steps", "cfg_scale", "style", "height", "eta"])
    let named = try jobs(["sampler_name=euler a"])
    #expect(Set(named.map(\.settings.sampler)) == [.eulerAncestral])
    #expect(try jobs(["zip=", "grid={seed: [1, 2]}", "exclude=", "include=[]"]).map(\.settings.seed) == [1, 2])
    #expect(try jobs(["steps=7", "steps=8"]).first?.settings.steps == 8)
  }

  @Test(arguments: [
    ("a cat", "a cat"), ("", ""), ("\"quoted \\u00e9\"", "quoted é"), ("'it''s'", "it's"),
    ("[fox:dog:0.5], (x:1.2) #1, a: b", "[fox:dog:0.5], (x:1.2) #1, a: b"), ("{a|b}", "{a|b}"), ("a=b=c", "a=b=c"),
    ("\"a\" and \"b\"", "\"a\" and \"b\""), ("2001", "2001"), ("two\nlines", "two\nlines"), ("@x", "@x"),
    ("a # b", "a # b"), ("a\u{2028}b: c\u{FFFF}", "a\u{2028}b: c\u{FFFF}"),
  ])
  func `an override of a prompt takes the text literally`(_ typed: String, _ prompt: String) throws {
    let text = RecipeText("prompt: x\nenable_prompt_comments: false", set: ["prompt=\(typed)"])
    #expect(try text.jobs().first?.settings.prompt == prompt)
    #expect(try RecipeText(try text.read().text).jobs().first?.settings.prompt == prompt)
  }

  @Test func `an error in an override names the option, and comes after those of the file`() {
    let errors = RecipeText("stesp: 3", set: ["cfg_scale=x", "oops", "wdith=5", "grid={seed: []}", "=3", "seed=[1"])
      .errors()
    #expect(
      errors == [
        #"fish.yaml:1:1: error: found the unknown name "stesp", expected a recipe key (did you mean "steps"?)"#,
        #"--set cfg_scale=x: error: cfg_scale: found "x", expected a number from -1000 to 1000"#,
        #"--set oops: error: found "oops", expected key=value"#,
        #"--set wdith=5: error: found the unknown name "wdith", expected a recipe key (did you mean "width"?)"#,
        "--set grid={seed: []}: error: seed: found no values, expected at least one",
        #"--set =3: error: found "=3", expected key=value"#,
        "--set seed=[1: error: not valid YAML: did not find expected ',' or ']' while parsing a flow sequence from line 1",
      ])
  }

  @Test(arguments: [
    [], ["steps=7"], ["prompt=a: [b] #c \u{1F41F}\n é"], ["width=128", "eta=0", "height=8"],
    ["vae=none", "output=x y"],
    ["exclude=[{steps: [1, 2]}]", "sheet={x: style}"], ["include="], ["webhook=http://x/"],
    ["webhook={url: http://x/, per: [job, run], send_images: true}"],
    ["grid=", "zip=", "exclude=", "include=[{seed: 3}]"],
  ])
  func `the effective recipe reads back as the same recipe`(_ overrides: [String]) throws {
    let recipe = try RecipeText(Self.fish, set: overrides).read()
    if overrides.isEmpty { #expect(recipe.text == Self.fish) }
    var again = RecipeText(recipe.text)
    again.path = "recipe.yaml"
    let copy = try again.read()
    #expect(copy.json == recipe.json)
    #expect(copy.sheet == recipe.sheet)
    #expect(copy.webhook == recipe.webhook)
    #expect(copy.output == recipe.output)
    var seeds = SeedDraws(seeds: ["seed": 5])
    let copied = Array(try Plan(recipe: copy, environment: PlanningEnvironment(), seeds: &seeds).jobs)
    let original = try jobs(overrides)
    #expect(copied.count == original.count)
    #expect(copied == original)
  }

  @Test func `the recipe as JSON has what the file says, with aliases expanded`() throws {
    let recipe = try RecipeText(
      """
      prompt: 2001
      steps: 20
      cfg_scale: 7.5
      vae:
      grid: {prompt: [1, no], seed: "1, 2", style: [{title: 5, value: 1, eta: 1.0, prompt_append: 7}]}
      """.replacingOccurrences(of: "value: 1, ", with: ""), set: ["steps=30"]
    ).read()
    let data = Data(recipe.json.jsonText.utf8)
    let expected = """
      {"prompt": "2001", "steps": 30, "cfg_scale": 7.5, "vae": null,
       "grid": {"prompt": ["1", "no"], "seed": "1, 2", "style": [{"title": "5", "eta": 1.0, "prompt_append": "7"}]}}
      """
    #expect(
      try JSONSerialization.jsonObject(with: data) as? NSDictionary
        == JSONSerialization.jsonObject(with: Data(expected.utf8)) as? NSDictionary)
    #expect(recipe.json["steps"] == .integer(30))
    #expect(recipe.json["prompt"] == .string("2001"))
  }
}
