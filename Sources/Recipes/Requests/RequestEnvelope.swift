import Foundation
import JSON
import Settings

/// The envelope around the body of a request.
///
/// All of these are requests: `{"webhook": …, "input": {"api": {…}, "payload": {body}}}`, `input` without `api`, `input` that
/// is the body itself, `{"payload": {body}}`, and only the body. Members of the envelope may also be next to the fields of a
/// body without an envelope.
struct RequestEnvelope {
  /// The body: a mapping.
  var payload: YAMLNode
  /// The request, without secrets.
  var input: JSONValue
  var id: String?
  var defaults = RequestAPI.a1111
  var webhook: WebhookAddress?
  var executionTimeout: Int64?
  var timeToLive: Int64?

  /// The members of an envelope besides `input` and `payload`; the last seven are those of responses, and are ignored.
  private static let names: Set<String> = [
    "webhook", "policy", "s3Config", "id", "defaults", "api", "delayTime", "executionTime", "status", "output", "error",
    "workerId", "webhookV2",
  ]

  /// Members that are never shown, stored or included in digests.
  private static let secrets: Set<String> = ["s3Config"]

  /// Reads an envelope; nil, with an error reported, if it has no valid body.
  init?(_ root: YAMLNode, _ findings: Findings) {
    guard let entries = root.entries else {
      findings.error("found \(root.found), expected a request: an object", at: root.position)
      return nil
    }
    let inner: YAMLNode
    if let entry = entries.first(where: { $0.name == "input" }) {
      guard entry.value.entries != nil else {
        findings.error("input: found \(entry.value.found), expected an object", at: entry.value.position)
        return nil
      }
      inner = entry.value
    } else {
      inner = root
    }
    let isWrapped = entries.contains { ["input", "payload"].contains($0.name) }
    let own = Self.names
    if let entry = inner.entries?.first(where: { $0.name == "payload" }) {
      guard entry.value.entries != nil else {
        findings.error("payload: found \(entry.value.found), expected an object", at: entry.value.position)
        return nil
      }
      payload = entry.value
      input = Self.json(inner) { inner.position == root.position ? ["api", "payload"].contains($0) : true }
    } else {
      if let api = inner.entries?.first(where: { $0.name == "api" }) {
        findings.error("found api without payload, expected both", at: api.keyPosition)
        return nil
      }
      let isRoot = !isWrapped
      payload = YAMLNode(
        .mapping(
          (inner.entries ?? []).filter { !Self.secrets.contains($0.name) && !(isRoot && own.contains($0.name)) }),
        at: inner.position, isFlow: true)
      input = payload.json
    }
    let isKnown = payload.entries?.contains { RequestField.names.contains($0.name) } ?? false
    if !isWrapped, !isKnown, !entries.isEmpty {
      findings.error(
        "found an object without any field of a request, expected one, such as {\"prompt\": \"a red fish\"}",
        at: root.position)
      return nil
    }
    if let api = inner.entries?.first(where: { $0.name == "api" })?.value { Self.check(api, findings) }
    for entry in entries {
      switch entry.name {
      case "webhook": webhook = Self.webhook(entry.value, findings)
      case "policy": readPolicy(entry.value, findings)
      case "id": id = Self.id(entry.value, findings)
      case "defaults": if let found = Self.defaults(entry.value, findings) { defaults = found }
      case _ where isWrapped && !own.contains(entry.name) && !["input", "payload"].contains(entry.name):
        findings.warning(
          "found the unknown name \(Quoted.short(entry.name)) next to the request, which is ignored"
            + NearestName.hint(entry.name, among: own.sorted()), at: entry.keyPosition)
      default: break
      }
    }
  }

  private static func json(_ node: YAMLNode, _ isWanted: (String) -> Bool) -> JSONValue {
    .object(
      (node.entries ?? []).filter { isWanted($0.name) && !secrets.contains($0.name) }
        .map { JSONMember($0.name, $0.value.json) })
  }

  // MARK: Parts

  /// Only txt2img is supported.
  private static func check(_ api: YAMLNode, _ findings: Findings) {
    guard api.entries != nil else {
      findings.error("api: found \(api.found), expected an object of method and endpoint", at: api.position)
      return
    }
    if let method = api.value("method"), method.scalar?.text.uppercased() != "POST" {
      findings.error("method: found \(method.found), expected POST", at: method.position)
    }
    guard let endpoint = api.value("endpoint") else { return }
    let path = endpoint.scalar?.text.drop { $0 == "/" } ?? ""
    guard path != "sdapi/v1/txt2img" else { return }
    findings.error(
      "endpoint: found \(endpoint.found), which is not supported; expected /sdapi/v1/txt2img", at: endpoint.position)
  }

  /// Reads an address. An address that cannot be used is only a warning, because some sources of requests shorten addresses on
  /// purpose.
  static func webhook(_ node: YAMLNode, _ findings: Findings) -> WebhookAddress? {
    if node.isNull { return nil }
    guard let scalar = node.scalar, scalar.isQuoted || scalar.coreValue == .text else {
      findings.error("webhook: found \(node.found), expected an address or null", at: node.position)
      return nil
    }
    if scalar.text.isEmpty { return nil }
    if let address = WebhookAddress(scalar.text) { return address }
    findings.warning(
      "webhook: expected an address that begins with http:// or https:// and names a host; nothing will be sent",
      at: node.position)
    return nil
  }

  private mutating func readPolicy(_ node: YAMLNode, _ findings: Findings) {
    if node.isNull { return }
    guard let entries = node.entries else {
      findings.error("policy: found \(node.found), expected an object", at: node.position)
      return
    }
    for entry in entries where !entry.value.isNull {
      switch entry.name {
      case "executionTimeout": executionTimeout = Self.milliseconds(entry, findings)
      case "ttl": timeToLive = Self.milliseconds(entry, findings)
      case "lowPriority":
        guard case .boolean = entry.value.scalar?.coreValue else {
          findings.error("lowPriority: found \(entry.value.found), expected true or false", at: entry.value.position)
          continue
        }
      default:
        findings.warning(
          "found the unknown name \(Quoted.short(entry.name)) in policy, which is ignored"
            + NearestName.hint(entry.name, among: ["executionTimeout", "ttl", "lowPriority"]), at: entry.keyPosition)
      }
    }
  }

  /// Reads a time limit of at most a week, which is the limit of the platforms.
  private static func milliseconds(_ entry: YAMLEntry, _ findings: Findings) -> Int64? {
    let limit: Int64 = 604_800_000
    guard let scalar = entry.value.scalar, !scalar.isQuoted, let value = ExactDecimal(scalar.text)?.integer,
      (1...limit).contains(value)
    else {
      findings.error(
        "\(entry.name): found \(entry.value.found), expected milliseconds from 1 to \(limit)", at: entry.value.position)
      return nil
    }
    return value
  }

  /// An id, which must be usable as a file name.
  private static func id(_ node: YAMLNode, _ findings: Findings) -> String? {
    if node.isNull { return nil }
    guard let text = node.scalar?.text, (1...128).contains(text.utf8.count), !text.hasPrefix("."),
      text.utf8.allSatisfy({ byte in
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "-_.".utf8.contains(byte)
          || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
      })
    else {
      findings.error(
        "id: found \(node.found), expected 1 to 128 letters, digits, '-', '_' and '.', not starting with '.'",
        at: node.position)
      return nil
    }
    return text
  }

  static func defaults(_ node: YAMLNode, _ findings: Findings) -> RequestAPI? {
    if let found = node.scalar.flatMap({ RequestAPI(rawValue: $0.text.lowercased()) }) { return found }
    let names = RequestAPI.allCases.map(\.rawValue)
    findings.error("defaults: found \(node.found), expected \(SettingKind.list(names))", at: node.position)
    return nil
  }
}
