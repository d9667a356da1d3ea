import Hashing
import Foundation
import JSON
import Settings
import Text

/// Reads txt2img requests: one body or envelope in a file, one per line of a `.jsonl` file, or a folder of such files.
struct RequestReader {
  let environment: PlanningEnvironment
  let findings: Findings
  /// The overrides from the command line.
  let overrides: [RecipeOverride]

  /// The largest file of requests, in bytes; platforms accept up to 20 MB for one request.
  static let sizeLimit = 256 << 20

  /// The kinds of texts.
  enum Kind {
    /// One request.
    case request(YAMLNode)
    /// One request on each line.
    case list
    /// A recipe, not a request.
    case recipe
  }

  /// Detects whether a text is a request.
  ///
  /// A text is a request if the file's name ends in `.jsonl`; if its object has a member `input` or `payload`; or if the name
  /// ends in `.json` and no member is a key of recipes.
  ///
  /// - Throws: One error, for a `.json` file that is neither JSON nor a recipe.
  func kind(of text: RequestText) throws(RecipeErrors) -> Kind {
    if text.path.hasSuffix(".jsonl") { return .list }
    let isNamedJSON = text.path.hasSuffix(".json")
    let first = text.bytes.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
    let isYAMLRequest = { (root: YAMLNode) in root.entries?.contains { Self.wrappers.contains($0.name) } == true }
    if isNamedJSON || first == UInt8(ascii: "{") {
      let words = Findings()
      do {
        let root = try text.value(in: text.bytes.indices, words)
        let entries = root.entries ?? []
        let isWrapped = entries.contains { Self.wrappers.contains($0.name) }
        guard isWrapped || (isNamedJSON && !entries.contains { RecipeKey.named($0.name)?.isOurs == true }) else {
          return .recipe
        }
        findings.add(try words.finish())
        return .request(root)
      } catch {
        // A recipe may be YAML that is not JSON. If it is not a recipe, report the JSON error.
        let root = try? yaml(text)
        if root?.entries?.contains(where: { RecipeKey.named($0.name)?.isOurs == true }) == true { return .recipe }
        if isNamedJSON || root.map(isYAMLRequest) == true { throw error }
        return .recipe
      }
    }
    // A text that is not YAML either is read as a recipe, so that its errors are reported.
    guard let root = try? yaml(text), isYAMLRequest(root) else { return .recipe }
    return .request(root)
  }

  private func yaml(_ text: RequestText) throws(RecipeErrors) -> YAMLNode? {
    let document = try YAMLDocument(Array(text.bytes)) { SourcePosition(file: text.path, line: $0, column: $1) }
    return document.problems.contains { $0.severity == .error } ? nil : document.root
  }

  private static let wrappers: Set<String> = ["input", "payload"]

  // MARK: Requests

  /// The requests in a `.jsonl` file, labelled by line number.
  func requests(onLinesOf text: RequestText) -> [Request] {
    let lines = text.nonblankLines
    if lines.isEmpty { findings.error("found an empty file, expected a request on each line", at: text.whole) }
    let reader = bodyReader(of: text)
    var requests: [Request] = []
    for line in lines where !findings.isFull {
      do {
        let root = try text.value(in: line, findings)
        if let request = request(root, reader, label: "line \(root.position.line)") { requests.append(request) }
      } catch {
        findings.add(error.diagnostics)
      }
    }
    return requests
  }

  /// The requests in a folder's `.json` and `.jsonl` files, sorted by name; subfolders are not searched.
  func requests(inFolder path: String) throws(RecipeErrors) -> [Request] {
    let whole = SourcePosition(file: path, line: 0, column: 0)
    let all: [String]
    do {
      all = try FileManager.default.contentsOfDirectory(atPath: path)
    } catch {
      throw RecipeErrors("cannot be read (\(error.localizedDescription)), expected a folder of requests", at: whole)
    }
    let names = all.filter { !$0.hasPrefix(".") && ($0.hasSuffix(".json") || $0.hasSuffix(".jsonl")) }.sorted()
    guard !names.isEmpty else {
      throw RecipeErrors("found a folder without .json and .jsonl files, expected requests in it", at: whole)
    }
    var requests: [Request] = []
    for name in names {
      let file = path.hasSuffix("/") ? path + name : "\(path)/\(name)"
      do {
        let text = RequestText(try RecipeFile.read(file, limits: YAMLLimits()), path: file)
        switch try kind(of: text) {
        case .list:
          requests += self.requests(onLinesOf: text).map { request in
            var request = request
            request.label = "\(name) \(request.label ?? "")"
            return request
          }
        case .request(let root): if let request = request(root, in: text, label: name) { requests.append(request) }
        case .recipe:
          findings.error("found a recipe in a folder of requests, expected requests only", at: text.position(0))
        }
      } catch {
        findings.add(error.diagnostics)
      }
    }
    return requests
  }

  /// Reads one request; errors are added to `findings`.
  func request(_ root: YAMLNode, in text: RequestText, label: String? = nil) -> Request? {
    request(root, bodyReader(of: text), label: label)
  }

  /// The reader of the bodies in this file.
  private func bodyReader(of text: RequestText) -> RequestBodyReader {
    let locator = ModelLocator(recipePath: text.path, environment: environment)
    let styles = StyleShelf(nil, locator: locator, findings: findings)
    return RequestBodyReader(
      environment: environment,
      values: ValueReader(locator: locator, styles: styles, mentions: WildcardMentions()),
      prompts: RequestPromptReader(text, locator, findings), findings: findings)
  }

  private func request(_ root: YAMLNode, _ reader: RequestBodyReader, label: String?) -> Request? {
    guard var envelope = RequestEnvelope(root, findings) else { return nil }
    let settings = apply(reader.values, &envelope)
    let body = reader.body(envelope.payload, envelope.defaults, settings)
    return Request(
      position: root.position, label: label, givenID: envelope.id, defaults: envelope.defaults, input: envelope.input,
      parameters: body.parameters, webhook: envelope.webhook, executionTimeout: envelope.executionTimeout,
      timeToLive: envelope.timeToLive, batchSize: body.batchSize, iterations: body.iterations,
      sendsImages: body.sendsImages, savesImages: body.savesImages, styles: body.styles,
      denoisingStrength: body.denoisingStrength, settings: body.settings, prompts: body.prompts,
      digest: digest(envelope))
  }

  /// Applies the values of the command line to an envelope.
  ///
  /// Returns those that are settings, but not fields of a body.
  private func apply(_ values: ValueReader, _ envelope: inout RequestEnvelope) -> [Setting] {
    var settings: [Setting] = []
    var entries = envelope.payload.entries ?? []
    for override in overrides {
      let (name, value) = (override.name, override.value)
      if RequestField.names.contains(name) {
        let entry = YAMLEntry(key: YAMLScalar(name), keyPosition: override.position, value: value)
        if let index = entries.firstIndex(where: { $0.name == name }) {
          entries[index] = entry
        } else {
          entries.append(entry)
        }
      } else if name == "webhook" {
        envelope.webhook = RequestEnvelope.webhook(value, findings)
      } else if name == "defaults" {
        if let defaults = RequestEnvelope.defaults(value, findings) { envelope.defaults = defaults }
      } else if name == "dynamic_prompts" {
        Self.setOption(name, value, at: override.position, in: &entries)
      } else if let key = RecipeKey.named(name), key.isSetting {
        guard let scalar = value.scalar else {
          findings.error("\(name): found \(value.found), expected \(key.kind.expectation)", at: override.position)
          continue
        }
        do {
          settings.append(Setting(key, try values.value(of: scalar, for: key)))
        } catch {
          findings.error("\(name): \(error.message)", at: override.position)
        }
      } else if name != "output" {
        findings.error(
          KeyReader.unknown(
            name, expected: "a field of a request or a setting", names: RequestField.names + RecipeKey.settingNames),
          at: override.position)
      }
    }
    envelope.payload = YAMLNode(.mapping(entries), at: envelope.payload.position, isFlow: true)
    return settings
  }

  /// Sets an option of the request.
  private static func setOption(
    _ name: String, _ value: YAMLNode, at position: SourcePosition, in entries: inout [YAMLEntry]
  ) {
    let index = entries.firstIndex { $0.name == "override_settings" && $0.value.entries != nil }
    var options = index.flatMap { entries[$0].value.entries } ?? []
    options.removeAll { $0.name == name }
    options.append(YAMLEntry(key: YAMLScalar(name), keyPosition: position, value: value))
    let node = YAMLNode(.mapping(options), at: index.map { entries[$0].value.position } ?? position, isFlow: true)
    if let index {
      entries[index].value = node
    } else {
      entries.append(YAMLEntry(key: YAMLScalar("override_settings"), keyPosition: position, value: node))
    }
  }

  /// A digest of the request: the body, its defaults, and the command line's changes.
  private func digest(_ envelope: RequestEnvelope) -> String {
    let changes = overrides.filter { !RequestField.names.contains($0.name) && !Self.withoutEffect.contains($0.name) }
      .map { JSONMember($0.name, $0.value.json) }
    let body: JSONValue = [
      "defaults": .string(envelope.defaults.rawValue), "payload": envelope.payload.json, "set": .object(changes),
    ]
    return Hexadecimal.text(SHA256.hash(Array(body.jsonText.utf8)))
  }

  /// Overrides that do not affect images.
  private static let withoutEffect: Set<String> = ["webhook", "output", "defaults"]
}
