import JSON
import Prompts
import Settings

/// Reads the fields of one body into settings.
struct RequestBodyReader {
  let environment: PlanningEnvironment
  let values: ValueReader
  let findings: Findings

  /// A body that was read.
  struct Body {
    var settings = ImageSettings()
    /// As the webui has them in a response.
    var parameters = JSONValue.null
    var batchSize = 1
    var iterations = 1
    var sendsImages = true
    var savesImages = false
    var styles: [String] = []
    var denoisingStrength: Double?
  }

  /// Reads a body; what is wrong with it is told to `findings`.
  ///
  /// - Parameters:
  ///   - payload: A mapping.
  ///   - defaults: Whose values the other fields have.
  ///   - settings: What the command line says besides fields of the body.
  /// - Returns: What was read, to be thrown away if something was wrong.
  func body(_ payload: YAMLNode, _ defaults: RequestDefaults, _ settings: [Setting]) -> Body {
    let fields = Fields(payload, defaults)
    reportUnknown(payload, defaults)
    var body = Body()
    body.parameters = fields.json
    var draft = CellDraft(environment: environment, adapterPlaces: AdapterPlaces(values.locator))
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
        // Without a second pass the webui looks at none of them.
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
    // Where the webui is not told when, the refiner takes over at once.
    if draft.settings.refiner != nil, fields.isEmpty("refiner_switch_at") { draft.settings.refinerSwitchAt = 0 }
    applySampler(fields, defaults, to: &draft)
    if hasSecondPass, body.denoisingStrength == nil, fields.value("denoising_strength").isNull {
      findings.error(
        "denoising_strength: found nothing, expected a number from 0 to 1, which enable_hr needs",
        at: fields.value("enable_hr").position)
    }
    draft.apply(settings)
    checkCount(body, fields, draft)
    body.settings = draft.resolved
    // As the webui does, of which the text in the image tells.
    body.settings.subseed = draft.settings.subseed
    return body
  }

  // MARK: Fields

  /// The fields of a body, and what stands in for those that it lacks.
  private struct Fields {
    /// Those that are there, null or not.
    var given: [String: YAMLNode] = [:]
    private let position: SourcePosition
    private let defaults: RequestDefaults

    init(_ payload: YAMLNode, _ defaults: RequestDefaults) {
      for entry in payload.entries ?? [] { given[entry.name] = entry.value }
      position = payload.position
      self.defaults = defaults
    }

    /// What takes effect: the field's own value, unless that is null, or else the default.
    func value(_ field: RequestField) -> YAMLNode {
      if let value = given[field.name], !value.isNull { return value }
      return YAMLNode(field.value(defaults), at: position)
    }

    /// The value of the field of this name.
    func value(_ name: String) -> YAMLNode {
      RequestField.named(name).map(value) ?? YAMLNode(.null, at: position)
    }

    func flag(_ name: String) -> Bool { value(name).scalar?.coreValue == .boolean(true) }

    func isEmpty(_ name: String) -> Bool {
      let value = value(name)
      return value.isNull || value.scalar?.text.isEmpty == true
    }

    /// All fields, as they were received and by default.
    var json: JSONValue {
      .object(
        RequestField.all.map { field in
          let value = given[field.name]?.json ?? field.value(defaults)
          if field.kind == .number, case .integer(let integer) = value, given[field.name] != nil {
            return JSONMember(field.name, .number(Double(integer)))
          }
          return JSONMember(field.name, value)
        })
    }
  }

  private func reportUnknown(_ payload: YAMLNode, _ defaults: RequestDefaults) {
    for entry in payload.entries ?? [] {
      let field = RequestField.named(entry.name)
      switch defaults {
      case .a1111:
        guard field == nil else { continue }
        findings.warning(
          "found the unknown field \(Quoted.short(entry.name)), which is passed over as the webui does"
            + NearestName.hint(entry.name, among: RequestField.names), at: entry.keyPosition)
      case .workerA1111:
        guard field == nil || field?.isKnownToWorker != true else { continue }
        findings.error(
          "found the unknown field \(Quoted.short(entry.name)), which the worker refuses"
            + NearestName.hint(entry.name, among: RequestField.names), at: entry.keyPosition)
      }
    }
    if defaults == .workerA1111, payload.value("prompt") == nil {
      findings.error("found no prompt, which the worker's requests need", at: payload.position)
    }
  }

  /// The value if it is of the field's kind; nothing for null, and for what `findings` is told of.
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
      findings.error("\(field.name): found a text with the character NUL, expected text without", at: value.position)
      return nil
    }
    return value
  }

  /// Puts the value of a field or an option into effect, or refuses it by name.
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

  /// Tells why a field cannot be honoured, unless it asks for what happens anyway.
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

  /// Images that one request may ask for.
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
        "\(name): found \(seed), which leaves no numbers for the other images; expected \(Int64.max - count) at most",
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

  /// The sampler and the schedule as the webui makes them out: `sampler_name` goes before `sampler_index`, and a
  /// schedule at the end of the sampler's name before `scheduler`.
  private func applySampler(_ fields: Fields, _ defaults: RequestDefaults, to draft: inout CellDraft) {
    let schedule = fields.value("scheduler")
    if !fields.isEmpty("scheduler"), schedule.scalar?.coreValue == .text { apply("scheduler", schedule, to: &draft) }
    let name = fields.isEmpty("sampler_name") ? "sampler_index" : "sampler_name"
    let sampler = fields.value(name)
    if fields.given[name] == nil, let index = fields.given["sampler_index"], !index.isNull, name == "sampler_name" {
      findings.warning(
        "sampler_index: found \(index.found), but the worker's own sampler_name goes before it: \(sampler.found)",
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

  /// The webui's options for this request only; those that nobody knows are passed over, as the webui does.
  private func applyOptions(_ node: YAMLNode, to draft: inout CellDraft) {
    for entry in node.entries ?? [] where !entry.value.isNull {
      let (name, value) = (entry.name, entry.value)
      if RequestField.options.contains(name), let key = RecipeKey.named(name) {
        guard let scalar = value.scalar, Self.fits(scalar, key.kind) else {
          findings.error("\(name): found \(value.found), expected \(key.kind.expectation)", at: value.position)
          continue
        }
        apply(name, name == "sd_model_checkpoint" ? Self.withoutHash(value) : value, to: &draft)
      } else if RefusedSetting.named(name) != nil {
        refuse(name, value)
      } else {
        findings.warning(
          "found the unknown option \(Quoted.short(name)), which is passed over"
            + NearestName.hint(name, among: RequestField.options.sorted()), at: entry.keyPosition)
      }
    }
  }

  private static func fits(_ scalar: YAMLScalar, _ kind: SettingKind) -> Bool {
    switch (kind, scalar.coreValue) {
    case (.integer, .integer), (.integer, .number), (.number, .integer), (.number, .number), (.limit, .integer),
      (.limit, .number):
      true
    case (.integer, _), (.number, _), (.limit, _): false
    case (.flag, .boolean), (.choice, .boolean): true
    case (_, .text): true
    default: false
    }
  }

  /// The webui also names checkpoints as `name.safetensors [6ce0161689]`.
  private static func withoutHash(_ node: YAMLNode) -> YAMLNode {
    guard var scalar = node.scalar, let match = scalar.text.firstMatch(of: #/ \[[0-9a-f]{8,64}\]$/#) else {
      return node
    }
    scalar.text.removeSubrange(match.range)
    return YAMLNode(.scalar(scalar), at: node.position)
  }
}
