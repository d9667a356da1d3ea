import JSON

extension ImageSettings {
  /// Writes the settings as a plan holds them: as requested, with the paths of the models.
  public func writePlanned(to writer: inout JSONWriter) {
    writer.object { writer in
      for row in SettingRow.all where row.pass == .every && row.isShown(self) {
        writer.member(row.key, row.value(of: self).located)
      }
      guard hires != nil else { return }
      writer.key("hires")
      writer.object { writer in
        for row in SettingRow.all where row.pass == .second && row.isShown(self) {
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
      for row in SettingRow.all where row.pass == .every && row.isRecipeKey { write(row, to: &writer) }
      guard second != nil else { return }
      writer.member("enable_hr", true)
      for row in SettingRow.all where row.pass == .second { write(row, to: &writer) }
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
    try read(container, rowsOf: .every)
    let hiresKey = SettingKey("hires")
    guard container.contains(hiresKey) else { return }
    hires = HiresSettings()
    try read(container.nestedContainer(keyedBy: SettingKey.self, forKey: hiresKey), rowsOf: .second)
  }

  private mutating func read(
    _ container: KeyedDecodingContainer<SettingKey>, rowsOf pass: SettingRow.Pass
  ) throws {
    for row in SettingRow.all where row.pass == pass {
      let key = SettingKey(row.key)
      guard container.contains(key) else { continue }
      guard let value = try SettingValue(container, key, kind: row.kind), row.set(value, in: &self) else {
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

  /// Reads what `located` wrote; nil for a value of the wrong kind.
  fileprivate init?(_ container: KeyedDecodingContainer<SettingKey>, _ key: SettingKey, kind: SettingKind) throws {
    func name() throws -> String { try container.decode(String.self, forKey: key) }
    if try container.decodeNil(forKey: key) {
      guard kind.takesNull else { return nil }
      self = .null
      return
    }
    switch kind {
    case .text: self = .text(try name())
    case .integer, .seed, .bytes: self = .integer(try container.decode(Int64.self, forKey: key))
    case .number, .limit: self = .number(try container.decode(Double.self, forKey: key))
    case .sampler, .otherSampler:
      guard let sampler = SamplerID(rawValue: try name()) else { return nil }
      self = .sampler(sampler, nil)
    case .schedule, .otherSchedule:
      guard let schedule = ScheduleID(rawValue: try name()) else { return nil }
      self = .schedule(schedule)
    case .model, .vae, .otherModel: self = .model(try container.decode(ModelReference.self, forKey: key))
    case .upscaler: self = .upscaler(try container.decode(UpscalerReference.self, forKey: key))
    case .choice(let names) where names.contains("true"):
      self = .choice(try container.decode(Bool.self, forKey: key) ? "true" : "false")
    case .choice: self = .choice(try name())
    case .flag: self = .flag(try container.decode(Bool.self, forKey: key))
    case .folders: self = .folders(try container.decode([String].self, forKey: key))
    case .styles, .size, .axes, .axisGroups, .cells, .path, .files, .sheet, .address: return nil
    }
  }
}
