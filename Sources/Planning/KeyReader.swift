import Jobs

/// Reads entries of the form `key: value`.
struct KeyReader {
  let values: ValueReader
  let findings: Findings

  /// Reads an entry whose key sets something of a job; nothing when something was wrong with it.
  ///
  /// `settings` is what the same mapping set before, `others` are names that the place understands besides keys.
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
    return setting(key, of: entry, among: settings)
  }

  /// Reads an entry's value as the key's; nothing when something was wrong with it.
  func setting(_ key: RecipeKey, of entry: YAMLEntry, among settings: [Setting], or others: [String] = []) -> Setting? {
    guard !settings.contains(where: { $0.key === key }) else {
      findings.error(
        "found \(entry.name), which sets \(key.name) a second time; expected it once",
        at: entry.keyPosition)
      return nil
    }
    guard let scalar = entry.value.scalar else {
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
      return Setting(key, try values.value(of: scalar, for: key))
    } catch {
      findings.error("\(name): \(error.message)", at: position)
      return nil
    }
  }

  /// A combined sampler name and a `scheduler` in one mapping must not contradict each other.
  func checkSchedules(_ settings: [Setting], in entries: [YAMLEntry]) -> Bool {
    for case .sampler(let sampler, .some(let named)) in settings.map(\.value) {
      for case .schedule(let schedule) in settings.map(\.value) where schedule != .automatic && schedule != named {
        let position = entries.first { $0.name == "scheduler" }?.value.position ?? entries[0].keyPosition
        findings.error(
          "scheduler: found \(schedule.rawValue), but the sampler's name says \(named.rawValue); "
            + "expected one of them, or \(sampler.rawValue) as the sampler", at: position)
        return false
      }
    }
    return true
  }

  /// What to say of a name that is no key: that it will be one, or which one it resembles.
  static func unknown(_ name: String, expected: String, names: [String]) -> String {
    if let refusal = UnsupportedNames.keys[name] {
      return "found \(name), which is not supported by this version; \(refusal.reason)"
    }
    let hint = NearestName.hint(name, among: names)
    let comma =
      hint.isEmpty && (name == "..." || CoreNumber.number(name) != nil)
      ? "; between braces a list needs brackets, as in {seed: [1, 2]}" : ""
    return "found the unknown name \(Quoted.short(name)), expected \(expected)\(hint)\(comma)"
  }
}
