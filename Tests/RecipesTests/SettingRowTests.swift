import Infotext
import JSON
import Testing
import TestSupport

@testable import Recipes
@testable import Settings

/// Checks all rows of the table of settings: everything that is derived from rows must exist for each of them.
///
/// Exceptions are listed here, so that an incomplete row fails.
@Suite struct SettingRowTests {
  /// Rows that do not affect pixels.
  private static let withoutEffect: Set<String> = [
    "adapter_places", "face_places", "memory_limit", "negative_prompt_template", "prompt_template", "part_places",
    "save_images_before_face_restoration", "format",
    "also", "quality", "webp_lossless", "file_name", "hr_negative_prompt_template", "hr_prompt_template",
  ]
  /// Rows that infotexts have under another row's key, above the settings line, or not at all.
  private static let withoutInfotext: Set<String> = [
    "adapter_places", "prompt", "negative_prompt", "height", "seed_resize_from_h", "hr_resize_y", "memory_limit",
    "face_places", "face_restoration_model", "code_former_weight", "part_places",
    "save_images_before_face_restoration", "format", "also", "quality", "webp_lossless", "file_name",
  ]
  /// Rows that the webui's infotexts do not have, although they affect pixels.
  private static let notRead: Set<String> = ["code_former_weight"]
  /// A folder with the model files that the changed settings name.
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder(["a.safetensors", "b.safetensors"])
  }

  @Test func `every property has a row`() {
    func properties(_ part: Any) -> Int { Mirror(reflecting: part).children.count }
    #expect(properties(PassSettings()) == SettingRow.all.filter { $0.pass == .every }.count)
    #expect(properties(HiresSettings()) == SettingRow.all.filter { $0.pass == .second }.count)
  }

  // MARK: Identity

  @Test func `every row that may affect pixels has an effect`() {
    for row in SettingRow.all {
      let affects = bases.contains { base in
        var changed = base
        row.set(another(row.value(of: base), row), in: &changed)
        return row.affectsPixels(image(base)) || row.affectsPixels(image(changed))
      }
      #expect(affects != Self.withoutEffect.contains(row.key), "\(row.key)")
    }
  }

  @Test(arguments: SettingRow.all.map(\.key))
  func `a changed value changes the identity exactly if its row affects pixels`(key: String) throws {
    let row = try #require(SettingRow.named(key))
    var hasChanged = false
    for base in bases {
      let before = image(base)
      var settings = base
      #expect(row.set(another(row.value(of: base), row), in: &settings))
      let after = image(settings)
      let affects = row.affectsPixels(before) || row.affectsPixels(after)
      let changes = JobID(before.settings, before.ingredients) != JobID(after.settings, after.ingredients)
      if changes { #expect(affects, "\(key) with \(base.sampler)") }
      // Computed members may be equal for two values, such as the schedule for `automatic` and the sampler's default.
      if affects, row.effect.member != nil, row.effect.member?.value == nil { #expect(changes, "\(base.sampler)") }
      hasChanged = hasChanged || changes
    }
    #expect(hasChanged != Self.withoutEffect.contains(key))
  }

  // MARK: Files of a run

  @Test(arguments: SettingRow.all.map(\.key))
  func `a changed value is read back from a plan and is in the manifest`(key: String) throws {
    let row = try #require(SettingRow.named(key))
    for base in bases {
      var settings = base
      row.set(another(row.value(of: base), row), in: &settings)
      var writer = JSONWriter()
      settings.writePlanned(to: &writer)
      // A setting without effect, such as a switch point without a refiner, may be left out of the plan.
      var expected = settings
      if !row.isShown(settings) { row.set(row.defaultValue, in: &expected) }
      #expect(try ImageSettings(planned: written(writer)) == expected)
      guard row.isRecipeKey, row.pass == .every || settings.hires != nil, row.isShown(settings) else { continue }
      writer = JSONWriter()
      image(settings).writeShown(to: &writer)
      let shown = try written(writer)
      let value = try #require(shown[key], "\(key) is not in the manifest")
      if row.shown == nil { #expect(value == row.value(of: settings).json) }
    }
  }

  private func written(_ writer: JSONWriter) throws -> JSONValue {
    try writer.bytes.withUnsafeBufferPointer { try JSONValue(parsing: $0) }
  }

  // MARK: Infotext

  @Test(arguments: SettingRow.all.map(\.key))
  func `a changed value is read back from the infotext`(key: String) throws {
    let row = try #require(SettingRow.named(key))
    var isRead = false
    for base in bases {
      var settings = base
      row.set(another(row.value(of: base), row), in: &settings)
      let image = image(settings)
      guard row.affectsPixels(image) else { continue }
      let text = Infotext(settings, image.ingredients, version: "1").text
      let parsed = InfotextSettings(ParsedInfotext(text))
      #expect(parsed.isComplete, "\(parsed.remarks)")
      if !Self.notRead.contains(key) {
        #expect(Self.recorded(row, parsed.settings) == Self.recorded(row, settings), "\(text)")
      }
      isRead = true
      for entry in row.infotext where entry.readers != .info && entry.written(row, image) != nil {
        #expect(text.contains(entry.key))
      }
    }
    #expect(isRead != Self.withoutEffect.contains(key))
    #expect(row.infotext.isEmpty == Self.withoutInfotext.contains(key))
  }

  /// The value as an infotext can represent it: models by name, and what is in use.
  private static func recorded(_ row: SettingRow, _ settings: ImageSettings) -> JSONValue {
    switch row.key {
    case "scheduler": .string(settings.effectiveSchedule.rawValue)
    case "hr_scheduler": .string(settings.secondPass?.effectiveSchedule.rawValue ?? "")
    case "hr_sampler_name": .string(settings.secondPass?.sampler.rawValue ?? "")
    case "hr_prompt": .string(settings.secondPass?.prompt ?? "")
    case "hr_negative_prompt": .string(settings.secondPass?.negativePrompt ?? "")
    case "hr_upscaler": .string(settings.hires?.effectiveUpscaler.name ?? "")
    case "token_merging_ratio_hr": .number(settings.secondPass?.tokenMergingRatio ?? 0)
    default: row.value(of: settings).json
    }
  }

  // MARK: Recipes and requests

  @Test(arguments: SettingRow.all.filter(\.isRecipeKey).map(\.key))
  func `a recipe sets it by its key, its aliases and the labels of the webui's plot`(key: String) throws {
    let row = try #require(SettingRow.named(key))
    let (value, text) = inFile(row)
    for name in [row.key] + row.aliases {
      let recipe = "enable_hr: true\nrefiner_checkpoint: a.safetensors\n".replacing(
        row.key == "refiner_checkpoint" ? "refiner_checkpoint: a.safetensors\n" : "-", with: "")
      let job = try #require(try read(recipe + "\(name): \(text)\n").jobs().first)
      #expect(row.value(of: job.settings).matches(value) || value.matches(row.value(of: job.settings)), "\(name)")
    }
    for label in row.plotLabels {
      let job = try #require(try read("enable_hr: true\ngrid: {\"\(label)\": [\(text)]}\n").jobs().first)
      #expect(value.matches(row.value(of: job.settings)), "\(label)")
      #expect(job.axes.map(\.name) == [row.key])
    }
    #expect(RecipeSchema.json["properties"]?[key]?["description"] == .string(row.summary))
  }

  @Test(arguments: SettingRow.all.map(\.key))
  func `a request sets it as a field or as an option`(key: String) throws {
    let row = try #require(SettingRow.named(key))
    let (value, text) = inFile(row)
    let second = #""enable_hr": true, "denoising_strength": 0.5, "refiner_checkpoint": "a.safetensors""#
    func settings(_ body: String) throws -> ImageSettings {
      var request = read("{\(body)}")
      request.path = folder.path + "/request.json"
      return try #require(try request.jobs().first).settings
    }
    if row.request.field != nil {
      let rest = second.split(separator: ", ").filter { !$0.contains("\"\(key)\"") }.joined(separator: ", ")
      #expect(value.matches(row.value(of: try settings(#""\#(key)": \#(text), \#(rest)"#))))
    }
    if let option = row.request.option {
      let body = #"\#(second), "override_settings": {"\#(option)": \#(text)}"#
      // A field overrides an option of the same name.
      if row.request.field == nil || row.request.field?.a1111 == .null {
        #expect(value.matches(row.value(of: try settings(body))))
      }
    }
  }

  private func read(_ text: String) -> RecipeText {
    var recipe = RecipeText(text)
    recipe.path = folder.path + "/fish.yaml"
    // Only these have layers to skip.
    if text.contains("skip_layer_guidance_scale") {
      recipe.overrides = ["model=b.safetensors", "sampler_name=Euler"]
      recipe.environment.family = { _ in .sd35Medium }
    }
    return recipe
  }

  /// A value that differs from the default, and its text in a file.
  private func inFile(_ row: SettingRow) -> (SettingValue, String) {
    switch row.kind {
    case .model, .vae, .otherModel:
      let model = ModelReference(name: "b.safetensors", path: folder.path + "/b.safetensors")
      return (.model(model), "b.safetensors".debugDescription)
    case .models:
      let model = ModelReference(name: "b.safetensors", path: folder.path + "/b.safetensors")
      return (.models([model]), "[\"b.safetensors\"]")
    default:
      let value = another(row.defaultValue, row)
      return (value, value.json.jsonText)
    }
  }

  // MARK: Values

  /// Settings in which each row has an effect: every sampler, with schedules that read all options, in one pass and in
  /// two; and a model that is trained by flow matching.
  private var bases: [ImageSettings] { diffusionBases + flowBases }

  private var flowBases: [ImageSettings] {
    [FamilyID.flux1Dev, .zImageTurbo, .klein, .sd35Medium].flatMap { family in
      [false, true].map { hasSecondPass in
        var settings = ImageSettings()
        settings.prompt = "a (red) [fish:bird:0.5]"
        settings.model = ModelReference(name: "flow", path: "/flow", family: family)
        settings.sampler = .eulerAncestral
        if family == .sd35Medium { settings.skipLayerScale = 2.8 }
        // Plans have drawn it.
        settings.subseed = 3
        settings.textEncoders = [ModelReference(name: "t5", path: "/t5")]
        settings.vae = ModelReference(name: "ae", path: "/ae")
        if hasSecondPass {
          settings.hires = HiresSettings()
          settings.hires?.denoisingStrength = 0.6
        }
        return settings
      }
    }
  }

  private var diffusionBases: [ImageSettings] {
    SamplerID.allCases.flatMap { sampler in
      [ScheduleID.automatic, .beta, .polyexponential].flatMap { schedule in
        [false, true].map { hasSecondPass in
          var settings = ImageSettings()
          settings.prompt = "a (red) [fish:bird:0.5]"
          settings.sampler = sampler
          settings.scheduler = schedule
          settings.sChurn = 5
          settings.etaDDIM = 0.5
          settings.etaNoiseSeedDelta = 31337
          settings.subseed = 3
          settings.subseedStrength = 0.3
          (settings.seedResizeFromW, settings.seedResizeFromH) = (64, 64)
          settings.sMinUncond = 1
          settings.refiner = ModelReference(name: "refiner", path: "/refiner")
          if hasSecondPass {
            settings.hires = HiresSettings()
            settings.hires?.denoisingStrength = 0.6
            settings.restoreFaces = true
          }
          return settings
        }
      }
    }
  }

  /// The settings with the ingredients that a run would find.
  private func image(_ settings: ImageSettings) -> SettingsInUse {
    func identity(_ name: String, _ family: String) -> ModelIdentity {
      ModelIdentity(name: name, path: "/" + name, sha256: digest(name), family: family)
    }
    let precision = settings.precision == .auto ? PrecisionChoice.fp32 : settings.precision
    let upscaler = settings.hires?.upscaler.flatMap { $0.kind == .network ? identity($0.name, "upscaler") : nil }
    return SettingsInUse(
      settings,
      JobIngredients(
        model: identity(settings.model.name, "sd1"), vae: settings.vae.map { identity($0.name, "vae") },
        textEncoder: settings.textEncoder.map { identity($0.name, "sd1") },
        // Checkpoints of Stable Diffusion have no parts in separate files.
        textEncoders: settings.textEncoders.isEmpty || settings.traits.flow == nil
          ? nil : settings.textEncoders.map { identity($0.name, "text_encoder") },
        refiner: settings.refiner.map { identity($0.name, "sd1") },
        hiresModel: settings.hires?.checkpoint.map { identity($0.name, "sd1") }, upscaler: upscaler,
        faces: settings.restoreFaces ? [identity(settings.faceRestorationModel.rawValue, "face")] : nil,
        vocabularySHA256: digest("vocabulary"), precision: precision.rawValue, isa: "avx512", numerics: 2,
        weightPacking: settings.weightPacking == .small ? "small" : nil))
  }

  /// A valid value that differs from this one.
  private func another(_ value: SettingValue, _ row: SettingRow) -> SettingValue {
    func first(_ values: SettingValue...) -> SettingValue { values.first { $0 != value } ?? .null }
    return switch row.kind {
    case .text where row.key == "file_name": first(.text("[seed]-[steps]"), .text("b"))
    case .text: first(.text("a (blue) [star:moon:0.5], \"x\""), .text("b"))
    case .integer(let range, let factor):
      first(.integer(max(range.lowerBound, 12 * factor)), .integer(max(range.lowerBound, 16 * factor)))
    case .seed: first(.integer(7), .integer(8))
    case .number(let range), .otherNumber(let range):
      first(
        .number(max(range.lowerBound, 0.25)), .number(max(range.lowerBound, 0.5)), .number(range.upperBound))
    case .layers: first(LayerList([1, 12]).settingValue, LayerList([0]).settingValue)
    case .limit: first(.number(12.5), .number(13))
    case .interval, .otherInterval:
      first(PassInterval(0.25, 0.5).settingValue, PassInterval(0, 0.75).settingValue)
    case .bytes: first(.integer(3 << 30), .integer(5 << 30))
    case .sampler, .otherSampler: first(.sampler(.heun, nil), .sampler(.lms, nil))
    case .schedule, .otherSchedule: first(.schedule(.exponential), .schedule(.karras))
    case .model, .vae, .otherModel:
      first(.model(ModelReference(name: "b", path: "/b")), .model(ModelReference(name: "c", path: "/c")))
    case .upscaler: first(.upscaler(UpscalerReference(name: "Lanczos")), .upscaler(UpscalerReference(name: "Nearest")))
    case .models:
      first(
        .models([ModelReference(name: "t5", path: "/t5"), ModelReference(name: "clip", path: "/clip")]),
        .models([ModelReference(name: "c", path: "/c")]))
    case .choice(let names): names.last.map { first(.choice($0), .choice(names[0])) } ?? .null
    case .choices(let names): first(.choices(Array(names.dropFirst())), .choices(names))
    case .flag: first(.flag(true), .flag(false))
    case .folders: first(.folders(["/x"]), .folders(["/y"]))
    case .styles, .size, .axes, .axisGroups, .cells, .path, .files, .sheet, .address, .nights, .notices: .null
    }
  }
}
