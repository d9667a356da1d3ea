import Settings

/// Reads a recipe's `webhook`: an address, or `{url: ..., per: run | job | [run, job], send_images: true | false}`.
struct WebhookReader {
  let findings: Findings

  private static let names = ["url", "per", "send_images"]

  /// Reads the value; nil if it is empty, or, with an error reported, if it is not valid.
  func webhook(_ node: YAMLNode) -> RecipeWebhook? {
    guard let entries = node.entries else {
      return address(node).map { RecipeWebhook(address: $0, occasions: [.run], sendsImages: false) }
    }
    for entry in entries where !Self.names.contains(entry.name) {
      findings.error(
        KeyReader.unknown(entry.name, expected: SettingKind.list(Self.names), names: Self.names), at: entry.keyPosition)
    }
    let occasions = node.value("per").map { self.occasions($0) } ?? [.run]
    var sendsImages = occasions == [.job]
    if let value = node.value("send_images") {
      if case .boolean(let flag) = value.scalar?.coreValue {
        sendsImages = flag
      } else {
        findings.error("send_images: found \(Self.found(value)), expected true or false", at: value.position)
      }
    }
    guard let url = entries.first(where: { $0.name == "url" })?.value else {
      findings.error("webhook: found no url, expected one", at: node.position)
      return nil
    }
    return address(url).map { RecipeWebhook(address: $0, occasions: occasions, sendsImages: sendsImages) }
  }

  private func occasions(_ node: YAMLNode) -> [RecipeWebhook.Occasion] {
    var occasions: [RecipeWebhook.Occasion] = []
    for item in node.items ?? [node] {
      if let found = item.scalar.flatMap({ RecipeWebhook.Occasion(rawValue: $0.text.lowercased()) }) {
        if !occasions.contains(found) { occasions.append(found) }
      } else {
        findings.error("per: found \(Self.found(item)), expected run, job or [run, job]", at: item.position)
      }
    }
    if node.items?.isEmpty == true {
      findings.error("per: found an empty list, expected run, job or [run, job]", at: node.position)
    }
    return occasions
  }

  /// A wrong value, for messages. A value that may be an address with a password is not shown.
  private static func found(_ node: YAMLNode) -> String {
    let mayBeAddress = node.scalar?.text.contains { "/@:".contains($0) } == true
    return mayBeAddress ? "a value that may contain secrets" : node.found
  }

  private func address(_ node: YAMLNode) -> WebhookAddress? {
    guard let scalar = node.scalar else {
      findings.error("webhook: found \(node.found), expected \(SettingKind.address.expectation)", at: node.position)
      return nil
    }
    if node.isNull || scalar.text.isEmpty { return nil }
    // The text may contain secrets, so it is not shown.
    guard let address = WebhookAddress(scalar.text) else {
      findings.error(
        "webhook: expected an address that begins with http:// or https:// and names a host",
        at: node.position)
      return nil
    }
    // A run's copy of its recipe contains such addresses.
    if address.isRedacted {
      findings.warning(
        "webhook: found an address whose secrets were removed (***), so nothing will be sent; give the whole address "
          + "with --set webhook=...", at: node.position)
      return nil
    }
    return address
  }
}
