import JSON

extension ImageSettings {
  /// Writes the settings as a plan holds them: as requested, with the paths of the models.
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
  /// Writes the settings as the manifest shows them: models by name, and `automatic` replaced by what runs.
  public func writeShown(to writer: inout JSONWriter) {
    writer.object { writer in
      for row in SettingRow.ofEveryPass where row.isRecipeKey { write(row, to: &writer) }
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

extension ImageSettings: Decodable {
  /// Reads settings that `writePlanned` wrote; settings that an older plan lacks get their defaults.
  public init(from decoder: any Decoder) throws {
    self.init()
    let container = try decoder.container(keyedBy: SettingKey.self)
    try read(container, SettingRow.ofEveryPass)
    let hiresKey = SettingKey("hires")
    guard container.contains(hiresKey) else { return }
    hires = HiresSettings()
    try read(container.nestedContainer(keyedBy: SettingKey.self, forKey: hiresKey), SettingRow.ofSecondPass)
  }

  private mutating func read(_ container: KeyedDecodingContainer<SettingKey>, _ rows: [SettingRow]) throws {
    for row in rows {
      let key = SettingKey(row.key)
      guard let value = try SettingValue(container, key, kind: row.kind) else { continue }
      guard row.set(value, in: &self) else {
        throw DecodingError.dataCorruptedError(
          forKey: key, in: container, debugDescription: "expected \(row.kind.expectation)")
      }
    }
  }
}

/// A setting's key in a plan.
private struct SettingKey: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }
  init(_ key: String) { stringValue = key }
  init?(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

extension SettingValue {
  /// The value for people: models and upscalers by name.
  package var json: JSONValue {
    switch self {
    case .text(let text): .string(text)
    case .integer(let integer): .integer(integer)
    case .number(let number): .number(number)
    case .sampler(let sampler, _): .string(sampler.rawValue)
    case .schedule(let schedule): .string(schedule.rawValue)
    case .model(let model): .string(model.name)
    case .upscaler(let upscaler): .string(upscaler.name)
    case .choice("true"): true
    case .choice("false"): false
    case .choice(let name): .string(name)
    case .flag(let flag): .bool(flag)
    case .folders(let folders): .array(folders.map { .string($0) })
    case .null: .null
    }
  }

  /// The value for plans: models and upscalers with their paths.
  fileprivate var located: JSONValue {
    switch self {
    case .model(let model):
      ["name": .string(model.name), "path": model.path.map { .string($0) } ?? .null]
    case .upscaler(let upscaler):
      .object(
        [JSONMember("name", .string(upscaler.name))] + (upscaler.path.map { [JSONMember("path", .string($0))] } ?? []))
    case .text, .integer, .number, .sampler, .schedule, .choice, .flag, .folders, .null: json
    }
  }

  /// Reads what `located` wrote; nil if it is missing or null, which means the default.
  fileprivate init?(_ container: KeyedDecodingContainer<SettingKey>, _ key: SettingKey, kind: SettingKind) throws {
    func read<Value: Decodable>(_ type: Value.Type) throws -> Value? {
      try container.decodeIfPresent(type, forKey: key)
    }
    func choice<Choice: RawRepresentable<String>>(_ type: Choice.Type) throws -> Choice? {
      guard let name = try read(String.self) else { return nil }
      guard let choice = Choice(rawValue: name) else {
        throw DecodingError.dataCorruptedError(
          forKey: key, in: container, debugDescription: "expected \(kind.expectation)")
      }
      return choice
    }
    let value: SettingValue? =
      switch kind {
      case .text: try read(String.self).map { .text($0) }
      case .integer, .seed, .bytes: try read(Int64.self).map { .integer($0) }
      case .number, .limit: try read(Double.self).map { .number($0) }
      case .sampler, .otherSampler: try choice(SamplerID.self).map { .sampler($0, nil) }
      case .schedule, .otherSchedule: try choice(ScheduleID.self).map { .schedule($0) }
      case .model, .vae, .otherModel: try read(ModelReference.self).map { .model($0) }
      case .upscaler: try read(UpscalerReference.self).map { .upscaler($0) }
      case .choice(let names) where names.contains("true"): try read(Bool.self).map { .choice($0 ? "true" : "false") }
      case .choice: try read(String.self).map { .choice($0) }
      case .flag: try read(Bool.self).map { .flag($0) }
      case .folders: try read([String].self).map { .folders($0) }
      case .styles, .size, .axes, .axisGroups, .cells, .path, .files, .sheet, .address: nil
      }
    guard let value else { return nil }
    self = value
  }
}
