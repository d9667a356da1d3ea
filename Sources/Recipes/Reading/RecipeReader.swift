import Foundation
import JSON
import Settings

/// Reads recipes: turns YAML text into a checked `Recipe`, or reports all of its errors. Requests for txt2img are read as
/// recipes that contain only requests.
public struct RecipeReader: Sendable {
  private let environment: PlanningEnvironment

  /// Creates a reader that searches the environment's folders for models.
  public init(environment: PlanningEnvironment) { self.environment = environment }

  /// Reads a recipe file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - overrides: `key=value` texts of the command line; if a key is repeated, the last one is used.
  /// - Returns: The recipe, with warnings.
  /// - Throws: All errors of the file and the overrides, sorted by position.
  public func read(path: String, overrides: [String] = []) throws(RecipeErrors) -> Recipe {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      let findings = Findings()
      let reader = RequestReader(
        environment: environment, findings: findings, overrides: Self.overrides(overrides, findings))
      return try recipe(try reader.requests(inFolder: path), path: path, reader)
    }
    return try read(text: try RecipeFile.read(path, limits: YAMLLimits()), path: path, overrides: overrides)
  }

  /// Reads the text of a recipe.
  ///
  /// - Parameters:
  ///   - text: UTF-8.
  ///   - path: The file's name for errors; models are searched for next to it, and the default output folder is derived from
  ///     it.
  ///   - overrides: `key=value` texts of the command line; if a key is repeated, the last one is used.
  /// - Returns: The recipe, with warnings.
  /// - Throws: All errors of the text and the overrides, sorted by position.
  public func read(text: [UInt8], path: String, overrides: [String] = []) throws(RecipeErrors) -> Recipe {
    if let recipe = try requests(in: RequestText(text, path: path), overrides) { return recipe }
    let findings = Findings()
    let document = try YAMLDocument(text) { SourcePosition(file: path, line: $0, column: $1) }
    findings.add(document.problems)
    let read = document.root?.withoutControls { findings.error($0, at: $1) }
    guard let original = read, !original.isNull else {
      throw RecipeErrors(
        "found an empty file, expected a recipe, such as prompt: a red fish",
        at: SourcePosition(file: path, line: 1, column: 1))
    }
    guard original.entries != nil else {
      throw RecipeErrors(
        "found \(original.found), expected a mapping of recipe keys, such as prompt: a red fish", at: original.position)
    }
    CommentCheck.check(original, in: text, findings)
    var root = original
    for (index, override) in overrides.enumerated() {
      do {
        root = try RecipeOverride(override, rank: index + 1).apply(to: root)
      } catch {
        findings.add(error.diagnostics)
      }
    }
    let reading = Reading(
      of: root.entries ?? [], source: text, path: path, environment: environment, findings: findings)
    let parts = reading.parts()
    if Recipe.mayUseDemo(parts.base, parts.grid + parts.zip.joined()) {
      DemoWordCheck.check(root, known: environment.demoWords, findings)
    }
    // Never copy an address's secrets to other files.
    let withoutWebhook = root.withoutSecrets(of: "webhook", member: "url")
    let shown = (withoutWebhook ?? root).withoutSecrets(of: "notify", member: "ping") ?? withoutWebhook
    let written =
      overrides.isEmpty && shown == nil
      ? String(decoding: text, as: UTF8.self) : effectiveText(shown ?? root, path, overrides, findings)
    return Recipe(
      path: path, base: parts.base, grid: parts.grid, zip: parts.zip, wildcards: parts.wildcards,
      output: environment.expanded(parts.output ?? Self.defaultOutput(path)), sheet: parts.sheet,
      webhook: parts.webhook, notify: parts.notify, text: written, json: JSONValue(shown ?? root),
      warnings: try findings.finish(), exclude: parts.exclude, include: parts.include, dynamic: parts.dynamic,
      requests: nil)
  }

  /// The requests in a text; nil if it is a recipe.
  private func requests(in text: RequestText, _ overrides: [String]) throws(RecipeErrors) -> Recipe? {
    let findings = Findings()
    let reader = RequestReader(
      environment: environment, findings: findings, overrides: Self.overrides(overrides, findings))
    switch try reader.kind(of: text) {
    case .recipe: return nil
    case .list: return try recipe(reader.requests(onLinesOf: text), path: text.path, reader)
    case .request(let root):
      return try recipe(reader.request(root, in: text).map { [$0] } ?? [], path: text.path, reader)
    }
  }

  /// A recipe that consists of requests, which were read without errors.
  private func recipe(_ requests: [Request], path: String, _ reader: RequestReader) throws(RecipeErrors) -> Recipe {
    RequestBatch.check(requests, reader.findings)
    for request in requests {
      guard let size = request.settings.hiresSize, !size.isPossible else { continue }
      let key = request.settings.hires.map {
        $0.resizeX != 0 ? "hr_resize_x" : $0.resizeY != 0 ? "hr_resize_y" : "hr_scale"
      }
      reader.findings.error("\(key ?? "hr_scale"): \(size.complaint)", at: request.position)
    }
    let output = reader.overrides.last { $0.name == "output" }?.value.scalar?.text ?? Self.defaultOutput(path)
    return Recipe(
      path: path, base: [], grid: [], zip: [], wildcards: [], output: environment.expanded(output), sheet: nil,
      webhook: nil, notify: nil, text: "", json: .null, warnings: try reader.findings.finish(), exclude: [],
      include: [], dynamic: nil, requests: RequestBatch(requests: requests))
  }

  /// The overrides that are valid.
  private static func overrides(_ texts: [String], _ findings: Findings) -> [RecipeOverride] {
    var overrides: [RecipeOverride] = []
    for (index, text) in texts.enumerated() {
      do {
        overrides.append(try RecipeOverride(text, rank: index + 1))
      } catch {
        findings.add(error.diagnostics)
      }
    }
    return overrides
  }

  private func effectiveText(
    _ root: YAMLNode, _ path: String, _ overrides: [String], _ findings: Findings
  ) -> String {
    guard let text = YAMLWriter.text(of: root) else {
      findings.error(
        "cannot be written back with its overrides", at: SourcePosition(file: path, line: 0, column: 0))
      return ""
    }
    let file = Quoted.bounded(URL(fileURLWithPath: path).lastPathComponent)
    let set = overrides.map { "--set " + RecipeOverride.shown($0) }
    return "# \(file)\(set.isEmpty ? "" : " with ")" + set.joined(separator: " ") + "\n" + text
  }

  private static func defaultOutput(_ path: String) -> String {
    let name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
    return "Output/" + (name.isEmpty || name == "/" ? "recipe" : name)
  }
}

/// Reads the top level of one recipe.
private struct Reading {
  let findings: Findings
  private let environment: PlanningEnvironment
  private let values: ValueReader
  private let wildcards: WildcardShelf
  private let whole: SourcePosition
  private let entries: [YAMLEntry]
  private let source: [UInt8]
  private let locator: ModelLocator

  init(of entries: [YAMLEntry], source: [UInt8], path: String, environment: PlanningEnvironment, findings: Findings) {
    self.findings = findings
    self.environment = environment
    whole = SourcePosition(file: path, line: 0, column: 0)
    self.entries = entries
    self.source = source
    locator = ModelLocator(recipePath: path, environment: environment)
    let styles = StyleShelf(entries.first { $0.name == "styles_file" }, locator: locator, findings: findings)
    values = ValueReader(locator: locator, styles: styles, mentions: WildcardMentions())
    wildcards = WildcardShelf(locator: locator, findings: findings)
  }

  struct Parts {
    var base: [Setting] = []
    var grid: [Axis] = []
    var zip: [[Axis]] = []
    var exclude: [CellFilter] = []
    var include: [ExtraCell] = []
    var wildcards: [Axis] = []
    var dynamic: DynamicPrompts?
    var output: String?
    var sheet: SheetLayout?
    var webhook: RecipeWebhook?
    var notify: RecipeNotify?
    /// The series in `nightly`.
    var series: NightlySeries?
  }

  func parts() -> Parts {
    var parts = Parts()
    var nodes: [String: YAMLNode] = [:]
    var series: YAMLEntry?
    let reader = KeyReader(values: values, findings: findings)
    for entry in entries where !entry.name.hasPrefix("x-") {
      guard let key = RecipeKey.named(entry.name) else {
        if RefusedSetting.named(entry.name)?.allows(entry.value) == true { continue }
        reportUnknown(entry)
        continue
      }
      if key.name == "seed", let scalar = entry.value.scalar, NightlySeries.isMeant(scalar) {
        series = entry
      } else if key.isSetting {
        if let setting = reader.setting(key, of: entry, among: parts.base) { parts.base.append(setting) }
      } else {
        nodes[key.name] = entry.value
      }
    }
    _ = reader.checkTogether(parts.base, in: entries)
    if let entry = entries.first(where: { $0.name == "nightly" }), !entry.value.isNull {
      parts.series = NightlyReader(findings: findings).series(entry)
    }
    let broken = readAxes(nodes, series, &parts)
    let cells = CellReader(
      values: values, findings: findings, axes: parts.grid + parts.zip.joined(), broken: broken)
    if let node = nodes["exclude"], !node.isNull { parts.exclude = cells.filters(node) }
    if let node = nodes["include"], !node.isNull { parts.include = cells.extras(node) }
    let position = (nodes["grid"] ?? nodes["zip"] ?? nodes["prompts_from"])?.position
    if checkCount(parts, at: position), broken.isEmpty {
      let mode = dynamicMode(nodes["dynamic_prompts"])
      let limit = promptLimit(nodes["prompt_limit"])
      if let mode, mode != .off {
        readDynamicPrompts(mode, limit: limit, &parts, at: position)
      } else {
        readWildcards(&parts, at: position)
        if nodes["dynamic_prompts"] == nil { warnOfDynamicPrompts() }
      }
      checkSizes(parts)
    }
    let axes = parts.grid + parts.zip.joined() + parts.wildcards
    for (name, node) in nodes where !node.isNull {
      switch name {
      case "output": parts.output = text(node, of: name)
      case "sheet":
        let night = axes.contains { $0.seedsPerNight != nil } ? [NightlySeries.axisName] : []
        parts.sheet = SheetReader(findings: findings, axes: axes.map(\.name) + night + broken.sorted()).layout(node)
      case "notify": parts.notify = NotifyReader(findings: findings).notify(node)
      case "webhook": parts.webhook = WebhookReader(findings: findings).webhook(node)
      default: break
      }
    }
    return parts
  }

  private func reportUnknown(_ entry: YAMLEntry) {
    if let (_, name) = PromptAxis.named(entry.name) {
      findings.error(
        "found \(entry.name) here, expected it under grid, because \(name) is an axis", at: entry.keyPosition)
      return
    }
    let names = RecipeKey.all.map(\.name)
    var message = KeyReader.unknown(entry.name, expected: "a recipe key", names: names)
    if entry.value.items != nil, NearestName.find(entry.name, among: names) == nil,
      RefusedSetting.named(entry.name) == nil
    {
      message += "; axes belong under grid"
    }
    findings.error(message, at: entry.keyPosition)
  }

  // MARK: Axes

  /// Reads `grid` and `zip`. Returns the names of axes with errors, so that their errors are not reported twice.
  private func readAxes(_ nodes: [String: YAMLNode], _ series: YAMLEntry?, _ parts: inout Parts) -> Set<String> {
    let budget = ValueBudget()
    func own(_ name: String) -> String? { parts.base.first { $0.key.name == name }?.value.asText }
    let prompts = PromptAxisReader(
      findings: findings, budget: budget, mentions: values.mentions, basePrompt: own("prompt"),
      baseNegativePrompt: own("negative_prompt"))
    let reader = AxisReader(values: values, findings: findings, budget: budget, prompts: prompts, wildcards: wildcards)
    var names = AxisNames()
    if let grid = nodes["grid"], !grid.isNull { parts.grid = axes(grid, of: "grid", reader, &names) }
    if let zip = nodes["zip"], !zip.isNull {
      guard let groups = zip.items else {
        let hint = zip.entries == nil ? "" : "; put - before its first key"
        findings.error(
          "zip: found \(zip.found), expected \(SettingKind.axisGroups.expectation)\(hint)", at: zip.position)
        return names.broken
      }
      for group in groups {
        let members = axes(group, of: "zip", reader, &names)
        for member in members where member.seedsPerNight != nil {
          findings.error(
            "\(member.name): found a nightly series in zip, expected it at the top level or under grid, because it "
              + "grows from night to night", at: member.position)
        }
        checkLengths(members)
        if !members.isEmpty { parts.zip.append(members) }
      }
    }
    if let node = nodes["prompts_from"], !node.isNull {
      let files = PromptFileReader(
        locator: locator, values: values, findings: findings, environment: environment)
      if let axis = files.axis(node, at: node.position) {
        parts.grid.insert(axis, at: 0)
      } else {
        names.broken.insert(PromptFileReader.axisName)
      }
    }
    if let series { addSeries(series, reader, names, &parts) }
    if let series = parts.series { addSeries(series, names, &parts) }
    warnOfOverridden(parts.grid + parts.zip.joined())
    warnOfMatrices(parts.grid + parts.zip.joined())
    return names.broken
  }

  /// A nightly series at the top level is the first axis, so that whole nights follow each other.
  private func addSeries(_ entry: YAMLEntry, _ reader: AxisReader, _ names: AxisNames, _ parts: inout Parts) {
    guard names.positions["seed"] == nil else {
      findings.error(
        "seed: found a nightly series and an axis seed, expected only one of them", at: entry.value.position)
      return
    }
    if let axis = reader.axis(entry) { parts.grid.insert(axis, at: 0) }
  }

  /// The same with the key `nightly`, which may also belong to a series that `seed` starts.
  private func addSeries(_ series: NightlySeries, _ names: AxisNames, _ parts: inout Parts) {
    let hasSeries = parts.grid.contains { $0.seedsPerNight != nil }
    if series.keep != nil, names.positions[NightlySeries.axisName] != nil {
      findings.error(
        "nightly: found keep and an axis night, expected another name for the axis, because nights are an axis too",
        at: series.position)
    }
    guard let count = series.count else {
      if !hasSeries {
        findings.error(
          "nightly: found no count, expected one, such as {count: 16, keep: 30}, because seed is no nightly series",
          at: series.position)
      }
      return
    }
    guard !hasSeries, names.positions["seed"] == nil, !parts.base.contains(where: { $0.key.name == "seed" }),
      let key = RecipeKey.named("seed")
    else {
      findings.error("nightly: found a count and a seed as well, expected only one of them", at: series.position)
      return
    }
    parts.grid.insert(NightlySeries.axis(count, key: key, at: series.position), at: 0)
  }

  private struct AxisNames {
    var positions: [String: SourcePosition] = [:]
    var broken: Set<String> = []
  }

  private func axes(_ node: YAMLNode, of name: String, _ reader: AxisReader, _ names: inout AxisNames) -> [Axis] {
    guard let entries = node.entries else {
      findings.error(
        "\(name): found \(node.found), expected a mapping of axes, such as seed: [1, 2]", at: node.position)
      return []
    }
    if entries.isEmpty {
      findings.warning("\(name): found no axes", at: node.position)
    }
    var axes: [Axis] = []
    for entry in entries {
      let axisName = PlotLabels.axisName(entry.name)
      if let first = names.positions[axisName] {
        findings.error(
          "found a second axis \(axisName), expected one\(first.lineHint("the first is"))", at: entry.keyPosition)
        continue
      }
      names.positions[axisName] = entry.keyPosition
      if let axis = reader.axis(entry) {
        axes.append(axis)
      } else {
        names.broken.insert(axisName)
      }
    }
    return axes
  }

  private func checkLengths(_ members: [Axis]) {
    guard let first = members.first else { return }
    for member in members.dropFirst() where member.count != first.count {
      findings.error(
        "zip: found \(member.count) values of \(member.name), expected \(first.count) as of \(first.name), "
          + "because the axes of a group advance together", at: member.position)
    }
  }

  /// Warns about axes without effect, because every value of a later axis sets the same key.
  private func warnOfOverridden(_ axes: [Axis]) {
    for (index, axis) in axes.enumerated() {
      guard let key = axis.key, key.kind != .text else { continue }
      guard let later = axes[(index + 1)...].first(where: { $0.setsAlways(key) }) else { continue }
      findings.warning(
        "the axis \(axis.name) has no effect, because every value of \(later.name) sets \(key.name) after it",
        at: axis.position)
    }
  }

  /// Warns about axes that set a prompt which a prompt matrix with its own fixed part replaces.
  private func warnOfMatrices(_ axes: [Axis]) {
    for matrix in axes {
      guard let row = matrix.onlyRow as? MatrixRow, row.matrix.fixed != nil else { continue }
      let name = row.key == .promptMatrix ? "prompt" : "negative_prompt"
      for axis in axes {
        guard let key = RecipeKey.named(name), axis.setsKey(key) else { continue }
        findings.warning(
          "the axis \(axis.name) has no effect on \(name), because \(matrix.name) has its own fixed part",
          at: axis.position)
      }
    }
  }

  /// Reports cells whose second pass would have an impossible size, and cells with settings that their model's family does not
  /// support.
  private func checkSizes(_ parts: Parts) {
    let groups = parts.grid.map { [$0] } + parts.zip
    // Groups of unequal length have already been reported, and have no cells.
    guard groups.allSatisfy({ group in group.allSatisfy { $0.count == group[0].count } }) else { return }
    var base = CellDraft(environment: environment)
    base.apply(parts.base)
    SizeCheck(base: base, entries: entries, findings: findings).check(groups, parts.exclude, parts.include)
    FamilyCheck(base: base, entries: entries, findings: findings).check(groups, parts.exclude, parts.include)
    let entry = entries.first { RecipeKey.named($0.name)?.name == "file_name" }
    if let position = entry?.value.position ?? entries.first?.keyPosition {
      NameCheck(findings: findings).check(base.settings.fileName, axes: groups.joined().map(\.name), at: position)
    }
  }

  // MARK: Prompts

  /// How dynamic prompts are resolved; nil, with an error reported, for another word.
  private func dynamicMode(_ node: YAMLNode?) -> DynamicPrompts.Mode? {
    guard let node, !node.isNull else { return .off }
    let mode = node.scalar.flatMap { DynamicPrompts.Mode(rawValue: $0.text.lowercased()) }
    if mode == nil {
      let names = DynamicPrompts.Mode.allCases.map(\.rawValue)
      let hint = NearestName.hint(node.scalar?.text ?? "", among: names)
      findings.error(
        "dynamic_prompts: found \(node.found), expected \(SettingKind.list(names))\(hint)", at: node.position)
    }
    return mode
  }

  private func promptLimit(_ node: YAMLNode?) -> Int? {
    guard let node, !node.isNull else { return nil }
    let limit = node.scalar.flatMap { Int($0.text) }.flatMap { (1...Recipe.jobLimit).contains($0) ? $0 : nil }
    if limit == nil {
      findings.error(
        "prompt_limit: found \(node.found), expected a whole number from 1 to \(Recipe.jobLimit)", at: node.position)
    }
    return limit ?? 1
  }

  /// Warns if a prompt looks dynamic but dynamic prompts are off.
  private func warnOfDynamicPrompts() {
    guard let (text, position) = values.mentions.firstDynamic else { return }
    findings.warning(
      DynamicPrompts.warning(of: text, advice: "dynamic_prompts: random, combinatorial or cyclical"), at: position)
  }

  /// Reads the templates of dynamic prompts, and makes an axis of all prompts if that is requested.
  private func readDynamicPrompts(
    _ mode: DynamicPrompts.Mode, limit: Int?, _ parts: inout Parts, at position: SourcePosition?
  ) {
    let groups = parts.grid.map { [$0] } + parts.zip
    // Groups of unequal length have already been reported, and have no cells.
    guard groups.allSatisfy({ group in group.allSatisfy { $0.count == group[0].count } }) else { return }
    var base = CellDraft(environment: environment)
    base.apply(parts.base)
    if groups.joined().contains(where: { $0.setsKey(.promptEdit) }) {
      var survey = PromptSurvey()
      survey.walk(base, groups, parts.exclude)
      for complaint in survey.complaints { findings.error(complaint.message, at: complaint.position) }
    }
    let library = WildcardLibrary(locator: locator, stripsComments: base.stripsComments, findings: findings)
    var reader = DynamicPromptReader(
      mode: mode, limit: limit, library: library, findings: findings, mentions: values.mentions,
      source: SourceText(source, path: whole.source), whole: whole)
    reader.walk(base, groups, parts.exclude)
    for index in parts.include.indices {
      var draft = base
      draft.apply(parts.include[index].settings)
      parts.include[index].wildcards = reader.axes(of: draft)
    }
    parts.wildcards = mode == .combinatorial ? reader.promptAxes : []
    parts.dynamic = reader.dynamic
    _ = checkCount(parts, at: position ?? parts.wildcards.first?.position)
  }

  /// Makes axes of the wildcards that are not set in the prompts, and reports edits without effect.
  private func readWildcards(_ parts: inout Parts, at position: SourcePosition?) {
    let groups = parts.grid.map { [$0] } + parts.zip
    let edits = groups.joined().contains { $0.setsKey(.promptEdit) }
    let named =
      parts.base.filter { $0.key.wildcard != nil }.map(\.key)
      + groups.joined().compactMap(\.key)
      .filter { $0.wildcard != nil }
    guard edits || values.mentions.mayHaveWildcards || !named.isEmpty else { return }
    // Groups of unequal length have already been reported, and have no cells.
    guard groups.allSatisfy({ group in group.allSatisfy { $0.count == group[0].count } }) else { return }
    var base = CellDraft(environment: environment)
    base.apply(parts.base)
    var survey = PromptSurvey()
    survey.walk(base, groups, parts.exclude)
    for index in parts.include.indices {
      var draft = base
      draft.apply(parts.include[index].settings)
      parts.include[index].wildcards = axes(of: survey.look(at: draft))
    }
    parts.wildcards = axes(of: survey.open)
    for complaint in survey.complaints { findings.error(complaint.message, at: complaint.position) }
    for key in named {
      guard let name = key.wildcard, !survey.used.contains(name) else { continue }
      let usePosition =
        groups.joined().first { $0.key == key }?.position ?? entries.first { $0.name == key.name }?.keyPosition
      findings.warning("\(key.name): found no prompt with this wildcard, so it has no effect", at: usePosition ?? whole)
    }
    let wildcardPosition =
      parts.wildcards.first?.position ?? parts.include.lazy.compactMap(\.wildcards.first?.position).first
    _ = checkCount(parts, at: position ?? wildcardPosition)
  }

  /// The axes of wildcards that no key sets.
  private func axes(of wildcards: [String]) -> [Axis] {
    let limit = 100
    guard wildcards.count <= limit else {
      findings.error(
        "found \(wildcards.count) wildcards, expected \(limit) at most",
        at: values.mentions.position(of: wildcards[limit]) ?? whole)
      return []
    }
    return wildcards.compactMap(axis)
  }

  private func axis(of wildcard: String) -> Axis? {
    let position = values.mentions.position(of: wildcard) ?? whole
    guard let entries = wildcards.entries(of: wildcard, at: position) else { return nil }
    let key = RecipeKey(wildcard: wildcard, isDefault: true)
    return Axis(name: key.name, key: key, runs: [.row(WildcardRow(key: key, entries: entries))], position: position)
  }

  /// Computes the number of jobs without going through them, because there may be 10^12.
  ///
  /// - Returns: Whether it is within the limit.
  private func checkCount(_ parts: Parts, at position: SourcePosition?) -> Bool {
    var count = 0
    var estimate = 0.0
    var product = 1
    var isExact = true
    var productEstimate = 1.0
    for cell in parts.include {
      let (sum, overflow) = count.addingReportingOverflow(cell.count)
      isExact = isExact && !overflow && cell.count < Int.max
      count = overflow ? Int.max : sum
      estimate += Double(cell.count)
    }
    for group in parts.grid.map({ [$0] }) + parts.zip + parts.wildcards.map({ [$0] }) {
      guard let length = group.first?.count else { continue }
      let (next, overflow) = product.multipliedReportingOverflow(by: length)
      isExact = isExact && !overflow && length < Int.max
      product = overflow ? Int.max : next
      productEstimate *= Double(length)
    }
    let (sum, overflow) = count.addingReportingOverflow(product)
    isExact = isExact && !overflow
    count = sum
    estimate += productEstimate
    guard !isExact || count > Recipe.jobLimit, let position else { return true }
    findings.error(
      "found \(isExact ? "\(count)" : "about \(estimate)") jobs, expected \(Recipe.jobLimit) at most; "
        + "split the recipe or remove values", at: position)
    return false
  }

  // MARK: Texts

  private func text(_ node: YAMLNode, of name: String) -> String? {
    guard let text = node.scalar?.text else {
      findings.error("\(name): found \(node.found), expected a path", at: node.position)
      return nil
    }
    guard !text.isEmpty, !text.utf8.contains(0) else {
      findings.error("\(name): found \(Quoted.short(text)), expected a path", at: node.position)
      return nil
    }
    return text
  }
}
