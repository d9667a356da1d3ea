import JSON

extension ImageSettings {
  /// Writes the settings in the form of plans: as requested, with the paths of the models.
  public func writePlanned(to writer: inout JSONWriter) {
    writer.object { writer in
      for row in SettingRow.ofEveryPass where row.isShown(self) {
        writer.member(row.key, row.value(of: self).located)
      }
      guard hires != nil else { return }
      writer.key("hires")
      writer.object { writer in
        for row in SettingRow.ofSecondPass where row.isShown(self) {
          writer.member(row.key, row.value(of: self).located)
        }
      }
    }
  }
}

extension SettingsInUse {
  /// Writes the settings in the form of the manifest: models by name, and `automatic` replaced by the schedule that runs.
  public func writeShown(to writer: inout JSONWriter) {
    writer.object { writer in
      for row in SettingRow.ofEveryPass where row.kind != .folders { write(row, to: &writer) }
      guard second != nil else { return }
      writer.member("enable_hr", true)
      for row in SettingRow.ofSecondPass { write(row, to: &writer) }
      writer.member("final_width", settings.finalWidth)
      writer.member("final_height", settings.finalHeight)
    }
  }

  private func write(_ row: SettingRow, to writer: inout JSONWriter) {
    if let shown = row.shown {
      writer.member(row.key, shown(self).json)
    } else if row.isShown(settings) {
      writer.member(row.key, row.value(of: settings).json)
    }
  }
}

extension ImageSettings {
  /// Reads settings that `writePlanned` wrote; settings that an older plan lacks get their defaults.
  public init(planned json: JSONValue) throws(JSONError) {
    self.init()
    try read(json, SettingRow.ofEveryPass)
    guard let second = json["hires"] else { return }
    hires = HiresSettings()
    try read(second, SettingRow.ofSecondPass)
  }

  private mutating func read(_ json: JSONValue, _ rows: [SettingRow]) throws(JSONError) {
    guard case .object(let members) = json else { throw JSONError(reason: "found \(json), expected settings") }
    // Plans hold the settings in the order of the rows, so the next row is nearly always the right one.
    var next = 0
    for row in rows {
      if next >= members.count || members[next].name != row.key {
        guard let index = members.firstIndex(where: { $0.name == row.key }) else { continue }
        next = index
      }
      let json = members[next].value
      next += 1
      if json == .null { continue }
      guard let value = SettingValue(planned: json, row.kind), row.set(value, in: &self) else {
        throw JSONError(reason: "'\(row.key)': found \(json), expected \(row.kind.expectation)")
      }
    }
  }
}

extension SettingValue {
  /// The value for readers: models and upscalers by name.
  package var json: JSONValue {
    switch self {
    case .text(let text): .string(text)
    case .integer(let integer): .integer(integer)
    case .number(let number): .number(number)
    case .interval(let interval): .array([.number(interval.start), .number(interval.end)])
    case .layers(let layers): .array(layers.numbers.map { .integer(Int64($0)) })
    case .sampler(let sampler, _): .string(sampler.rawValue)
    case .schedule(let schedule): .string(schedule.rawValue)
    case .model(let model): .string(model.name)
    case .upscaler(let upscaler): .string(upscaler.name)
    case .choice("true"): true
    case .choice("false"): false
    case .choice(let name): .string(name)
    case .flag(let flag): .bool(flag)
    case .folders(let folders): .array(folders.map { .string($0) })
    case .models(let models): .array(models.map { .string($0.name) })
    case .choices(let names): .array(names.map { .string($0) })
    case .null: .null
    }
  }

  /// The value for plans: models and upscalers with their paths.
  fileprivate var located: JSONValue {
    switch self {
    case .model(let model): model.located
    case .models(let models): .array(models.map(\.located))
    case .upscaler(let upscaler):
      .object(
        [JSONMember("name", .string(upscaler.name))] + (upscaler.path.map { [JSONMember("path", .string($0))] } ?? []))
    case .text, .integer, .number, .interval, .layers, .sampler, .schedule, .choice, .choices, .flag, .folders, .null:
      json
    }
  }

  /// Reads what `located` wrote; nil for another kind of value.
  fileprivate init?(planned json: JSONValue, _ kind: SettingKind) {
    func choice<Choice: RawRepresentable<String>>(_ type: Choice.Type) -> Choice? {
      json.text.flatMap { Choice(rawValue: $0) }
    }
    var flag: Bool? { if case .bool(let flag) = json { flag } else { Optional.none } }
    func file<Reference>(_ reference: (String, String?) -> Reference) -> Reference? {
      guard let name = json["name"]?.text else { return nil }
      switch json["path"] {
      case nil, .null: return reference(name, nil)
      case .string(let path): return reference(name, path)
      default: return nil
      }
    }
    let value: SettingValue? =
      switch kind {
      case .text: json.text.map { .text($0) }
      case .integer, .seed, .bytes: json.integerValue.map { .integer($0) }
      case .number, .otherNumber, .limit: json.numberValue.map { .number($0) }
      case .interval, .otherInterval:
        json.elements.flatMap { elements in
          let numbers = elements.compactMap(\.numberValue)
          return elements.count == 2 && numbers.count == 2
            ? PassInterval(numbers[0], numbers[1]).map { .interval($0) } : Optional.none
        }
      case .layers:
        json.elements.flatMap { elements in
          let numbers = elements.compactMap { $0.integerValue.flatMap { Int(exactly: $0) } }
          return numbers.count == elements.count ? LayerList(numbers).map { .layers($0) } : Optional.none
        }
      case .sampler, .otherSampler: choice(SamplerID.self).map { .sampler($0, nil) }
      case .schedule, .otherSchedule: choice(ScheduleID.self).map { .schedule($0) }
      case .model, .vae, .otherModel: ModelReference(planned: json).map { .model($0) }
      case .models:
        json.elements.flatMap { elements in
          let models = elements.compactMap { ModelReference(planned: $0) }
          return models.count == elements.count ? .models(models) : nil
        }
      case .upscaler: file { .upscaler(UpscalerReference(name: $0, path: $1)) }
      case .choice(let names) where names.contains("true"): flag.map { .choice($0 ? "true" : "false") }
      case .choice: json.text.map { .choice($0) }
      case .flag: flag.map { .flag($0) }
      case .choices:
        json.elements.flatMap { elements in
          let names = elements.compactMap(\.text)
          return names.count == elements.count ? .choices(names) : nil
        }
      case .folders:
        json.elements.flatMap { elements in
          let folders = elements.compactMap(\.text)
          return folders.count == elements.count ? .folders(folders) : nil
        }
      case .styles, .size, .axes, .axisGroups, .cells, .path, .files, .sheet, .address, .nights, .notices: nil
      }
    guard let value else { return nil }
    self = value
  }
}

extension ModelReference {
  /// The model with its path, and its family unless that is Stable Diffusion.
  fileprivate var located: JSONValue {
    .object(
      [JSONMember("name", .string(name)), JSONMember("path", path.map { .string($0) } ?? .null)]
        + (family == .stableDiffusion ? [] : [JSONMember("family", .string(family.rawValue))]))
  }

  /// Reads what `located` wrote; nil for anything else.
  fileprivate init?(planned json: JSONValue) {
    guard let name = json["name"]?.text else { return nil }
    var family = FamilyID.stableDiffusion
    if let text = json["family"] {
      guard let known = text.text.flatMap(FamilyID.init) else { return nil }
      family = known
    }
    switch json["path"] {
    case nil, .null: self.init(name: name, path: nil, family: family)
    case .string(let path): self.init(name: name, path: path, family: family)
    default: return nil
    }
  }
}
