import Foundation
import JSON
import Recipes
import Settings
import Testing
import TestSupport

@Suite struct RecipeReaderTests {
  @Test func `the recipe of the design is read without warnings`() throws {
    let text = RecipeText(
      """
      model: demo
      vae:
      prompt: a red fish and a blue star on a white background
      negative_prompt: ""
      steps: 20
      cfg_scale: 7
      sampler_name: DPM++ SDE Karras
      width: 512
      height: 512
      rng: nv
      precision: auto
      grid:
        seed: 1, 2, ..., 8
        cfg_scale: [5, 7, 9.5]
        style:
          - {title: plain}
          - {title: oil, prompt_append: ", oil painting", cfg_scale: 9}
      zip:
        - {steps: [10, 20, 40], sampler_name: [Heun, Euler, Euler a]}
      exclude: [{cfg_scale: 9.5, steps: 10}]
      include: [{cfg_scale: 12, seed: 99}]
      output: Output/fish
      sheet: {x: cfg_scale, y: sampler_name}
      """)
    let recipe = try text.read()
    #expect(recipe.warnings.isEmpty)
    #expect(recipe.output == "Output/fish")
    #expect(recipe.sheet?.x == "cfg_scale")
    #expect(recipe.sheet?.y == "sampler_name")
    #expect(recipe.text == text.text)
    let jobs = try text.jobs()
    // 8 seeds × (3 plain + 3 oil, all of which have cfg 9) × 3 pairs, without the plain cfg 9.5 at 10 steps, and one.
    #expect(jobs.count == 8 * (3 + 3) * 3 - 8 + 1)
    let first = try #require(jobs.first)
    #expect(first.axes.map(\.name) == ["seed", "cfg_scale", "style", "steps", "sampler_name"])
    #expect(first.axes.map(\.title) == ["1", "5", "plain", "10", "Heun"])
    #expect(first.settings.scheduler == .automatic)
    let oil = try #require(jobs.first { $0.axes.count > 2 && $0.axes[2].title == "oil" })
    #expect(oil.settings.cfgScale == 9)
    #expect(oil.settings.prompt == "a red fish and a blue star on a white background, oil painting")
    let last = try #require(jobs.last)
    #expect(last.settings.cfgScale == 12)
    #expect(last.settings.seed == 99)
    #expect(last.settings.steps == 20)
    #expect(last.settings.sampler == .dpmPPSDE)
    #expect(last.settings.scheduler == .karras)
  }

  @Test func `an empty mapping of settings gets the defaults of the design`() throws {
    let recipe = try RecipeText("prompt:").read()
    #expect(recipe.output == "Output/fish")
    let job = try #require(try RecipeText("prompt:").jobs().first)
    var expected = ImageSettings()
    expected.seed = job.settings.seed
    #expect((0...4_294_967_293).contains(job.settings.seed))
    #expect(job.settings == expected)
    #expect(job.axes.isEmpty)
  }

  @Test func `all errors of a file are reported at once, each with its position, in order`() {
    let errors = RecipeText(
      """
      stpes: 20
      cfg_scale: high
      width: 500
      sampler_name: Euler b
      steps: 0
      steps: 5
      grid:
        seed: []
        scheduler: [karras, karas]
        cfg_scal: [1, 2]
        style:
          - {title: a, promt: x}
          - oil
        output: [a, b]
      zip:
        - eta: [0, 1]
          s_noise: [1, 1.1, 1.2]
          seed: [1, 2]
      exclude:
        - {stile: a}
        - {style: b}
        - {}
      include: {steps: 5}
      firstpass_image: other.png
      rng: tpu
      precision: int4
      """
    ).errors()
    #expect(
      errors == [
        #"fish.yaml:1:1: error: found the unknown name "stpes", expected a recipe key (did you mean "steps"?)"#,
        #"fish.yaml:2:12: error: cfg_scale: found "high", expected a number from -1000 to 1000"#,
        "fish.yaml:3:8: error: width: found 500, expected a multiple of 8 from 8 to 8192; "
          + "the nearest are 496 and 504",
        #"fish.yaml:4:15: error: sampler_name: found "Euler b", expected a sampler's name (did you mean "Euler a"?)"#,
        "fish.yaml:5:8: error: steps: found 0, expected a whole number from 1 to 10000",
        #"fish.yaml:6:1: error: found the key "steps" twice, expected it once; the first is in line 5"#,
        "fish.yaml:8:9: error: seed: found no values, expected at least one",
        #"fish.yaml:9:23: error: scheduler: found "karas", expected automatic, uniform, karras, exponential, "#
          + "polyexponential, sgm_uniform, kl_optimal, align_your_steps, simple, normal, ddim, beta or flux2 "
          + #"(did you mean "karras"?)"#,
        #"fish.yaml:10:3: error: found the unknown name "cfg_scal", expected a recipe key, or values of the form "#
          + #"{title: ..., key: ...} for an axis with another name (did you mean "cfg_scale"?)"#,
        #"fish.yaml:12:18: error: found the unknown name "promt", expected a setting of a job (did you mean "prompt"?)"#,
        #"fish.yaml:13:7: error: style: found "oil", expected {title: ..., key: ...}, because style is not a recipe key "#
          + #"(did you mean "styles"?)"#,
        "fish.yaml:14:3: error: found output as an axis, expected a setting of a job; output belongs to the top level",
        "fish.yaml:17:5: error: zip: found 3 values of s_noise, expected 2 as of eta, "
          + "because the axes of a group advance together",
        "fish.yaml:18:5: error: found a second axis seed, expected one; the first is in line 8",
        #"fish.yaml:20:6: error: found the unknown name "stile", expected a setting of a job or an axis "#
          + #"(did you mean "style"?)"#,
        "fish.yaml:22:5: error: found an empty mapping, which would exclude every cell; expected {key: value}",
        "fish.yaml:23:10: error: include: found a mapping, expected a list of mappings; put - before its first key",
        "fish.yaml:24:1: error: found firstpass_image, which is not supported by this version; "
          + "the first pass is always generated, remove it",
        #"fish.yaml:25:6: error: rng: found "tpu", expected nv or cpu"#,
        #"fish.yaml:26:12: error: precision: found "int4", expected auto, fp32, bf16 or int8 (did you mean "int8"?)"#,
      ])
  }

  @Test(arguments: [
    ("", "fish.yaml:1:1: error: found an empty file, expected a recipe, such as prompt: a red fish"),
    ("# nothing\n", "fish.yaml:1:1: error: found an empty file, expected a recipe, such as prompt: a red fish"),
    ("---\n", "fish.yaml:1:1: error: found an empty file, expected a recipe, such as prompt: a red fish"),
    (
      "a red fish",
      "fish.yaml:1:1: error: found \"a red fish\", expected a mapping of recipe keys, such as prompt: a red fish"
    ),
    ("- steps: 2", "fish.yaml:1:1: error: found a list, expected a mapping of recipe keys, such as prompt: a red fish"),
    ("steps: 20.5", "fish.yaml:1:8: error: steps: found 20.5, expected a whole number from 1 to 10000"),
    ("steps:", "fish.yaml:1:7: error: steps: found no value, expected a whole number from 1 to 10000"),
    ("steps: true", "fish.yaml:1:8: error: steps: found true, expected a whole number from 1 to 10000"),
    (
      "steps: 99999999999999999999999999",
      "fish.yaml:1:8: error: steps: found 99999999999999999999999999, expected a whole number from 1 to 10000"
    ),
    ("cfg_scale: .nan", "fish.yaml:1:12: error: cfg_scale: found .nan, expected a number from -1000 to 1000"),
    ("cfg_scale: 1e999", "fish.yaml:1:12: error: cfg_scale: found 1e999, expected a number from -1000 to 1000"),
    (
      "cfg_scale: [5, 7]",
      "fish.yaml:1:12: error: cfg_scale: found a list, expected a number from -1000 to 1000; several values make an axis, which belongs under grid"
    ),
    ("prompt: {a: b}", "fish.yaml:1:9: error: prompt: found a mapping, expected text"),
    ("seed: -2", "fish.yaml:1:7: error: seed: found -2, expected -1 or a whole number from 0 to 9223372036854775807"),
    (
      "seed: 9223372036854775808",
      "fish.yaml:1:7: error: seed: found 9223372036854775808, expected -1 or a whole number from 0 to 9223372036854775807"
    ),
    (
      "Steps: 5",
      "fish.yaml:1:1: error: found the unknown name \"Steps\", expected a recipe key (did you mean \"steps\"?)"
    ),
    (
      "sampler: Euler",
      "fish.yaml:1:1: error: found the unknown name \"sampler\", expected a recipe key (did you mean \"sampler_name\"?)"
    ),
    (
      "batch_size: 4",
      "fish.yaml:1:1: error: found batch_size, which is not supported by this version; make more images with a seed axis under grid"
    ),
    (
      "sampler_name: DDPM",
      "fish.yaml:1:15: error: sampler_name: found \"DDPM\", expected a sampler's name (did you mean \"DDIM\"?)"
    ),
    (
      "sampler_name: DPM++ 2M Karas",
      "fish.yaml:1:15: error: sampler_name: found \"DPM++ 2M Karas\", expected a sampler's name (did you mean \"DPM++ 2M Karras\"?)"
    ),
    (
      "sampler_name: [Euler]",
      "fish.yaml:1:15: error: sampler_name: found a list, expected a sampler's name; several values make an axis, which belongs under grid"
    ),
    (
      "scheduler: Turbo",
      "fish.yaml:1:12: error: scheduler: found \"Turbo\", which is not supported by this version, expected automatic, uniform, karras, exponential, polyexponential, sgm_uniform, kl_optimal, align_your_steps, simple, normal, ddim, beta or flux2"
    ),
    (
      "sampler_name: Euler\nsampler_index: Heun",
      "fish.yaml:2:1: error: found sampler_index, which sets sampler_name a second time; expected it once"
    ),
    (
      "sampler_name: DPM++ SDE Karras\nscheduler: exponential",
      "fish.yaml:2:12: error: scheduler: found exponential, but the sampler's name says karras; expected one of them, or DPM++ SDE as the sampler"
    ),
    (
      "grid: {seed: 1, 2, 3}",
      "fish.yaml:1:17: error: found the unknown name \"2\", expected a recipe key, or values of the form {title: ..., key: ...} for an axis with another name; inside braces a list needs brackets, as in {seed: [1, 2]}"
    ),
    ("grid: [seed]", "fish.yaml:1:7: error: grid: found a list, expected a mapping of axes, such as seed: [1, 2]"),
    ("grid: {seed: }", "fish.yaml:1:14: error: seed: found no values, expected at least one"),
    ("grid: {seed: {from: 1}}", "fish.yaml:1:14: error: seed: found a mapping, expected a list of values"),
    ("grid: {steps: [[1, 2]]}", "fish.yaml:1:16: error: steps: found a list within the list, expected a value"),
    (
      "grid: {steps: \"5,,7\"}", "fish.yaml:1:15: error: steps: found no value, expected a whole number from 1 to 10000"
    ),
    ("grid: {style: [{}]}", "fish.yaml:1:16: error: style: found an empty mapping, expected {title: ..., key: ...}"),
    (
      "grid: {stpes: [{value: 1}]}",
      "fish.yaml:1:17: error: found value on the axis stpes, expected the keys to set, because stpes is not a recipe key (did you mean \"steps\"?)"
    ),
    (
      "grid: {steps: [{value: 1, steps: 2}]}",
      "fish.yaml:1:27: error: found steps, which sets steps a second time; expected it once"
    ),
    (
      "zip: {seed: [1]}",
      "fish.yaml:1:6: error: zip: found a mapping, expected a list of groups, each a mapping of axes of equal length; put - before its first key"
    ),
    (
      "exclude: [{steps: {a: 1}}]",
      "fish.yaml:1:19: error: steps: found a mapping, expected a value or a list of values"
    ),
    (
      "grid: {look: [{title: a}]}\nexclude: [{look: b}]",
      "fish.yaml:2:18: error: look: found \"b\", expected a title of this axis (did you mean \"a\"?)"
    ),
    (
      "grid: {look: [{title: a}]}\nexclude: [{lok: a}]",
      "fish.yaml:2:12: error: found the unknown name \"lok\", expected a setting of a job or an axis (did you mean \"look\"?)"
    ),
    (
      "grid: {look: [{title: oil}]}\ninclude: [{look: oi}]",
      "fish.yaml:2:18: error: look: found \"oi\", expected a title of this axis (did you mean \"oil\"?)"
    ),
    ("exclude: [steps]", "fish.yaml:1:11: error: exclude: found \"steps\", expected a mapping such as {cfg_scale: 7}"),
    (
      "include: [{steps: [1, 2]}]",
      "fish.yaml:1:19: error: steps: found a list, expected a whole number from 1 to 10000; several values make an axis, which belongs under grid"
    ),
    (
      "include: [{grid: 1}]",
      "fish.yaml:1:12: error: found the unknown name \"grid\", expected a setting of a job or an axis"
    ),
    ("output: \"\"", "fish.yaml:1:9: error: output: found \"\", expected a path"),
    ("output: [a]", "fish.yaml:1:9: error: output: found a list, expected a path"),
    (
      "webhook: [a]",
      "fish.yaml:1:10: error: webhook: found a list, expected an address, {url: ..., per: run, send_images: false}, or null"
    ),
    (
      "webhook: ftp://name:secret@host/",
      "fish.yaml:1:10: error: webhook: expected an address that begins with http:// or https:// and names a host"
    ),
    ("webhook: {per: run}", "fish.yaml:1:10: error: webhook: found no url, expected one"),
    (
      "webhook: {url: http://x/, pre: run}",
      "fish.yaml:1:27: error: found the unknown name \"pre\", expected url, per or send_images (did you mean \"per\"?)"
    ),
    (
      "webhook: {url: http://x/, per: image}",
      "fish.yaml:1:32: error: per: found \"image\", expected run, job or [run, job]"
    ),
    (
      "webhook: {url: http://x/, per: []}",
      "fish.yaml:1:32: error: per: found an empty list, expected run, job or [run, job]"
    ),
    (
      "webhook: {url: http://x/, send_images: 2}",
      "fish.yaml:1:40: error: send_images: found 2, expected true or false"
    ),
    (
      "sheet: {x: sedd, z: seed}\ngrid: {seed: [1]}",
      "fish.yaml:1:12: error: x: found \"sedd\", expected the name of an axis (did you mean \"seed\"?)"
    ),
    (
      "sheet: {x: seed, y: seed}\ngrid: {seed: [1]}",
      "fish.yaml:1:21: error: y: found seed a second time, expected every axis once"
    ),
    (
      "styles: [{title: a}]",
      "fish.yaml:1:10: error: styles: found a mapping, expected the name of a style"
    ),
    (
      "medium: [{title: a}]",
      "fish.yaml:1:1: error: found the unknown name \"medium\", expected a recipe key; axes belong under grid"
    ),
  ])
  func `an error has its position, what was found and what was expected`(_ text: String, _ message: String) {
    #expect(RecipeText(text).errors().first == message)
  }

  @Test func `a text key takes any scalar as its text`() throws {
    func prompt(_ text: String) throws -> String? { try RecipeText("prompt: \(text)").jobs().first?.settings.prompt }
    #expect(try prompt("2001") == "2001")
    #expect(try prompt("0x10") == "0x10")
    #expect(try prompt("no") == "no")
    #expect(try prompt("true") == "true")
    #expect(try prompt("1.50") == "1.50")
    #expect(try prompt("null") == "")
    #expect(try prompt("'null'") == "null")
    let titles = try RecipeText("grid: {mood: [{title: yes}, {title: 007}, {title: 1.0}]}").jobs().map(\.axes[0].title)
    #expect(titles == ["yes", "007", "1.0"])
  }

  @Test func `names match in any letter case, numbers in any form`() throws {
    let job = try #require(
      try RecipeText(
        """
        sampler_index: dpm++ 2m sde KARRAS
        scheduler: Karras
        rng: CPU
        precision: FP32
        prediction_type: V_Prediction
        steps: "0x10"
        width: 640.0
        height: 1e2
        cfg_scale: .5
        s_tmax: .inf
        """.replacingOccurrences(of: "1e2", with: "1.2e2")
      ).jobs().first)
    #expect(job.settings.sampler == .dpmPP2MSDE)
    #expect(job.settings.scheduler == .karras)
    #expect(job.settings.rng == .cpu)
    #expect(job.settings.precision == .fp32)
    #expect(job.settings.predictionType == .vPrediction)
    #expect(job.settings.steps == 16)
    #expect(job.settings.width == 640)
    #expect(job.settings.height == 120)
    #expect(job.settings.cfgScale == 0.5)
    #expect(job.settings.sTmax == nil)
  }

  @Test func `every setting reaches the job under its coding key`() throws {
    let text = """
      prompt: p
      negative_prompt: n
      seed: 9223372036854775807
      steps: 3
      cfg_scale: 1.25
      sampler_name: Heun
      scheduler: polyexponential
      width: 64
      height: 72
      rng: cpu
      clip_skip: 2
      eta: 0.5
      s_churn: 1.5
      s_tmin: 0.1
      s_tmax: 12
      s_noise: 1.01
      precision: fp32
      prediction_type: epsilon
      model: demo
      """
    let parameters = try #require(try RecipeText(text).jobs().first).settings
    var writer = JSONWriter()
    parameters.writePlanned(to: &writer)
    let data = Data(writer.bytes)
    let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: ": ")
      let name = String(parts[0])
      guard name != "model" else { continue }
      let value = object[name].map { "\($0)" } ?? ""
      #expect(value == parts[1] || Double(value) == Double(String(parts[1])), "\(name)")
    }
    // A recipe can set everything in a job, except the folders of its networks, which follow from its own folder.
    let known = RecipeKey.all.flatMap { [$0.name] + $0.aliases } + ["adapter_places"]
    for name in object.keys { #expect(known.contains(name)) }
  }

  @Test func `problems that do not keep the recipe from running are warnings with positions`() throws {
    let text = RecipeText(
      """
      webhook: http://127.0.0.1/?***
      sheet: {x: steps}
      grid:
        cfg_scale: [5, 5.0, 5]
        look: [{title: a, cfg_scale: 3}, {title: b, cfg_scale: 4}]
      exclude: [{cfg_scale: 8}]
      """)
    #expect(
      try text.warnings() == [
        "fish.yaml:1:10: warning: webhook: found an address whose secrets were removed (***), so nothing will be sent; "
          + "give the whole address with --set webhook=...",
        "fish.yaml:2:12: warning: x: found steps, which is not an axis of this recipe; it is ignored",
        "fish.yaml:4:3: warning: the axis cfg_scale has no effect, because every value of look sets cfg_scale after it",
        #"fish.yaml:4:14: warning: cfg_scale: found "5" more than once, expected different values"#,
        "fish.yaml:6:11: warning: exclude: no cell matches",
      ])
    #expect(try RecipeText("webhook:\nvae:\ngrid:\nexclude: []\nx-notes: {any: thing}").warnings() == [])
  }

  @Test func `the report about a file full of mistakes has bounded length`() {
    let text = "grid:\n  steps: [" + Array(repeating: "x", count: 100_000).joined(separator: ",") + "]"
    let errors = RecipeText(text).errors()
    #expect(errors.count == 1001)
    #expect(errors.last?.contains("there may be more") == true)
    let long = RecipeText("steps: " + String(repeating: "y", count: 1 << 20)).errors()
    #expect(long.first?.utf8.count ?? 0 < 200)
  }

  @Test func `text that splits into millions of values ends in an error`() {
    for text in [String(repeating: "1,", count: 400_000), String(repeating: "\"a || ", count: 400_000)] {
      let quoted = "'" + text + "'"
      #expect(RecipeText("grid: {steps: \(quoted)}").errors().first?.contains("found too many values") == true)
    }
  }

  @Test func `files that cannot be read are reported by name`() throws {
    let reader = RecipeReader(environment: PlanningEnvironment())
    #expect { try reader.read(path: "/nowhere/fish.yaml") } throws: { error in
      "\(error)" == "/nowhere/fish.yaml: error: no such file"
    }
    #expect { try reader.read(path: "/dev/zero") } throws: { "\($0)".contains("more than 8388608 bytes") }
    let folder = try TemporaryFolder(["notes.txt"])
    #expect { try reader.read(path: folder.path) } throws: { error in
      "\(error)" == "\(folder.path): error: found a folder without .json and .jsonl files, expected requests in it"
    }
  }

  @Test(arguments: [
    ("stpes", "steps"), ("setps", "steps"), ("cfg", "cfg_scale"), ("CFG Scale", "cfg_scale"),
    ("negativ_prompt", "negative_prompt"),
    ("negative", "negative_prompt"), ("widht", "width"), ("samplername", "sampler_name"), ("zzz", nil), ("", nil),
    ("hieght", "height"), ("see", "seed"), ("modle", "model"), ("x", nil),
  ])
  func `a mistyped name finds the intended one`(_ text: String, _ name: String?) {
    #expect(NearestName.find(text, among: RecipeKey.all.map(\.name)) == name)
  }

  @Test func `a sheet assigns axes to its directions`() throws {
    let recipe = try RecipeText(
      """
      sheet: {x: look, y: steps, super_x: ~, pages: [sampler_index, eta]}
      grid: {look: [{title: a}], steps: [1], eta: [0], sampler_name: [Euler]}
      """
    ).read()
    #expect(recipe.warnings.isEmpty)
    let sheet = try #require(recipe.sheet)
    #expect(sheet.x == "look")
    #expect(sheet.y == "steps")
    #expect(sheet.superX == nil)
    #expect(sheet.pages == ["sampler_name", "eta"])
  }
}
