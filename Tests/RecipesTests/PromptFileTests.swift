import Foundation
import Settings
import Testing
import TestSupport

@testable import Recipes

@Suite struct PromptFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func recipe(_ text: String) -> RecipeText {
    var recipe = RecipeText(text)
    recipe.path = folder("fish.yaml")
    return recipe
  }

  private func jobs(_ name: String, _ content: String, _ more: String = "") throws -> [Job] {
    try folder.write(name, content)
    return try recipe("seed: 1\nprompts_from: \(name)\n" + more).jobs()
  }

  private func errors(_ name: String, _ content: String) throws -> [String] {
    try folder.write(name, content)
    return recipe("prompts_from: \(name)").errors().map { $0.replacingOccurrences(of: folder.path + "/", with: "") }
  }

  // MARK: Lines

  @Test func `each line is a prompt, before all other axes`() throws {
    let made = try jobs(
      "list.txt", "\u{FEFF}a red fish\r\n\n# a comment\n  a dog -- with a ball, it's \"good\"\n(x:1.2)",
      "negative_prompt: no\ngrid: {cfg_scale: [5, 7]}")
    #expect(
      made.map(\.settings.prompt) == [
        "a red fish", "a red fish", "a dog -- with a ball, it's \"good\"", "a dog -- with a ball, it's \"good\"",
        "(x:1.2)", "(x:1.2)",
      ])
    #expect(made.map(\.settings.cfgScale) == [5, 7, 5, 7, 5, 7])
    #expect(made[0].axes.map(\.name) == ["prompts_from", "cfg_scale"])
    #expect(made[2].axes[0].title == "a dog -- with a ball, it's \"good\"")
    #expect(made.allSatisfy { $0.settings.negativePrompt == "no" })
  }

  @Test func `a line may have the options of the webui's script`() throws {
    try folder.write("styles.csv", "name,prompt\nink,\"{prompt}, ink\"\n")
    try folder.write("models/other.safetensors", "")
    let line =
      #"--prompt "photo of sunset" more words --negative_prompt blurry text --styles ink --seed 100 --subseed 3 "#
      + #"--subseed_strength 0.5 --seed_resize_from_w 64 --seed_resize_from_h 96 --sampler_name "DPM++ 2M Karras" "#
      + "--steps 30 --cfg_scale 4.5 --width 640 --height 768 --restore_faces false --tiling true --sd_model other "
      + "--do_not_save_samples no --do_not_save_grid true --prompt_for_display x --eta 0.5"
    let settings = try #require(try jobs("list.txt", line).first).settings
    #expect(settings.prompt == "photo of sunset more words, ink")
    #expect(settings.negativePrompt == "blurry text")
    #expect(settings.seed == 100 && settings.subseed == 3 && settings.subseedStrength == 0.5)
    #expect(settings.seedResizeFromW == 64 && settings.seedResizeFromH == 96)
    #expect(settings.sampler == .dpmPP2M && settings.scheduler == .karras)
    #expect(settings.steps == 30 && settings.cfgScale == 4.5 && settings.width == 640 && settings.height == 768)
    #expect(!settings.restoreFaces && settings.tiling && settings.eta == 0.5)
    #expect(settings.model.path?.hasSuffix("models/other.safetensors") == true)
  }

  @Test func `a line's batch has the next seeds, or the next subseeds`() throws {
    let made = try jobs(
      "list.txt",
      "--prompt a --n_iter 2 --batch_size 2 --seed 10\n--prompt b --batch_size 2\n"
        + "--prompt c --n_iter 2 --subseed 7 --subseed_strength 0.2\nd")
    #expect(made.map(\.settings.prompt) == ["a", "a", "a", "a", "b", "b", "c", "c", "d"])
    #expect(made.map(\.settings.seed) == [10, 11, 12, 13, 1, 2, 1, 1, 1])
    #expect(made.map(\.settings.subseed)[6...7] == [7, 8])
    #expect(made[1].axes[0].title.hasSuffix("(2 of 4)"))
  }

  @Test func `words are split as in a shell`() throws {
    func options(_ line: String) throws -> [String] {
      try PromptFileLine(line).options.map { "\($0.name)=\($0.value)" }
    }
    #expect(try options(#"--prompt a\ b 'c "d" \e' "f \"g\" \h" i"j"k"#) == [#"prompt=a b c "d" \e f "g" \h ijk"#])
    #expect(try options("--a ''  --b \t1") == ["a=", "b=1"])
    for (line, column) in [("--prompt it's", 12), ("--prompt \"a", 10), ("--a", 1), ("--a 1 2", 7), ("--a b\\", 6)] {
      #expect(throws: PromptFileLine.Problem.self) { try options(line) }
      do { _ = try PromptFileLine(line) } catch { #expect(error.column == column, "\(line)") }
    }
  }

  @Test func `errors have their line and column`() throws {
    #expect(
      try errors(
        "list.txt",
        "fine\n  --prompt \"a\" --steps many\n--prompt it's\n--nonsense 3\n--outpath_samples x --prompt a\n--n_iter 0 --prompt b\n"
      ).map { $0.split(separator: " ").prefix(4).joined(separator: " ") } == [
        "list.txt:2:24: error: steps: found", "list.txt:3:12: error: found an", "list.txt:4:1: error: found the",
        "list.txt:5:1: error: found --outpath_samples,", "list.txt:6:10: error: --n_iter: found",
      ])
    #expect(try errors("empty.txt", "\n# x\n")[0].contains(":1:15: error: prompts_from: found no prompts"))
    #expect(recipe("prompts_from: nowhere.txt").errors()[0].contains("there is none in"))
    #expect(recipe("prompts_from: {a: b}").errors().count == 1)
    #expect(
      try errors("nul.txt", "a\nb\u{0}\n") == ["nul.txt:2:1: error: found a NUL character, expected prompts in UTF-8"])
    try folder.write("latin.txt", "x")
    try Data([0x61, 0xE9, 0x0A]).write(to: URL(fileURLWithPath: folder("latin.txt")))
    #expect(recipe("prompts_from: latin.txt").errors()[0].contains("not UTF-8"))
  }

  // MARK: Tables

  @Test func `the columns of a table are keys`() throws {
    let made = try jobs(
      "list.csv",
      "prompt,steps,CFG Scale,title,size\r\n\"a \"\"fine\"\" fish, red\",30,4.5,one,64x96\nb,,,,\n\"c\nd\",10\n")
    #expect(made.map(\.settings.prompt) == ["a \"fine\" fish, red", "b", "c\nd"])
    #expect(made.map(\.settings.steps) == [30, 20, 10])
    #expect(made[0].settings.cfgScale == 4.5 && made[0].settings.height == 96)
    #expect(made.map(\.axes[0].title) == ["one", "b", "c\nd, steps: 10"])
    let tabs = try jobs("list.tsv", "prompt\tseed\na, b\t5\n\"c\td\"\t6\n")
    #expect(tabs.map(\.settings.prompt) == ["a, b", "c\td"] && tabs.map(\.settings.seed) == [5, 6])
  }

  @Test func `each line of JSON is an object of keys`() throws {
    let made = try jobs(
      "list.jsonl",
      #"{"prompt": "a \"b\"", "steps": 5, "styles": [], "guidance_interval": [0.2, 0.8], "seed": -1}"# + "\n\n"
        + #"{"negative_prompt": "n", "cfg_scale": 3, "sampler_name": null}"#,
      "prompt: own")
    #expect(made.map(\.settings.prompt) == ["a \"b\"", "own"])
    #expect(made[0].settings.steps == 5 && made[0].settings.seed >= 0 && made[1].settings.negativePrompt == "n")
  }

  @Test func `errors of tables have their line`() throws {
    #expect(
      try errors("list.csv", "prompt,stesp,output,prompt\na,1,2,3\n").map { String($0.prefix(40)) } == [
        "list.csv:1:1: error: column 2: found the", "list.csv:1:1: error: column 3: found the",
        "list.csv:1:1: error: column 4: found pro",
      ])
    let rows = try errors("list.csv", "prompt,steps\na,1,2\nb,0\n\nc,3\n\"d,4\n")
    #expect(rows.count == 1 && rows[0].hasPrefix("list.csv:6:1: error: found an unclosed quote"), "\(rows)")
    let wrong = try errors("list.csv", "prompt,steps\na,1,2\nb,0\n\nc,x\n")
    #expect(wrong.map { $0.prefix(14) } == ["list.csv:2:1: ", "list.csv:3:1: ", "list.csv:5:1: "], "\(wrong)")
    let objects = try errors("list.jsonl", "{\"prompt\": \"a\"}\n[1]\n{\"steps\": \"x\"}\n{\"promt\": 1}\n")
    #expect(
      objects.map { $0.prefix(16) } == ["list.jsonl:2:1: ", "list.jsonl:3:11:", "list.jsonl:4:2: "], "\(objects)")
    #expect(try errors("list.jsonl", "{\"prompt\": \"a\"")[0].hasPrefix("list.jsonl:1:15: error: not JSON"))
  }

  // MARK: With other axes

  @Test func `several files make one axis, and dynamic prompts resolve its lines`() throws {
    try folder.write("one.txt", "a {red|blue} fish\nplain\n")
    try folder.write("two.csv", "prompt\n{x|y|z}\n")
    let text = "prompts_from: [one.txt, two.csv]\nseed: 1\n"
    let made = try recipe(text + "dynamic_prompts: combinatorial").jobs()
    #expect(made.map(\.settings.prompt) == ["a red fish", "a blue fish", "plain", "x", "y", "z"])
    #expect(try recipe(text + "dynamic_prompts: random").jobs().count == 3)
    try folder.write("bad.txt", "fine\n   a {red|blue fish\n")
    let errors = recipe("prompts_from: bad.txt\ndynamic_prompts: random").errors()
    #expect(errors.count == 1 && errors[0].contains("bad.txt:2:6: error: found {"), "\(errors)")
  }

  @Test func `ten thousand lines are planned quickly`() throws {
    var text = ""
    for line in 1...10_000 {
      text += "a red fish and a blue star number \(line), on a white background, __x, {soft|hard} light\n"
    }
    let start = ContinuousClock.now
    let made = try jobs("long.txt", text, "dynamic_prompts: random")
    #expect(made.count == 10_000 && Set(made.map(\.settings.prompt)).count == 10_000)
    // A release build takes well under a second; tests run without optimisation, and several at once.
    #expect(ContinuousClock.now - start < .seconds(60))
  }
}
