import JSON
import Prompts
import Settings

/// Reads the fields of one body into settings.
struct RequestBodyReader {
  let environment: PlanningEnvironment
  let values: ValueReader
  let prompts: RequestPromptReader
  let findings: Findings

  /// The contents of a body.
  struct Body {
    var settings = ImageSettings()
    /// The parameters, in the form of the webui's response.
    var parameters = JSONValue.null
    var batchSize = 1
    var iterations = 1
    var sendsImages = true
    var savesImages = false
    var styles: [String] = []
    var denoisingStrength: Double?
    /// What resolves the prompts for each image; nil for prompts that are text.
    var prompts: RequestPrompts?
  }

  /// Reads a body; errors are added to `findings`.
  ///
  /// - Parameters:
  ///   - payload: A mapping.
  ///   - defaults: The API whose defaults apply to missing fields.
  ///   - settings: Settings from the command line that are not fields of the body.
  /// - Returns: The contents; do not use them if there were errors.
  func body(_ payload: YAMLNode, _ defaults: RequestAPI, _ settings: [Setting]) -> Body {
    let fields = Fields(payload, defaults, findings)
    reportUnknown(payload, defaults)
    var body = Body()
    body.parameters = fields.json
    var draft = CellDraft(environment: environment, adapterFolders: AdapterFolders(values.locator))
    draft.hasWildcards = false
    draft.settings.seed = -1
    if let options = fields.given["override_settings"] { applyOptions(options, to: &draft) }
    let hasSecondPass = fields.flag("enable_hr")
    for field in RequestField.all {
      guard let value = checked(field, fields.value(field)) else { continue }
      switch field.name {
      case "sampler_name", "sampler_index", "override_settings", "scheduler": break
      case "styles": applyStyles(value, to: &draft, &body)
      case "batch_size": body.batchSize = count(value, of: field) ?? 1
      case "n_iter": body.iterations = count(value, of: field) ?? 1
      case "send_images": body.sendsImages = value.scalar?.coreValue == .boolean(true)
      case "save_images": body.savesImages = value.scalar?.coreValue == .boolean(true)
      case _ where field.isIgnored: break
      case _ where field.isOfSecondPass:
        if field.name == "denoising_strength" { body.denoisingStrength = value.scalar.flatMap(Self.number) }
        // Without a second pass, the webui does not read these.
        guard hasSecondPass else { break }
        apply(field.name, field.name == "hr_checkpoint_name" ? Self.withoutHash(value) : value, to: &draft)
      case "firstphase_width" where !hasSecondPass, "firstphase_height" where !hasSecondPass:
        if value.scalar.flatMap(Self.number) != 0 {
          findings.error("\(field.name): found \(value.found), expected 0 without enable_hr", at: value.position)
        }
      case "refiner_checkpoint": apply(field.name, Self.withoutHash(value), to: &draft)
      case "refiner_switch_at" where fields.isEmpty("refiner_checkpoint"): break
      default: apply(field.name, value, to: &draft)
      }
    }
    // Without a switch point, the webui's refiner takes over at the start.
    if draft.settings.refiner != nil, fields.isEmpty("refiner_switch_at") { draft.settings.refinerSwitchAt = 0 }
    applySampler(fields, defaults, to: &draft)
    if hasSecondPass, body.denoisingStrength == nil, fields.value("denoising_strength").isNull {
      findings.error(
        "denoising_strength: found no value, expected a number from 0 to 1, which enable_hr needs",
        at: fields.value("enable_hr").position)
    }
    draft.apply(settings)
    checkCount(body, fields, draft)
    let pattern = fields.given["override_settings"]?.value("samples_filename_pattern")?.position
    NameCheck(findings: findings).check(draft.settings.fileName, axes: [], at: pattern ?? payload.position)
    body.prompts = dynamicPrompts(fields, draft)
    body.settings = draft.resolved
    fitToFamily(&body.settings, fields)
    // As in the webui, which records it in the image's infotext.
    body.settings.subseed = draft.settings.subseed
    return body
  }

  /// Rounds the size down to what the model's family needs, as the webui does, and reports unsupported settings.
  private func fitToFamily(_ settings: inout ImageSettings, _ fields: Fields) {
    let traits = settings.traits
    let multiple = traits.geometry.sizeMultiple
    func rounded(_ side: Int, _ name: String) -> Int {
      let below = max(side / multiple * multiple, multiple)
      if below != side {
        findings.warning(
          "\(name): found \(side), rounded to \(below) for \(traits.title), as in the webui",
          at: fields.value(name).position)
      }
      return below
    }
    if traits.flow != nil {
      settings.width = rounded(settings.width, "width")
      settings.height = rounded(settings.height, "height")
    }
    let options = fields.given["override_settings"]
    for refusal in settings.familyRefusals {
      let position = options?.value(refusal.key)?.position ?? fields.value(refusal.key).position
      findings.error(refusal.description, at: position)
    }
  }

  // MARK: Dynamic prompts

  /// The option, which may also be true or false; nil if the request does not have it.
  ///
  /// All prompts cannot be an axis, because a request says how many images it has.
  private func dynamicMode(_ fields: Fields) -> DynamicPrompts.Mode? {
    guard let node = fields.given["override_settings"]?.value("dynamic_prompts") else { return nil }
    if case .boolean(let isOn) = node.scalar?.coreValue { return isOn ? .random : .off }
    let modes = DynamicPrompts.Mode.allCases.filter { $0 != .combinatorial }
    if let text = node.scalar?.text.lowercased(), let mode = modes.first(where: { $0.rawValue == text }) { return mode }
    let isAxis = node.scalar?.text.lowercased() == DynamicPrompts.Mode.combinatorial.rawValue
    findings.error(
      "dynamic_prompts: found \(node.found), expected \(SettingKind.list(modes.map(\.rawValue)))"
        + (isAxis ? ", because a request says how many images it has" : ""), at: node.position)
    return .off
  }

  private func dynamicPrompts(_ fields: Fields, _ draft: CellDraft) -> RequestPrompts? {
    let names = ["prompt", "negative_prompt"] + (draft.hires.isOn ? ["hr_prompt", "hr_negative_prompt"] : [])
    let texts: [(text: String, position: SourcePosition)] = names.compactMap { name in
      let node = fields.value(name)
      return node.scalar.map { (text: $0.text, position: node.position) }
    }
    return prompts.prompts(of: draft, dynamicMode(fields), texts)
  }

  // MARK: Fields

  /// The fields of a body, and the defaults of missing fields.
  private struct Fields {
    /// The fields that are present, null or not; each in the form of its kind, if it can be read in that form.
    var given: [String: YAMLNode] = [:]
    private let position: SourcePosition
    private let defaults: RequestAPI

    init(_ payload: YAMLNode, _ defaults: RequestAPI, _ findings: Findings) {
      for entry in payload.entries ?? [] {
        given[entry.name] = entry.value
        guard let field = RequestField.named(entry.name), !entry.value.isNull,
          let value = PydanticValue(entry.value, as: field.kind), value.isConverted
        else { continue }
        given[entry.name] = value.node
        findings.warning(
          "\(entry.name): found \(entry.value.found), read as \(value.node.found), as in the webui",
          at: entry.value.position)
      }
      position = payload.position
      self.defaults = defaults
    }

    /// The effective value: the field's value, or the default if it is missing or null.
    func value(_ field: RequestField) -> YAMLNode {
      if let value = given[field.name], !value.isNull { return value }
      return YAMLNode(field.value(defaults), at: position)
    }

    /// The value of the field with this name.
    func value(_ name: String) -> YAMLNode {
      RequestField.named(name).map(value) ?? YAMLNode(.null, at: position)
    }

    func flag(_ name: String) -> Bool { value(name).scalar?.coreValue == .boolean(true) }

    func isEmpty(_ name: String) -> Bool {
      let value = value(name)
      return value.isNull || value.scalar?.text.isEmpty == true
    }

    /// All fields of the webui with their given or default values, and the fields of Forge that are present.
    var json: JSONValue {
      .object(
        RequestField.all.filter { !$0.isOfForge || given[$0.name] != nil }.map { field in
          let value = given[field.name]?.json ?? field.value(defaults)
          if field.kind == .number, case .integer(let integer) = value, given[field.name] != nil {
            return JSONMember(field.name, .number(Double(integer)))
          }
          return JSONMember(field.name, value)
        })
    }
  }

  private func reportUnknown(_ payload: YAMLNode, _ defaults: RequestAPI) {
    for entry in payload.entries ?? [] {
      let field = RequestField.named(entry.name)
      switch defaults {
      case .a1111:
        guard field == nil else { continue }
        findings.warning(
          "found the unknown field \(Quoted.short(entry.name)), which is ignored, as in the webui"
            + NearestName.hint(entry.name, among: RequestField.names), at: entry.keyPosition)
      case .workerA1111:
        guard field == nil || field?.isKnownToWorker != true else { continue }
        findings.error(
          "found the unknown field \(Quoted.short(entry.name)), which the worker rejects"
            + NearestName.hint(entry.name, among: RequestField.names), at: entry.keyPosition)
      }
    }
    if defaults == .workerA1111, payload.value("prompt") == nil {
      findings.error("found no prompt, which the worker requires", at: payload.position)
    }
  }

  /// The value, if it has the field's kind; nil for null and, with an error reported, for other values.
  private func checked(_ field: RequestField, _ value: YAMLNode) -> YAMLNode? {
    if value.isNull { return nil }
    func isText(_ node: YAMLNode) -> Bool {
      node.scalar.map { $0.coreValue == .text } ?? false
    }
    let fits =
      switch field.kind {
      case .text: isText(value)
      case .flag: if case .boolean = value.scalar?.coreValue { true } else { false }
      case .integer, .number:
        switch value.scalar?.coreValue {
        case .integer, .number: true
        default: false
        }
      case .texts: value.items?.allSatisfy(isText) ?? false
      case .list: value.items != nil
      case .object: value.entries != nil
      }
    guard fits else {
      let found =
        field.kind == .texts ? value.items?.first { !isText($0) }.map { "a list with \($0.found)" } : nil
      findings.error(
        "\(field.name): found \(found ?? value.found), expected \(field.kind.expectation)", at: value.position)
      return nil
    }
    if let text = value.scalar?.text, text.unicodeScalars.contains("\0") {
      findings.error("\(field.name): found text with a NUL character, expected text without it", at: value.position)
      return nil
    }
    return value
  }

  /// Applies the value of a field or an option, or rejects it if it is not supported.
  private func apply(_ name: String, _ node: YAMLNode, to draft: inout CellDraft) {
    guard let key = RecipeKey.named(name), key.isSetting, let scalar = node.scalar else {
      refuse(name, node)
      return
    }
    do {
      draft.apply([Setting(key, try values.value(of: scalar, for: key))])
    } catch {
      findings.error("\(name): \(error.message)", at: node.position)
    }
  }

  /// Reports why a field is not supported, unless its value is harmless.
  private func refuse(_ name: String, _ node: YAMLNode) {
    guard let refusal = RefusedSetting.named(name), !refusal.allows(node) else { return }
    findings.error(
      "\(name): found \(node.found), which is not supported by this version; "
        + (refusal.field?.reason ?? refusal.reason), at: node.position)
  }

  // MARK: Kinds of fields

  private func count(_ value: YAMLNode, of field: RequestField) -> Int? {
    guard let count = value.scalar.flatMap({ ExactDecimal($0.text)?.integer }), (1...Self.imageLimit).contains(count)
    else {
      findings.error(
        "\(field.name): found \(value.found), expected a whole number from 1 to \(Self.imageLimit)", at: value.position)
      return nil
    }
    return Int(count)
  }

  /// The largest number of images in a request.
  private static let imageLimit: Int64 = 10_000

  private func checkCount(_ body: Body, _ fields: Fields, _ draft: CellDraft) {
    let count = Int64(body.batchSize) * Int64(body.iterations)
    if count > Self.imageLimit {
      findings.error(
        "n_iter: found \(body.iterations) batches of \(body.batchSize), expected \(Self.imageLimit) images at most",
        at: fields.value("n_iter").position)
    }
    for (name, seed) in [("seed", draft.settings.seed), ("subseed", draft.settings.subseed)]
    where seed > Int64.max - count {
      findings.error(
        "\(name): found \(seed), which leaves no seeds for the other images; expected \(Int64.max - count) at most",
        at: fields.value(name).position)
    }
  }

  private func applyStyles(_ node: YAMLNode, to draft: inout CellDraft, _ body: inout Body) {
    for item in node.items ?? [] {
      guard let name = item.scalar?.text else { continue }
      body.styles.append(name)
      do {
        draft.styles += try values.styles(named: [name])
      } catch {
        findings.error("styles: \(error.message)", at: item.position)
      }
    }
  }

  /// Sets the sampler and the schedule as the webui chooses them: `sampler_name` overrides `sampler_index`, and a schedule at
  /// the end of the sampler's name overrides `scheduler`.
  private func applySampler(_ fields: Fields, _ defaults: RequestAPI, to draft: inout CellDraft) {
    let schedule = fields.value("scheduler")
    if !fields.isEmpty("scheduler"), schedule.scalar?.coreValue == .text { apply("scheduler", schedule, to: &draft) }
    let name = fields.isEmpty("sampler_name") ? "sampler_index" : "sampler_name"
    let sampler = fields.value(name)
    if fields.given[name] == nil, let index = fields.given["sampler_index"], !index.isNull, name == "sampler_name" {
      findings.warning(
        "sampler_index: found \(index.found), but the worker's own sampler_name overrides it: \(sampler.found)",
        at: index.position)
    }
    guard !fields.isEmpty(name), sampler.scalar?.coreValue == .text else { return }
    apply(name, sampler, to: &draft)
  }

  private static func number(_ scalar: YAMLScalar) -> Double? {
    switch scalar.coreValue {
    case .integer(let value): Double(value)
    case .number(let value): value.isFinite ? value : nil
    default: nil
    }
  }

  // MARK: Options

  /// Applies the webui's options, for this request only. Unknown options are ignored, as in the webui.
  private func applyOptions(_ node: YAMLNode, to draft: inout CellDraft) {
    for entry in node.entries ?? [] where !entry.value.isNull {
      let (name, value) = (entry.name, entry.value)
      if name == "forge_additional_modules" {
        applyModules(value, to: &draft)
      } else if name == "dynamic_prompts" {
        continue
      } else if RequestField.options.contains(name), let key = RecipeKey.named(name) {
        guard let scalar = value.scalar.map({ Self.option($0, key.kind) }), Self.fits(scalar, key.kind) else {
          findings.error("\(name): found \(value.found), expected \(key.kind.expectation)", at: value.position)
          continue
        }
        let read = YAMLNode(.scalar(scalar), at: value.position)
        if scalar != value.scalar {
          findings.warning(
            "\(name): found \(value.found), read as \(read.found), as in the webui", at: value.position)
        }
        apply(name, name == "sd_model_checkpoint" ? Self.withoutHash(read) : read, to: &draft)
      } else if RefusedSetting.named(name) != nil {
        refuse(name, value)
      } else {
        findings.warning(
          "found the unknown option \(Quoted.short(name)), which is ignored"
            + NearestName.hint(name, among: RequestField.options.sorted()), at: entry.keyPosition)
      }
    }
  }

  /// Applies Forge's list of text encoders and VAE, given by paths or names; the VAE is recognised by its name.
  private func applyModules(_ node: YAMLNode, to draft: inout CellDraft) {
    guard let items = node.items else {
      findings.error(
        "forge_additional_modules: found \(node.found), expected a list of files", at: node.position)
      return
    }
    var encoders: [ModelReference] = []
    for item in items {
      guard let scalar = item.scalar, scalar.coreValue == .text else {
        findings.error("forge_additional_modules: found \(item.found), expected a file", at: item.position)
        continue
      }
      do {
        // The paths belong to another machine, so search for the file's name here.
        let isHere = values.locator.exactPath(of: scalar.text) != nil
        let name = scalar.text.split { $0 == "/" || $0 == "\\" }.last.map(String.init) ?? scalar.text
        let part = try values.part(isHere ? scalar : YAMLScalar(name))
        if part.isNamedLikeVAE { draft.settings.vae = part } else { encoders.append(part) }
      } catch {
        findings.error("forge_additional_modules: \(error.message)", at: item.position)
      }
    }
    draft.settings.textEncoders = encoders
  }

  /// An option's value as the webui uses it. It does not convert options: in Python, booleans are numbers, and a number is true
  /// unless it is 0.
  private static func option(_ scalar: YAMLScalar, _ kind: SettingKind) -> YAMLScalar {
    let isFlag =
      switch kind {
      case .flag: true
      case .choice(let names): names.contains("true")
      default: false
      }
    switch (RequestFieldKind(kind), scalar.coreValue) {
    case (.integer, .boolean(let flag)), (.number, .boolean(let flag)): return YAMLScalar(flag ? "1" : "0")
    case (_, .integer(let integer)) where isFlag: return YAMLScalar(integer != 0 ? "true" : "false")
    case (_, .number(let number)) where isFlag: return YAMLScalar(number != 0 ? "true" : "false")
    default: return scalar
    }
  }

  private static func fits(_ scalar: YAMLScalar, _ kind: SettingKind) -> Bool {
    switch (kind, scalar.coreValue) {
    case (.integer, .integer), (.integer, .number), (.number, .integer), (.number, .number), (.limit, .integer),
      (.limit, .number), (.seed, .integer):
      true
    case (.integer, _), (.number, _), (.limit, _), (.seed, _): false
    case (.flag, .boolean), (.choice, .boolean): true
    case (_, .text): true
    default: false
    }
  }

  /// Removes the hash from a checkpoint's title in the webui, such as `name.safetensors [6ce0161689]`.
  private static func withoutHash(_ node: YAMLNode) -> YAMLNode {
    guard var scalar = node.scalar, let match = scalar.text.firstMatch(of: #/ \[[0-9a-f]{8,64}\]$/#) else {
      return node
    }
    scalar.text.removeSubrange(match.range)
    return YAMLNode(.scalar(scalar), at: node.position)
  }
}
