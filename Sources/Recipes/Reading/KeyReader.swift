import Prompts
import Settings

/// Reads entries of the form `key: value`.
struct KeyReader {
  let values: ValueReader
  let findings: Findings

  /// Reads an entry whose key is a setting of a job; nil, with an error reported, if it is not valid.
  ///
  /// `settings` are those that the same mapping set before; `others` are names that are allowed here besides keys.
  func setting(of entry: YAMLEntry, among settings: [Setting], or others: [String] = []) -> Setting? {
    guard let key = RecipeKey.named(entry.name) else {
      findings.error(
        Self.unknown(entry.name, expected: "a setting of a job", names: RecipeKey.settingNames + others),
        at: entry.keyPosition)
      return nil
    }
    guard key.isSetting else {
      findings.error(
        "found \(key.name) here, expected a setting of a job; \(key.name) belongs to the top level",
        at: entry.keyPosition)
      return nil
    }
    guard !key.isOfFiles else {
      findings.error(key.refusalInCells, at: entry.keyPosition)
      return nil
    }
    return setting(key, of: entry, among: settings)
  }

  /// Reads an entry's value as the value of the key; nil, with an error reported, if it is not valid.
  func setting(_ key: RecipeKey, of entry: YAMLEntry, among settings: [Setting], or others: [String] = []) -> Setting? {
    guard !settings.contains(where: { $0.key == key }) else {
      findings.error(
        "found \(entry.name), which sets \(key.name) a second time; expected it once",
        at: entry.keyPosition)
      return nil
    }
    if key.kind == .styles, let items = entry.value.items {
      return Self.styles(key, items, named: entry.name, at: entry.value.position, values, findings)
    }
    if key.kind == .models, let items = entry.value.items {
      return models(key, items, named: entry.name)
    }
    guard let scalar = entry.value.scalar(for: key) else {
      let hint = entry.value.items == nil ? "" : "; several values make an axis, which belongs under grid"
      findings.error(
        "\(entry.name): found \(entry.value.found), expected \(key.kind.expectation)\(hint)",
        at: entry.value.position)
      return nil
    }
    return Self.setting(key, scalar, named: entry.name, at: entry.value.position, values, findings)
  }

  static func setting(
    _ key: RecipeKey, _ scalar: YAMLScalar, named name: String, at position: SourcePosition,
    _ values: ValueReader, _ findings: Findings
  ) -> Setting? {
    do {
      let setting = Setting(key, try values.value(of: scalar, for: key))
      note(setting, at: position, values)
      if let wildcard = key.wildcard,
        let other = Wildcard.names(in: setting.value.asText).first(where: { $0 != wildcard })
      {
        findings.error(
          "\(name): found the wildcard \(Quoted.bounded(Wildcard.text(other))), expected text without; only the entries "
            + "of files may contain wildcards", at: position)
      }
      return setting
    } catch {
      findings.error("\(name): \(error.message)", at: position)
      return nil
    }
  }

  /// Reads a list of style names.
  static func styles(
    _ key: RecipeKey, _ items: [YAMLNode], named name: String, at position: SourcePosition,
    _ values: ValueReader, _ findings: Findings
  ) -> Setting? {
    var styles: [PromptStyle] = []
    var isSound = true
    for item in items {
      guard let scalar = item.scalar, !scalar.isNull else {
        findings.error("\(name): found \(item.found), expected the name of a style", at: item.position)
        isSound = false
        continue
      }
      do {
        styles += try values.styles(named: [scalar.text])
      } catch {
        findings.error("\(name): \(error.message)", at: item.position)
        isSound = false
      }
    }
    let setting = Setting(key, .styles(styles))
    note(setting, at: position, values)
    return isSound ? setting : nil
  }

  /// Reads a list of files.
  private func models(_ key: RecipeKey, _ items: [YAMLNode], named name: String) -> Setting? {
    var models: [ModelReference] = []
    var isSound = true
    for item in items {
      guard let scalar = item.scalar, !scalar.isNull else {
        findings.error("\(name): found \(item.found), expected a file or folder", at: item.position)
        isSound = false
        continue
      }
      do {
        models.append(try values.part(scalar))
      } catch {
        findings.error("\(name): \(error.message)", at: item.position)
        isSound = false
      }
    }
    return isSound ? Setting(key, .setting(.models(models))) : nil
  }

  /// Notes the positions of texts that may contain wildcards.
  private static func note(_ setting: Setting, at position: SourcePosition, _ values: ValueReader) {
    switch setting.value {
    case .setting(.text(let text)) where setting.key.wildcard == nil: values.mentions.note(text, at: position)
    case .styles(let styles):
      for style in styles {
        values.mentions.note(style.prompt, at: position)
        values.mentions.note(style.negativePrompt, at: position)
      }
    default: break
    }
  }

  /// Checks that the keys of one mapping do not contradict each other.
  func checkTogether(_ settings: [Setting], in entries: [YAMLEntry]) -> Bool {
    let isSound = checkSizes(settings, in: entries)
    return checkSchedules(settings, in: entries) && isSound
  }

  private func checkSizes(_ settings: [Setting], in entries: [YAMLEntry]) -> Bool {
    guard settings.contains(where: { $0.key.name == "size" }),
      let side = entries.first(where: { ["width", "height"].contains($0.name) })
    else { return true }
    findings.error(
      "found \(side.name) together with size, expected either size or width and height", at: side.keyPosition)
    return false
  }

  /// Checks that a combined sampler name and a `scheduler` in one mapping do not contradict each other.
  private func checkSchedules(_ settings: [Setting], in entries: [YAMLEntry]) -> Bool {
    for (samplerName, scheduleName) in [("sampler_name", "scheduler"), ("hr_sampler_name", "hr_scheduler")] {
      for case .setting(.sampler(let sampler, .some(let named))) in settings.filter({ $0.key.name == samplerName }).map(
        \.value)
      {
        for case .setting(.schedule(let schedule)) in settings.filter({ $0.key.name == scheduleName }).map(\.value)
        where schedule != .automatic && schedule != named {
          let position = entries.first { $0.name == scheduleName }?.value.position ?? entries[0].keyPosition
          findings.error(
            "\(scheduleName): found \(schedule.rawValue), but the sampler's name says \(named.rawValue); "
              + "expected one of them, or \(sampler.rawValue) as the sampler", at: position)
          return false
        }
      }
    }
    return true
  }

  /// The message about a name that is not a key: why it is not supported, or which key is similar.
  static func unknown(_ name: String, expected: String, names: [String]) -> String {
    if let refusal = RefusedSetting.named(name) {
      return "found \(name), which is not supported by this version; \(refusal.reason)"
    }
    let hint = NearestName.hint(name, among: names)
    let comma =
      hint.isEmpty && (name == "..." || CoreNumber.number(name) != nil)
      ? "; inside braces a list needs brackets, as in {seed: [1, 2]}" : ""
    return "found the unknown name \(Quoted.short(name)), expected \(expected)\(hint)\(comma)"
  }
}
